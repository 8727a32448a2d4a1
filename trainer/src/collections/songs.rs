//! Songs to be read from disk for training: a folder of stems, or what an index lists.

use super::error::SongError;
use super::index::Index;
use super::layouts::{Layout, Track};
use super::meta::read_metadata;
use super::stem_folder::{SongFolder, find_songs_at_any_depth};
use crate::protocol::{SourceKind, Split};
use anyhow::{Result, bail, ensure};
use mixing_buddy_core::PerStem;
use mixing_buddy_core::hash::fnv1a;
use std::collections::BTreeSet;
use std::path::Path;

/// A song, what it may be used for, and where its sound is.
#[derive(Clone, Debug, PartialEq)]
pub struct SongTracks {
    /// Its name.
    pub name: String,
    /// Name of its map file, without the ending.
    pub file: String,
    /// Where it comes from.
    pub source: SourceKind,
    /// What it may be used for.
    pub split: Split,
    /// Tracks of each class; several are added up.
    pub stems: PerStem<Vec<Track>>,
}

impl SongTracks {
    /// The song of a folder of stems. What it is, is in the `song.json` next to them; without one it is the user's own.
    ///
    /// # Errors
    /// When it has no stems, or one in two formats, or its `song.json` cannot be understood: the song may not be for training.
    pub fn of_folder(folder: SongFolder, file: String, calib_share: f64) -> Result<SongTracks, SongError> {
        folder.check_twice()?;
        let meta = read_metadata(&folder.dir)?.unwrap_or_default();
        Ok(SongTracks {
            file,
            source: meta.source.unwrap_or(SourceKind::Own),
            split: use_of(meta.split, &folder.name, calib_share),
            stems: folder.stems.map(|files| files.iter().map(|path| Track::whole(path)).collect()),
            name: folder.name,
        })
    }
}

/// What a folder of songs holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SongsBelow {
    /// The songs, sorted by path.
    pub songs: Vec<SongTracks>,
    /// Those that cannot be used, each a sentence.
    pub refused: Vec<String>,
}

/// Every song below `root`: folders of stems at any depth, sorted by path. What they are is in the `song.json` next to
/// the stems; without one a song is the user's own, for training. One with a `song.json` that cannot be understood is
/// refused: it may not be for training. `calib_share` is as in [`songs_of_index`].
///
/// # Errors
/// When a folder cannot be read, or there is no song.
pub fn songs_below(root: &Path, calib_share: f64) -> Result<SongsBelow> {
    let folders = find_songs_at_any_depth(root)?;
    ensure!(!folders.is_empty(), "{} holds no folder of stems", root.display());
    let mut found = SongsBelow::default();
    let mut files = FileNames::default();
    for folder in folders {
        let below = folder.dir.strip_prefix(root).unwrap_or(&folder.dir);
        let is_root = below.as_os_str().is_empty();
        let file = if is_root { files.take(&folder.name) } else { files.take_path(below) };
        let name = folder.name.clone();
        match SongTracks::of_folder(folder, file, calib_share) {
            Err(reason) => found.refused.push(format!("{name}: {reason}")),
            Ok(song) => found.songs.push(song),
        }
    }
    if found.songs.is_empty() {
        let first = found.refused.first().map_or("", String::as_str);
        bail!("no song in {} can be used; the first is refused because of: {first}", root.display());
    }
    Ok(found)
}

/// The songs of an index. What was refused when it was written is not among them.
///
/// Its splits are kept, with two exceptions: `valid` songs are for `calib`, and so is a share of the `train` songs
/// (`calib_share`, 0 to 1), since calibration and the advisor need songs that the encoder does not learn from. Which
/// ones follows from the artist's name alone (what stands before ` - `, or the whole name), so that it does not depend
/// on what else is in the index, and no artist is on both sides. Songs without a split count as `train`.
///
/// Songs count as `real`, those of Slakh2100, which are rendered, as `slakh`.
pub fn songs_of_index(index: &Index, calib_share: f64) -> Vec<SongTracks> {
    let source = if index.layout == Layout::Slakh { SourceKind::Slakh } else { SourceKind::Real };
    let songs = index.songs.iter();
    let mut files = FileNames::default();
    songs
        .map(|song| SongTracks {
            name: song.name.clone(),
            file: files.take(&song.name),
            source: source.clone(),
            split: use_of(song.split.clone(), &song.name, calib_share),
            stems: song.files.stems.map(|files| {
                let tracks = files.iter();
                tracks.map(|file| Track { path: index.root.join(&file.path), track: file.track }).collect()
            }),
        })
        .collect()
}

/// What a song may be used for by its split and name.
fn use_of(split: Option<Split>, song: &str, calib_share: f64) -> Split {
    match split {
        Some(Split::Valid) => Split::Calib,
        Some(Split::Train) | None if is_for_calib(song, calib_share) => Split::Calib,
        Some(split) => split,
        None => Split::Train,
    }
}

