//! The one reader of folders of stems: finds songs in a folder and the stems of each, without decoding anything.

use super::error::SongError;
use super::file_role::FileRole;
use super::files::{entries, files_at_any_depth, folders, is_sound, name_of, name_without_ending};
use super::stem_map::StemMap;
use mixing_buddy_core::{PerStem, Stem};
use std::path::{Path, PathBuf};

/// Name of a recording of speech without a stem of its own: raw material of the corpus, not a song.
const SPEECH_NAME: &str = "speech";

/// How a song's folder is read.
#[derive(Clone, Copy, Debug, Default)]
pub struct FolderOptions<'a> {
    /// Patterns that give files their roles; [`FileRole::by_name`] does without them.
    pub map: Option<&'a StemMap>,
    /// Whether folders in the song's folder belong to the song.
    pub any_depth: bool,
}

/// A song on disk.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SongFolder {
    /// The folder's name.
    pub name: String,
    /// The folder.
    pub dir: PathBuf,
    /// The files of each stem class, sorted; none where the song lacks it, several where they are to be added up.
    pub stems: PerStem<Vec<PathBuf>>,
    /// The files of the finished mix, sorted.
    pub mixes: Vec<PathBuf>,
    /// Other files, sorted; hidden ones and `song.json` are left out.
    pub unknown_files: Vec<PathBuf>,
}

impl SongFolder {
    /// Looks into one song's folder. What it finds may not make a song: see [`Self::check`].
    ///
    /// # Errors
    /// [`SongError::Io`] if the folder cannot be read.
    pub fn read(dir: &Path) -> Result<Self, SongError> {
        Self::read_below(Path::new(""), dir, FolderOptions::default())
    }

    /// As [`Self::read`], of the folder `dir` below `root`, with paths below `root`.
    ///
    /// # Errors
    /// [`SongError::Io`] if a folder cannot be read.
    pub fn read_below(root: &Path, dir: &Path, options: FolderOptions<'_>) -> Result<Self, SongError> {
        let mut song = SongFolder { name: name_of(dir), dir: dir.to_path_buf(), ..SongFolder::default() };
        let files = if options.any_depth {
            files_at_any_depth(root, dir)?
        } else {
            let mut files = entries(root, dir)?;
            files.retain(|path| !root.join(path).is_dir());
            files
        };
        for path in files {
            let role = match options.map {
                Some(map) if is_sound(&path) => map.role(path.strip_prefix(dir).unwrap_or(&path)),
                _ => FileRole::by_name(&path),
            };
            match role {
                FileRole::Stem(stem) => song.stems[stem].push(path),
                FileRole::Mix => song.mixes.push(path),
                FileRole::Ignored => {}
                FileRole::Unknown => song.unknown_files.push(path),
            }
        }
        Ok(song)
    }

    /// The classes that the song has.
    pub fn present(&self) -> impl Iterator<Item = Stem> {
        Stem::ALL.into_iter().filter(|stem| !self.stems[*stem].is_empty())
    }

    /// Whether the files make a song, as far as their names tell.
    ///
    /// # Errors
    /// [`SongError::NoStems`], [`SongError::OneStem`], [`SongError::Twice`].
    pub fn check(&self) -> Result<(), SongError> {
        self.check_twice()?;
        let mut present = self.present();
        match (present.next(), present.next()) {
            (None, _) => Err(SongError::NoStems { dir: self.dir.clone() }),
            (Some(stem), None) => Err(SongError::OneStem { dir: self.dir.clone(), stem }),
            _ => Ok(()),
        }
    }

    /// Whether no stem is present in two formats.
    ///
    /// # Errors
    /// [`SongError::Twice`].
    pub(super) fn check_twice(&self) -> Result<(), SongError> {
        let key = |path: &Path| path.with_extension("").to_string_lossy().to_lowercase();
        for (stem, files) in self.stems.iter() {
            // Another name may sort between two files that differ in their ending alone: compare all.
            for (index, first) in files.iter().enumerate() {
                if let Some(second) = files[index + 1..].iter().find(|second| key(first) == key(second)) {
                    return Err(SongError::Twice { first: first.clone(), second: second.clone(), stem });
                }
            }
        }
        Ok(())
    }

    /// Whether the folder holds stems, or speech that somebody may take for one.
    fn is_candidate(&self) -> bool {
        let is_speech = |path: &PathBuf| is_sound(path) && name_without_ending(path) == SPEECH_NAME;
        self.present().next().is_some() || self.unknown_files.iter().any(is_speech)
    }
}

/// All songs in `dir`, sorted by name: every folder in it that is not hidden, even one that [`SongFolder::check`] finds
/// fault with, so that no song is left out in silence.
///
/// # Errors
/// [`SongError::NotAFolder`], [`SongError::Io`], [`SongError::NoSongs`] if there is no folder in it, and
/// [`SongError::IsASong`] if there are stems in place of folders.
pub fn find_songs(dir: &Path) -> Result<Vec<SongFolder>, SongError> {
    if dir.is_file() {
        return Err(SongError::NotAFolder { path: dir.to_path_buf() });
    }
    let songs: Vec<_> =
        folders(Path::new(""), dir)?.iter().map(|path| SongFolder::read(path)).collect::<Result<_, _>>()?;
    if !songs.is_empty() {
        return Ok(songs);
    }
    let is_song = SongFolder::read(dir)?.present().next().is_some();
    let dir = dir.to_path_buf();
    Err(if is_song { SongError::IsASong { dir } } else { SongError::NoSongs { dir } })
}

/// All folders with stems at any depth below `dir`, `dir` itself included, sorted by path. One that holds only speech
/// is among them, so that its user learns that it is not a song.
///
/// # Errors
/// [`SongError::Io`] if a folder cannot be read.
pub fn find_songs_at_any_depth(dir: &Path) -> Result<Vec<SongFolder>, SongError> {
    let mut songs = Vec::new();
    let song = SongFolder::read(dir)?;
    if song.is_candidate() {
        songs.push(song);
    }
    for inner in folders(Path::new(""), dir)? {
        songs.extend(find_songs_at_any_depth(&inner)?);
    }
    Ok(songs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn songs_are_found_at_any_depth_and_speech_is_not_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        for file in [
            "real/B/vocals_2.wav",
            "real/A/drums.wav",
            ".old/C/bass.wav",
            "voices/D/speech.wav",
            "E/notes.txt",
        ] {
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let names = |songs: Vec<SongFolder>| songs.into_iter().map(|song| song.name).collect::<Vec<_>>();
        assert_eq!(names(find_songs_at_any_depth(dir.path()).unwrap()), ["A", "B", "D"]);
        assert_eq!(names(find_songs_at_any_depth(&dir.path().join("real/A")).unwrap()), ["A"]);
    }
}
