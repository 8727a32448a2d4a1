//! Where a song comes from: the `song.json` next to its stems.

use super::file_role::METADATA_FILE;
use crate::protocol::{SourceKind, Split};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// What a `song.json` may state. Every field may be missing; others are ignored.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SongMeta {
    /// Title, or the name within its source.
    pub song: Option<String>,
    /// Where it comes from.
    pub source: Option<SourceKind>,
    /// Who made it.
    pub artist: Option<String>,
    /// Licence, as an SPDX expression where there is one.
    pub licence: Option<String>,
    /// The names to be given where the song or weights trained on it are passed on.
    pub credit: Option<String>,
    /// What it may be used for.
    pub split: Option<Split>,
    /// Sound fonts that it was rendered with.
    pub soundfonts: Option<Vec<String>>,
    /// Drum kits that it was rendered with.
    pub drumkit: Option<String>,
    /// The recording or synthesiser that sings.
    pub voice: Option<String>,
    /// Length in seconds.
    pub seconds: Option<f64>,
}

/// Reads `song.json` in a song's folder; none if it is missing or not valid.
pub fn read_metadata(dir: &Path) -> Option<SongMeta> {
    serde_json::from_slice(&std::fs::read(dir.join(METADATA_FILE)).ok()?).ok()
}
