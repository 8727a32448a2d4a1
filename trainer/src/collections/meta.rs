//! Where a song comes from: the `song.json` next to its stems.

use super::error::SongError;
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

impl SongMeta {
    /// Reads the bytes of a `song.json`.
    ///
    /// # Errors
    /// When they are not JSON, or a field is of another kind.
    pub fn parse(bytes: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(bytes)
    }
}

/// Reads `song.json` in a song's folder; none if it is missing.
///
/// # Errors
/// [`SongError::Metadata`] when it cannot be read or is not valid: what it states may be that the song is not for training,
/// so that it must not be ignored.
pub fn read_metadata(dir: &Path) -> Result<Option<SongMeta>, SongError> {
    let path = dir.join(METADATA_FILE);
    let fault = |reason: String| SongError::Metadata { path: path.clone(), reason };
    match std::fs::read(&path) {
        Ok(bytes) => SongMeta::parse(&bytes).map(Some).map_err(|cause| fault(cause.to_string())),
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(fault(cause.to_string())),
    }
}
