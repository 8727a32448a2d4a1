//! Reads a whole song into memory at one rate.

use super::error::SongError;
use super::layouts::Track;
use super::reader::{ReadOptions, SongReader};
use super::stem_folder::SongFolder;
use mixing_buddy_core::audio::{MODEL_RATE_HZ, StereoPcm};
use mixing_buddy_core::{CancelFlag, PerStem};

/// A song in memory: 8 bytes per frame and stem, so that five minutes of four stems take 307 MB.
#[derive(Clone, Debug, Default)]
pub struct Song {
    /// The folder's name.
    pub name: String,
    /// Each stem at [`MODEL_RATE_HZ`], all of one length and every sample finite; none where the song lacks it.
    pub stems: PerStem<Option<StereoPcm>>,
    /// What was corrected or left out, each a sentence.
    pub warnings: Vec<String>,
}

impl Song {
    /// Length of every stem in frames.
    pub fn len(&self) -> usize {
        self.stems.iter().find_map(|(_, stem)| stem.as_ref().map(StereoPcm::len)).unwrap_or(0)
    }

    /// Whether there is no frame at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Length in seconds.
    pub fn duration_s(&self) -> f64 {
        self.len() as f64 / f64::from(MODEL_RATE_HZ)
    }
}

/// Reads a song.
///
/// Files of any rate and channel count, see [`mixing_buddy_core::audio`]. Several files of a class are added up.
///
/// # Errors
/// As [`SongFolder::check`]; [`SongError::Sound`] if a file cannot be read, holds NaN or infinity, or `cancel` was
/// raised; [`SongError::Lengths`] if the files differ in length by more than [`super::PADDING_LIMIT_S`].
pub fn load_song(folder: &SongFolder, cancel: &CancelFlag) -> Result<Song, SongError> {
    folder.check()?;
    let tracks = folder.stems.map(|paths| paths.iter().map(|path| Track::whole(path)).collect());
    let mut reader = SongReader::open_tracks(&tracks, &ReadOptions::at(MODEL_RATE_HZ, cancel))?;
    let stems = reader.read_to_end()?;
    let unknown = folder.unknown_files.iter();
    let mut warnings: Vec<_> =
        unknown.map(|path| format!("{} is not used: it is not named after a stem", path.display())).collect();
    warnings.extend_from_slice(reader.warnings());
    Ok(Song { name: folder.name.clone(), stems, warnings })
}
