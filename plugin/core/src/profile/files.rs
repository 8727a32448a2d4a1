//! Sound files in folders, and their hashes.

use super::song::SongId;
use crate::cancel::CancelFlag;
use crate::error::{Error, Result};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

/// Endings of files in a folder that are taken as songs. A file that is named by itself can have any ending.
pub const SONG_ENDINGS: [&str; 15] = [
    "wav", "wave", "w64", "rf64", "bw64", "aif", "aiff", "flac", "mp3", "ogg", "oga", "m4a", "mp4", "aac",
    "caf",
];
/// Most songs that are taken of one choice. Chosen, not tuned.
pub const MOST_SONGS: usize = 1000;
/// Levels of folders that are searched. Chosen, not tuned: artist, album, disc and one more.
const DEEPEST: usize = 4;
/// Bytes that are hashed at a time: some milliseconds.
const CHUNK: usize = 1 << 20;

/// The songs among `paths`: files as they are, folders with their songs in the order of their names. Each once.
///
/// Folders that cannot be read have no songs. Links to folders are not followed.
pub fn songs_in(paths: &[PathBuf]) -> Vec<PathBuf> {
    let mut songs = Vec::new();
    for path in paths {
        if !path.is_dir() {
            songs.push(path.clone());
            continue;
        }
        let files =
            WalkDir::new(path).max_depth(DEEPEST).sort_by_file_name().into_iter().filter_map(|entry| {
                let entry = entry.ok()?;
                (is_song(entry.path()) && entry.path().is_file()).then(|| entry.into_path())
            });
        songs.extend(files.take(MOST_SONGS));
    }
    let mut known = std::collections::BTreeSet::new();
    songs.retain(|song| known.insert(song.clone()));
    songs.truncate(MOST_SONGS);
    songs
}

fn is_song(path: &Path) -> bool {
    let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
    !is_hidden && ending.is_some_and(|ending| SONG_ENDINGS.contains(&ending.as_str()))
}

/// Hashes a file in small steps.
pub struct Fingerprint {
    path: PathBuf,
    file: File,
    sum: Sha256,
    buffer: Vec<u8>,
}

impl Fingerprint {
    /// Opens a file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(Error::io(path))?;
        if !file.metadata().map_err(Error::io(path))?.is_file() {
            return Err(Error::audio(path, "is not a file"));
        }
        Ok(Fingerprint { path: path.to_path_buf(), file, sum: Sha256::new(), buffer: vec![0; CHUNK] })
    }

    /// Hashes the next megabyte; the identifier at the end of the file.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn step(&mut self) -> Result<Option<SongId>> {
        let read = self.file.read(&mut self.buffer).map_err(Error::io(&self.path))?;
        if read > 0 {
            self.sum.update(&self.buffer[..read]);
            return Ok(None);
        }
        let digits: String = self.sum.finalize_reset().iter().map(|byte| format!("{byte:02x}")).collect();
        digits.parse().map(Some)
    }

    /// Hashes a whole file.
    ///
    /// # Errors
    /// When the file cannot be read, or when cancelled.
    pub fn of(path: &Path, cancel: &CancelFlag) -> Result<SongId> {
        let mut fingerprint = Fingerprint::open(path)?;
        loop {
            cancel.check()?;
            if let Some(id) = fingerprint.step()? {
                return Ok(id);
            }
        }
    }
}
