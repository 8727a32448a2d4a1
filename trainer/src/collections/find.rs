//! Finds the songs in a folder and the stems of each, without decoding anything.

use super::error::SongError;
use mixing_buddy_core::{PerStem, Stem};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Files with these endings are taken for sound.
const SOUND_EXTENSIONS: [&str; 13] =
    ["wav", "wave", "flac", "mp3", "ogg", "oga", "m4a", "mp4", "aac", "alac", "aif", "aiff", "caf"];
/// Names of files that hold the finished mix: not read, and no reason for a warning.
const MIX_NAMES: [&str; 3] = ["mixture", "mix", "master"];

/// A song on disk.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SongFolder {
    /// The folder's name.
    pub name: String,
    /// The folder.
    pub dir: PathBuf,
    /// The files of each stem class, sorted; none where the song lacks it, several where they are to be added up.
    pub stems: PerStem<Vec<PathBuf>>,
    /// Other files, sorted; hidden ones, `song.json` and finished mixes are left out.
    pub unknown_files: Vec<PathBuf>,
}

impl SongFolder {
    /// Looks into one song's folder. What it finds may not make a song: see [`Self::check`].
    ///
    /// # Errors
    /// [`SongError::Io`] if the folder cannot be read.
    pub fn read(dir: &Path) -> Result<Self, SongError> {
        let name = dir.file_name().unwrap_or(dir.as_os_str()).to_string_lossy().into_owned();
        let mut song = SongFolder { name, dir: dir.to_path_buf(), ..SongFolder::default() };
        for path in entries(dir)?.into_iter().filter(|path| !path.is_dir()) {
            match role(&path) {
                Role::Stem(stem) => song.stems[stem].push(path),
                Role::Ignored => {}
                Role::Unknown => song.unknown_files.push(path),
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
        for (_, files) in self.stems.iter() {
            // Sorted, so equal names with other endings are neighbours only if nothing sorts between: compare all.
            for (index, first) in files.iter().enumerate() {
                if let Some(second) =
                    files[index + 1..].iter().find(|second| lower_stem(first) == lower_stem(second))
                {
                    return Err(SongError::Twice { first: first.clone(), second: second.clone() });
                }
            }
        }
        let mut present = self.present();
        match (present.next(), present.next()) {
            (None, _) => Err(SongError::NoStems { dir: self.dir.clone() }),
            (Some(stem), None) => Err(SongError::OneStem { dir: self.dir.clone(), stem }),
            _ => Ok(()),
        }
    }
}

/// All songs in `dir`, sorted by name: every folder in it that is not hidden, even one that [`SongFolder::check`] finds
/// fault with, so that no song is left out in silence.
///
/// # Errors
/// [`SongError::NotAFolder`], [`SongError::Io`], [`SongError::NoSongs`] if there is no folder in it, and
/// [`SongError::IsASong`] if there are stems in its stead.
pub fn find_songs(dir: &Path) -> Result<Vec<SongFolder>, SongError> {
    if dir.is_file() {
        return Err(SongError::NotAFolder { path: dir.to_path_buf() });
    }
    let folders = entries(dir)?.into_iter().filter(|path| path.is_dir());
    let songs = folders.map(|path| SongFolder::read(&path)).collect::<Result<Vec<_>, _>>()?;
    if !songs.is_empty() {
        return Ok(songs);
    }
    let is_song = SongFolder::read(dir)?.present().next().is_some();
    let dir = dir.to_path_buf();
    Err(if is_song { SongError::IsASong { dir } } else { SongError::NoSongs { dir } })
}

enum Role {
    Stem(Stem),
    Ignored,
    Unknown,
}

/// What a file is for, by its name: `vocals.wav`, or `vocals` and a mark that is no letter, as in `vocals_2.wav`.
fn role(path: &Path) -> Role {
    if path.file_name() == Some(OsStr::new("song.json")) {
        return Role::Ignored;
    }
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    if !SOUND_EXTENSIONS.contains(&extension.as_str()) {
        return Role::Unknown;
    }
    let name = lower_stem(path);
    let is_named = |class: &str| {
        name.strip_prefix(class)
            .is_some_and(|rest| !rest.chars().next().is_some_and(|next| next.is_alphabetic()))
    };
    if let Some(stem) = Stem::ALL.into_iter().find(|stem| is_named(stem.name())) {
        Role::Stem(stem)
    } else if MIX_NAMES.contains(&name.as_str()) {
        Role::Ignored
    } else {
        Role::Unknown
    }
}

/// The file's name without its ending, in lower case.
fn lower_stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().to_lowercase()
}

/// What a folder holds, sorted by name, hidden entries left out.
fn entries(dir: &Path) -> Result<Vec<PathBuf>, SongError> {
    let failed = |source| SongError::Io { path: dir.to_path_buf(), source };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}
