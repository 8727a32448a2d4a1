//! Decodes a song's stems at the model's rate and makes them equally long.

use super::error::SongError;
use super::find::SongFolder;
use mixing_buddy_core::audio::{MODEL_RATE_HZ, StereoPcm, decode_at_rate};
use mixing_buddy_core::{CancelFlag, PerStem, Stem};
use std::path::Path;

/// Stems that end up to this much before the longest are padded with silence; a larger difference is an error.
pub const PADDING_LIMIT_S: f64 = 1.0;
/// Differences from rounding at the change of rates, not worth a warning.
const ROUNDING_FRAMES: usize = 2;

/// A song in memory: 8 bytes a frame and stem, so that five minutes of four stems take 307 MB.
#[derive(Clone, Debug, Default)]
pub struct Song {
    /// The folder's name.
    pub name: String,
    /// Each stem at [`MODEL_RATE_HZ`], all of one length and every sample a number; none where the song lacks it.
    pub stems: PerStem<Option<StereoPcm>>,
    /// What was mended or left out, each a sentence.
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
/// raised; [`SongError::Lengths`] if the files differ in length by more than [`PADDING_LIMIT_S`].
pub fn load_song(folder: &SongFolder, cancel: &CancelFlag) -> Result<Song, SongError> {
    folder.check()?;
    let mut files: Vec<(Stem, &Path, StereoPcm)> = Vec::new();
    for (stem, paths) in folder.stems.iter() {
        for path in paths {
            files.push((stem, path, decode_at_rate(path, MODEL_RATE_HZ, cancel)?));
        }
    }
    let mut warnings: Vec<_> = folder
        .unknown_files
        .iter()
        .map(|path| format!("{} is not used: its name is no stem's", path.display()))
        .collect();
    let frames = equal_length(&files, &mut warnings)?;
    let mut stems: PerStem<Option<StereoPcm>> = PerStem::default();
    for (stem, _, mut pcm) in files {
        pcm.pad_to(frames);
        match &mut stems[stem] {
            Some(sum) => sum.add(&pcm)?,
            none => *none = Some(pcm),
        }
    }
    Ok(Song { name: folder.name.clone(), stems, warnings })
}

/// The longest file's length in frames, a warning for each that is shorter.
fn equal_length(files: &[(Stem, &Path, StereoPcm)], warnings: &mut Vec<String>) -> Result<usize, SongError> {
    let by_length = |file: &&(Stem, &Path, StereoPcm)| file.2.len();
    let (Some(short), Some(long)) = (files.iter().min_by_key(by_length), files.iter().max_by_key(by_length))
    else {
        return Ok(0);
    };
    let (short_s, long_s) = (short.2.duration_s(), long.2.duration_s());
    if long_s - short_s > PADDING_LIMIT_S {
        return Err(SongError::Lengths {
            short: short.1.to_path_buf(),
            short_s,
            long: long.1.to_path_buf(),
            long_s,
        });
    }
    let frames = long.2.len();
    for (_, path, pcm) in files {
        if pcm.len() + ROUNDING_FRAMES < frames {
            let missing_ms = (long_s - pcm.duration_s()) * 1e3;
            let path = path.display();
            warnings.push(format!("{path} ends {missing_ms:.0} ms early and was padded with silence"));
        }
    }
    Ok(frames)
}
