//! What of a collection cannot be used, and why.

use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// A song or file that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refused {
    /// The song's name.
    pub song: String,
    /// Where it is, below the collection's root. What of it is not valid UTF-8 is replaced: the path is for people.
    pub path: PathBuf,
    /// The reason, as a sentence.
    pub reason: String,
}

impl Refused {
    /// A song, its path and the reason.
    pub(super) fn new(song: &str, path: &Path, reason: String) -> Self {
        Refused { song: song.into(), path: path.to_string_lossy().into_owned().into(), reason }
    }
}
