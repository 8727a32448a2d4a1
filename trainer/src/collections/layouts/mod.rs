//! How collections are laid out on disk: one file per layout. Nothing is decoded here.

mod folder;
mod found;
mod instruments;
mod medleydb;
mod musdb;
mod musdb_stem;
mod slakh;

pub use found::{Found, FoundSong, Track};
pub use medleydb::stems_of_medleydb;

use super::stem_map::StemMap;
use anyhow::{Result, bail, ensure};
use serde::{Deserialize, Serialize};
use std::path::Path;

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
        .settle(root);
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
