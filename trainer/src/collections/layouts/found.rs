//! What a layout finds on disk: songs, and what cannot be used.

use crate::collections::refused::Refused;
use crate::protocol::Split;
use anyhow::Result;
use mixing_buddy_core::{PerStem, Stem};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// One sound track on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Track {
    /// Its file, below the collection's root.
    pub path: PathBuf,
    /// Its number in a file that holds several.
    pub track: Option<usize>,
}

impl Track {
    /// The only sound track of a file.
    pub fn whole(path: &Path) -> Self {
        Track { path: path.to_path_buf(), track: None }
    }
}

/// A song as the names of its files describe it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FoundSong {
    /// Its name.
    pub name: String,
    /// Its folder or file, below the root.
    pub path: PathBuf,
    /// The official split, if the collection has one.
    pub split: Option<Split>,
    /// The tracks of each class.
    pub stems: PerStem<Vec<Track>>,
    /// The finished mix.
    pub mixture: Option<Track>,
    /// What was left out, each a sentence.
    pub warnings: Vec<String>,
}

impl FoundSong {
    pub(super) fn push(&mut self, stem: Stem, path: &Path) {
        self.stems[stem].push(Track::whole(path));
    }

    pub(super) fn has_stems(&self) -> bool {
        self.stems.iter().any(|(_, tracks)| !tracks.is_empty())
    }
}

/// What a folder holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// The songs, sorted by name; each name once.
    pub songs: Vec<FoundSong>,
    /// What cannot be used.
    pub refused: Vec<Refused>,
}

impl Found {
    /// Adds a song, or the reason why it cannot be used.
    pub(super) fn take(&mut self, name: &str, path: &Path, song: Result<FoundSong>) {
        match song {
            Ok(song) => self.songs.push(song),
            Err(reason) => self.refuse(name, path, format!("{reason:#}")),
        }
    }

    pub(super) fn refuse(&mut self, song: &str, path: &Path, reason: String) {
        self.refused.push(Refused { song: song.into(), path: path.to_path_buf(), reason });
    }

    /// Sorts by name. Where several songs have one name, the first in the order of paths is kept.
    pub(super) fn settle(mut self) -> Self {
        let mut first: BTreeMap<String, PathBuf> = BTreeMap::new();
        self.songs.sort_by(|a, b| a.path.cmp(&b.path));
        for song in std::mem::take(&mut self.songs) {
            // Names must differ on file systems that ignore case, too.
            match first.get(&song.name.to_lowercase()) {
                Some(other) => {
                    let reason =
                        format!("{} is named the same; one of them must be renamed", other.display());
                    self.refuse(&song.name, &song.path, reason);
                }
                None => {
                    first.insert(song.name.to_lowercase(), song.path.clone());
                    self.songs.push(song);
                }
            }
        }
        self.songs.sort_by(|a, b| a.name.cmp(&b.name));
        self
    }
}
