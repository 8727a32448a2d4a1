//! A song whose turn is coming.

use crate::collections::songs::SongTracks;
use anyhow::Result;
use tempfile::TempDir;

type Open = Box<dyn FnOnce() -> Result<OpenSong> + Send>;

/// A song that is opened when its turn comes.
pub struct ComingSong {
    /// Its name.
    pub name: String,
    /// Name of its map file, without the ending.
    pub file: String,
    open: Open,
}

/// A song whose files are on this disk.
pub struct OpenSong {
    /// The song.
    pub tracks: SongTracks,
    /// The folder of its files, where they are here for the time being only. It is removed with this.
    pub folder: Option<TempDir>,
}

impl ComingSong {
    /// A song that `open` brings to this disk.
    pub fn new(name: &str, file: &str, open: impl FnOnce() -> Result<OpenSong> + Send + 'static) -> Self {
        ComingSong { name: name.to_string(), file: file.to_string(), open: Box::new(open) }
    }

    /// A song that is on this disk.
    pub fn on_disk(tracks: SongTracks) -> Self {
        let (name, file) = (tracks.name.clone(), tracks.file.clone());
        Self::new(&name, &file, || Ok(OpenSong { tracks, folder: None }))
    }

    /// Brings it to this disk.
    ///
    /// # Errors
    /// When it cannot be fetched, or is no song.
    pub fn open(self) -> Result<OpenSong> {
        (self.open)()
    }
}
