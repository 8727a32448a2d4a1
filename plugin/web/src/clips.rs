//! Windows of a song that are ready to be heard: their files.

use crate::store::Folder;
use serde::Deserialize;
use std::path::PathBuf;

/// Windows of a song that are kept ready.
const MOST_PREPARED: usize = 8;

/// Whose advice is applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// That on the window.
    #[default]
    Window,
    /// That on the song.
    Song,
}

/// One of two versions, which are equally loud.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Version {
    /// The window as it is.
    Original,
    /// The window with the advice applied.
    Advice,
}

/// What to hear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Number of the window, from 0.
    pub window: usize,
    /// Whose advice is applied.
    pub source: Source,
}

/// A window of which both versions are written.
#[derive(Debug)]
pub struct Prepared {
    wanted: Wanted,
    bytes: u64,
}

impl Version {
    /// Both.
    pub const ALL: [Version; 2] = [Version::Original, Version::Advice];
}

impl Prepared {
    /// A window whose files have so many bytes.
    pub fn new(wanted: Wanted, bytes: u64) -> Self {
        Prepared { wanted, bytes }
    }
}

/// The windows of a song that are ready, oldest first.
#[derive(Debug, Default)]
pub struct Clips(Vec<Prepared>);

impl Clips {
    /// Whether a window is ready.
    pub fn has(&self, wanted: Wanted) -> bool {
        self.0.iter().any(|ready| ready.wanted == wanted)
    }

    /// Adds a window, in place of the oldest if there are many.
    pub fn keep(&mut self, folder: &Folder, new: Prepared) {
        while self.0.len() >= MOST_PREPARED {
            let old = self.0.remove(0);
            // Whoever is sent the file now still gets all of it.
            remove(&Version::ALL.map(|version| file(folder, old.wanted, version)));
            folder.give_back(old.bytes);
        }
        self.0.push(new);
    }
}

/// The file of a version.
pub fn file(folder: &Folder, wanted: Wanted, version: Version) -> PathBuf {
    let Wanted { window, source } = wanted;
    let source = if source == Source::Song { "song" } else { "window" };
    let version = if version == Version::Advice { "advice" } else { "original" };
    folder.file(&format!("{window}-{source}-{version}.wav"))
}

/// Removes files, if they are there.
pub fn remove(files: &[PathBuf]) {
    for file in files {
        let _ = std::fs::remove_file(file);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    #[test]
    fn only_the_newest_windows_are_kept() {
        let temporary = tempfile::tempdir().unwrap();
        let store = Store::open(temporary.path(), 1000).unwrap();
        let folder = store.folder().unwrap();
        let mut clips = Clips::default();
        let wanted = |window| Wanted { window, source: Source::Window };
        for window in 0..MOST_PREPARED + 3 {
            std::fs::write(file(&folder, wanted(window), Version::Advice), "sound").unwrap();
            assert!(folder.take(10));
            clips.keep(&folder, Prepared::new(wanted(window), 10));
        }
        assert!(!clips.has(wanted(2)) && clips.has(wanted(3)));
        assert!(!file(&folder, wanted(2), Version::Advice).exists());
        assert!(file(&folder, wanted(3), Version::Advice).exists());
        assert_eq!(store.used_bytes(), 10 * MOST_PREPARED as u64);
    }
}
