//! Songs whose feature maps are to be computed: a folder of stems, or what an index lists.

use crate::collections::{Index, Layout, Source};
use crate::collections::{SongFolder, read_metadata};
use anyhow::{Context, Result, ensure};
use mixing_buddy_core::hash::fnv1a;
use mixing_buddy_core::{PerStem, Stem};
use std::path::{Path, PathBuf};

/// A song to be prepared.
#[derive(Clone, Debug, PartialEq)]
pub struct SongSource {
    /// Its name.
    pub name: String,
    /// Name of its map file, without the ending.
    pub file: String,
    /// Where it is from, see [`super::cache::MapHeader::source`].
    pub source: String,
    /// `train`, `calib`, `test`, ….
    pub split: String,
    /// Files of each class; several are added up.
    pub stems: PerStem<Vec<Source>>,
}

/// Every song below `root`: folders of stems at any depth, sorted by path. What they are is in the `song.json` beside the
/// stems; without one a song is the user's own, for training.
///
/// # Errors
/// When a folder cannot be read, or there is no song.
pub fn songs_below(root: &Path) -> Result<Vec<SongSource>> {
    let mut folders = Vec::new();
    collect(root, &mut folders)?;
    folders.sort();
    ensure!(!folders.is_empty(), "{} holds no folder of stems", root.display());
    folders
        .iter()
        .map(|dir| {
            let folder = SongFolder::read(dir)?;
            let meta = read_metadata(dir).unwrap_or_default();
            let relative = dir.strip_prefix(root).unwrap_or(dir);
            Ok(SongSource {
                name: folder.name.clone(),
                file: file_name(&relative.to_string_lossy()),
                source: meta.source.unwrap_or_else(|| "own".into()),
                split: meta.split.unwrap_or_else(|| "train".into()),
                stems: PerStem::from_fn(|stem| {
                    let files = folder.stems[stem].iter();
                    files.map(|path| Source { path: path.clone(), track: None }).collect()
                }),
            })
        })
        .collect()
}

/// The songs of an index. What was refused when it was written is not among them.
///
/// Its splits are kept, with two turns: `valid` songs are for `calib`, and so is a share of the `train` songs
/// (`calib_share`, 0 to 1), since calibration and the advisor need songs that the encoder never hears. Which ones follows
/// from the artist's name alone (what stands before ` - `, or the whole name), so that it does not depend on what else
/// is in the index, and no artist is on both sides. Songs without a split count as `train`.
///
/// Songs count as `real`, those of Slakh2100, which are rendered, as `slakh`.
pub fn songs_of_index(index: &Index, calib_share: f64) -> Vec<SongSource> {
    let source = if index.layout == Layout::Slakh { "slakh" } else { "real" };
    let songs = index.songs.iter();
    songs
        .map(|song| SongSource {
            name: song.name.clone(),
            file: file_name(&song.name),
            source: source.into(),
            split: match song.split.as_deref() {
                Some("valid") => "calib".into(),
                Some("train") | None if is_for_calib(&song.name, calib_share) => "calib".into(),
                Some(split) => split.into(),
                None => "train".into(),
            },
            stems: PerStem::from_fn(|stem| {
                let files = song.files.stems[stem].iter();
                files.map(|file| Source { path: index.root.join(&file.path), track: file.track }).collect()
            }),
        })
        .collect()
}

fn is_for_calib(song: &str, share: f64) -> bool {
    let artist = song.split_once(" - ").map_or(song, |(artist, _)| artist);
    // The product's upper bits depend on all bits of the hash.
    let drawn = fnv1a(artist.bytes()).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    drawn as f64 / 2f64.powi(32) < share
}

fn file_name(name: &str) -> String {
    name.replace(['/', '\\'], "--")
}

/// Folders below `dir` that hold stem files.
fn collect(dir: &Path, folders: &mut Vec<PathBuf>) -> Result<()> {
    let entries = std::fs::read_dir(dir).with_context(|| format!("{} cannot be read", dir.display()))?;
    let mut has_stems = false;
    for entry in entries.filter_map(Result::ok) {
        let path = entry.path();
        if path.is_dir() {
            if !entry.file_name().to_string_lossy().starts_with('.') {
                collect(&path, folders)?;
            }
        } else if path.extension().is_none_or(|e| e != "json") {
            has_stems |= path.file_stem().is_some_and(|s| {
                let name = s.to_string_lossy();
                name == "speech" || name.parse::<Stem>().is_ok()
            });
        }
    }
    if has_stems {
        folders.push(dir.to_path_buf());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_the_artists_is_kept_for_calibration_whatever_their_songs() {
        let names: Vec<String> = (0..2000).map(|at| format!("Artist {at}")).collect();
        for share in [0.0, 0.1, 0.5, 1.0] {
            let kept = names.iter().filter(|name| is_for_calib(name, share)).count() as f64 / 2000.0;
            assert!((kept - share).abs() < 0.03, "{kept} in place of {share}");
        }
        for name in &names {
            let [first, second] =
                ["First", "Second"].map(|song| is_for_calib(&format!("{name} - {song}"), 0.3));
            assert_eq!(first, second);
        }
    }
}
