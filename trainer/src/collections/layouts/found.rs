//! What a layout finds on disk: songs, and what cannot be used.

use crate::collections::files::is_link;
use crate::collections::refused::Refused;
use crate::protocol::Split;
use anyhow::Result;
use mixing_buddy_core::{PerStem, Stem};
use std::collections::{BTreeMap, BTreeSet};
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

    /// The first of its paths that is not valid UTF-8.
    fn path_without_text(&self) -> Option<&Path> {
        let tracks = self.stems.iter().flat_map(|(_, tracks)| tracks).chain(&self.mixture);
        let mut paths = std::iter::once(&self.path).chain(tracks.map(|track| &track.path));
        paths.find(|path| path.to_str().is_none()).map(PathBuf::as_path)
    }

    /// Its files without links: two songs with the same files are one.
    fn real_files(&self, root: &Path) -> Vec<(PathBuf, Option<usize>)> {
        let real = |track: &Track| {
            let path = root.join(&track.path);
            (path.canonicalize().unwrap_or(path), track.track)
        };
        let tracks = self.stems.iter().flat_map(|(_, tracks)| tracks).chain(&self.mixture);
        let mut files: Vec<_> = tracks.map(real).collect();
        files.sort();
        files
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
        self.refused.push(Refused::new(song, path, reason));
    }

    /// Sorts by name. A song that is found twice, through a link, is one song. Where several songs have one name, the first
    /// in the order of paths is kept. A song whose path is not text is refused: the index could not name it.
    pub(super) fn settle(mut self, root: &Path) -> Self {
        let mut first: BTreeMap<String, PathBuf> = BTreeMap::new();
        let mut places = BTreeSet::new();
        // Links come last: where a song is found twice, its own folder counts.
        self.songs.sort_by_key(|song| (is_link(&root.join(&song.path)), song.path.clone()));
        for song in std::mem::take(&mut self.songs) {
            if let Some(path) = song.path_without_text() {
                let reason = format!("the name of {} is not valid UTF-8; rename it", path.display());
                self.refuse(&song.name, &song.path, reason);
                continue;
            }
            if !places.insert(song.real_files(root)) {
                continue;
            }
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
