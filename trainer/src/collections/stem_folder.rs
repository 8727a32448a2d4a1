//! The one reader of folders of stems: finds songs in a folder and the stems of each, without decoding anything.

use super::error::SongError;
use super::file_role::FileRole;
use super::files::{
    entries, files_at_any_depth, folders, is_link, is_same, is_sound, name_of, name_without_ending,
};
use super::stem_map::StemMap;
use mixing_buddy_core::{PerStem, Stem};
use std::collections::BTreeSet;
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
        // A link to a file next to it would add that stem twice.
        let (links, mut files): (Vec<PathBuf>, Vec<PathBuf>) =
            files.into_iter().partition(|path| is_link(&root.join(path)));
        for link in links {
            if !files.iter().any(|file| is_same(root, file, &link)) {
                files.push(link);
            }
        }
        files.sort();
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

/// All folders with stems at any depth below `dir`, `dir` itself included, sorted by path, each once however many links
/// lead to it. One that holds only speech is among them, so that its user learns that it is not a song.
///
/// # Errors
/// [`SongError::Io`] if a folder cannot be read.
pub fn find_songs_at_any_depth(dir: &Path) -> Result<Vec<SongFolder>, SongError> {
    let mut search = Search::default();
    search.visit(dir)?;
    // Links last: a song that is also found in its own place is found there. A link may lead to further links.
    while let Some(link) = search.links.pop() {
        search.visit(&link)?;
    }
    search.songs.sort_by(|a, b| a.dir.cmp(&b.dir));
    Ok(search.songs)
}

/// A search at any depth that ends, however links lead.
#[derive(Default)]
struct Search {
    songs: Vec<SongFolder>,
    /// Folders that were visited, without links.
    visited: BTreeSet<PathBuf>,
    /// Links to folders, not followed yet.
    links: Vec<PathBuf>,
}

impl Search {
    fn visit(&mut self, dir: &Path) -> Result<(), SongError> {
        let failed = |cause| SongError::Io { path: dir.to_path_buf(), cause };
        if !self.visited.insert(dir.canonicalize().map_err(failed)?) {
            return Ok(());
        }
        let song = SongFolder::read(dir)?;
        if song.is_candidate() {
            self.songs.push(song);
        }
        for inner in folders(Path::new(""), dir)? {
            if is_link(&inner) {
                self.links.push(inner);
            } else {
                self.visit(&inner)?;
            }
        }
        Ok(())
    }
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

    #[test]
    #[cfg(unix)]
    fn links_neither_double_a_song_nor_keep_the_search_going() {
        use std::os::unix::fs::symlink;
        let dir = tempfile::tempdir().unwrap();
        let real = dir.path().join("real");
        std::fs::create_dir_all(real.join("A")).unwrap();
        std::fs::write(real.join("A/drums.wav"), "").unwrap();
        symlink("drums.wav", real.join("A/drums_2.wav")).unwrap();
        symlink(&real, dir.path().join("again")).unwrap();
        symlink("..", real.join("up")).unwrap();
        symlink(".", real.join("A/self")).unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        std::fs::write(elsewhere.path().join("bass.wav"), "").unwrap();
        symlink(elsewhere.path(), dir.path().join("B")).unwrap();
        let songs = find_songs_at_any_depth(dir.path()).unwrap();
        let found: Vec<_> = songs.iter().map(|song| song.dir.clone()).collect();
        assert_eq!(found, [dir.path().join("B"), real.join("A")]);
        assert_eq!(songs[1].stems.drums, [real.join("A/drums.wav")]);
    }
}
