//! How collections are laid out on disk: one file per layout. Nothing is decoded here.

mod folder;
mod medleydb;
mod musdb;
mod musdb_stem;
mod slakh;

use super::refused::Refused;
use super::stem_map::StemMap;
use crate::protocol::Split;
use anyhow::{Result, bail, ensure};
use mixing_buddy_core::{PerStem, Stem};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A collection's layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// MUSDB18-HQ: `train|test/SONG/{mixture,vocals,drums,bass,other}.wav`
    Musdb,
    /// MUSDB18: `train|test/SONG.stem.mp4`, each with five AAC streams
    MusdbStem,
    /// MedleyDB: `SONG_METADATA.yaml` and a folder `SONG_STEMS` of files by instrument
    Medleydb,
    /// Slakh2100: `train|validation|test/TrackNNNNN/metadata.yaml` and `stems/SNN.flac`
    Slakh,
    /// Any folders of stems, by the patterns of a mapping file
    Folder,
}

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
    fn push(&mut self, stem: Stem, path: &Path) {
        self.stems[stem].push(Track::whole(path));
    }

    fn has_stems(&self) -> bool {
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
    fn take(&mut self, name: &str, path: &Path, song: Result<FoundSong>) {
        match song {
            Ok(song) => self.songs.push(song),
            Err(reason) => self.refuse(name, path, format!("{reason:#}")),
        }
    }

    fn refuse(&mut self, song: &str, path: &Path, reason: String) {
        self.refused.push(Refused { song: song.into(), path: path.to_path_buf(), reason });
    }

    /// Sorts by name. Where several songs have one name, the first in the order of paths is kept.
    fn settle(mut self) -> Self {
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

impl Layout {
    /// Finds the songs below `root`. `map` is the mapping of [`Layout::Folder`]; the others take none.
    ///
    /// # Errors
    /// When `root` is not a folder or cannot be read, or holds nothing in this layout.
    pub fn find(self, root: &Path, map: Option<&StemMap>) -> Result<Found> {
        ensure!(root.is_dir(), "{} is not a folder", root.display());
        if self != Layout::Folder && map.is_some() {
            bail!("a mapping file can only be used with the layout 'folder'");
        }
        let found = match self {
            Layout::Musdb => musdb::find(root)?,
            Layout::MusdbStem => musdb_stem::find(root)?,
            Layout::Medleydb => medleydb::find(root)?,
            Layout::Slakh => slakh::find(root)?,
            Layout::Folder => folder::find(root, map)?,
        }
        .settle();
        if found.songs.is_empty() && found.refused.is_empty() {
            let example = match self {
                Layout::Musdb => "train/SONG/vocals.wav",
                Layout::MusdbStem => "train/SONG.stem.mp4",
                Layout::Medleydb => "SONG/SONG_METADATA.yaml",
                Layout::Slakh => "train/Track00001/metadata.yaml",
                Layout::Folder => "SONG/ with sound files in it",
            };
            bail!("{} holds no songs in this layout, which looks like {example}", root.display());
        }
        Ok(found)
    }
}
