//! What of a collection cannot be used, and why.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A song or file that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refused {
    /// The song's name.
    pub song: String,
    /// Where it is, below the collection's root.
    pub path: PathBuf,
    /// The reason, as a sentence.
    pub reason: String,
}