fn is_for_calib(song: &str, share: f64) -> bool {
    let artist = song.split_once(" - ").map_or(song, |(artist, _)| artist);
    // The product's upper bits depend on all bits of the hash (the factor is 2^64 over the golden ratio).
    let drawn = fnv1a(artist.bytes()).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    drawn as f64 / 2f64.powi(32) < share
}

/// The file name of a song by its path or name, in which folders are joined by dashes.
pub fn file_name(name: &str) -> String {
    name.replace(['/', '\\'], "--")
}

/// Names of map files, each given once: songs whose names differ only in signs that a file name cannot have, or in case,
/// must not take each other's maps.
#[derive(Default)]
pub(super) struct FileNames(BTreeSet<String>);

impl FileNames {
    /// The file name of a song by its name.
    fn take(&mut self, name: &str) -> String {
        self.add(name, fnv1a(name.bytes()))
    }

    /// The file name of a song by its path.
    pub(super) fn take_path(&mut self, path: &Path) -> String {
        self.add(&path.to_string_lossy(), fnv1a(path.as_os_str().as_encoded_bytes().iter().copied()))
    }

    /// The first song with a name gets it; a later one gets a number that follows from its full name.
    fn add(&mut self, name: &str, full_name_hash: u64) -> String {
        let name = file_name(name);
        if self.0.insert(name.to_lowercase()) {
            return name;
        }
        let other = format!("{name} ({full_name_hash:016x})");
        self.0.insert(other.to_lowercase());
        other
    }
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

    #[test]
    fn a_folder_gives_its_songs_with_what_song_json_states() {
        let dir = tempfile::tempdir().unwrap();
        for (song, json) in [
            ("real/One", r#"{"source": "real", "split": "calib"}"#),
            ("mine/Two", r#"{"source": "tape", "split": "demo"}"#),
            ("Three", ""),
        ] {
            let song = dir.path().join(song);
            std::fs::create_dir_all(&song).unwrap();
            std::fs::write(song.join("drums.wav"), "").unwrap();
            if !json.is_empty() {
                std::fs::write(song.join("song.json"), json).unwrap();
            }
        }
        let songs = songs_below(dir.path(), 0.0).unwrap().songs;
        let facts: Vec<_> =
            songs.iter().map(|song| (song.file.as_str(), song.source.name(), song.split.name())).collect();
        assert_eq!(
            facts,
            [("Three", "own", "train"), ("mine--Two", "tape", "demo"), ("real--One", "real", "calib")]
        );
        // A song itself is found, too, and its file is named after it.
        assert_eq!(songs_below(&dir.path().join("Three"), 0.0).unwrap().songs[0].file, "Three");
    }

    #[test]
    fn a_song_json_that_is_not_json_costs_that_song() {
        let dir = tempfile::tempdir().unwrap();
        for (song, json) in [("Bad", "{'split': 'test'}"), ("Empty", ""), ("Good", "{}"), ("List", "[1]")] {
            let song = dir.path().join(song);
            std::fs::create_dir_all(&song).unwrap();
            std::fs::write(song.join("drums.wav"), "").unwrap();
            std::fs::write(song.join("song.json"), json).unwrap();
        }
        let found = songs_below(dir.path(), 0.0).unwrap();
        assert_eq!(found.songs.iter().map(|song| song.name.as_str()).collect::<Vec<_>>(), ["Good"]);
        assert_eq!(found.refused.len(), 3, "{:?}", found.refused);
        assert!(found.refused.iter().all(|sentence| sentence.contains("song.json cannot be understood")));
        std::fs::remove_dir_all(dir.path().join("Good")).unwrap();
        let sentence = songs_below(dir.path(), 0.0).unwrap_err().to_string();
        assert!(sentence.contains("no song in") && sentence.contains("song.json"), "{sentence}");
    }

    #[test]
    fn songs_whose_names_become_one_file_name_keep_their_own_files() {
        let mut names = FileNames::default();
        let taken = ["a/b", "a--b", "A--B", "a\\b", "c"].map(|name| names.take(name));
        let unique: BTreeSet<String> = taken.iter().map(|name| name.to_lowercase()).collect();
        assert_eq!(unique.len(), taken.len(), "{taken:?}");
        assert_eq!((taken[0].as_str(), taken[4].as_str()), ("a--b", "c"));
        // The name follows from the song's own name, not from its number.
        let mut names = FileNames::default();
        assert_eq!(["a/b", "A--B"].map(|name| names.take(name))[1], taken[2]);
    }

    #[test]
    #[cfg(unix)]
    fn names_that_are_not_text_keep_their_own_files() {
        use std::os::unix::ffi::OsStrExt;
        let mut names = FileNames::default();
        let take = |bytes: &[u8]| names.take_path(Path::new(std::ffi::OsStr::from_bytes(bytes)));
        let [first, second] = [&b"caf\xe9"[..], b"caf\xe8"].map(take);
        assert_ne!(first, second);
    }
}
