//! The folder of songs and groups.
//!
//! ```text
//! references/songs/ID.json     one measured song
//! references/groups/HASH.json  one group; HASH is that of its name
//! references/lock              held while a group is read and written again
//! ```
//!
//! Each file is written under another name and renamed, so that a reader sees the old or the new one, whole. A song's file
//! is only ever replaced as a whole, so the last writer wins. A group is changed under the lock, so that songs which two
//! programs add at the same time are both kept.

use super::group::{Group, Target, WEIGHTS};
use super::song::{FORMAT, SongId, SongLevels, SongProfile};
use crate::error::{Error, Result};
use crate::hash::fnv1a;
use crate::replace::write_json as write;
use etcetera::BaseStrategy;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Variable of the environment that names another folder for the library.
pub const FOLDER_VARIABLE: &str = "MIXING_BUDDY_DATA";
/// Most files of a kind that are read. Chosen, not tuned.
const MOST_FILES: usize = 5000;
/// Longest file in bytes. A song takes about 20 kB.
const LONGEST_FILE: u64 = 4 << 20;
/// Longest time to wait for another program that changes a group.
const LOCK_BOUND: Duration = Duration::from_secs(2);

/// The library of references: a folder. Holds no file open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Library {
    folder: PathBuf,
}

/// What the library contains: songs without their windows, and groups. Both by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Listing {
    /// The songs.
    pub songs: Vec<SongLevels>,
    /// The groups.
    pub groups: Vec<Group>,
    /// Files that cannot be used, each a sentence that names the file.
    pub problems: Vec<String>,
}

/// Songs and groups in one file, for another computer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Archive {
    /// `FORMAT` of the writer.
    pub format: u32,
    /// The songs.
    pub songs: Vec<SongProfile>,
    /// The groups.
    pub groups: Vec<Group>,
}

/// What an import has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Songs that are new, or that another model had measured.
    pub songs: usize,
    /// Songs that were present already.
    pub known: usize,
    /// Groups that are new or have new songs.
    pub groups: usize,
}

impl Library {
    /// The user's library: in the folder that `MIXING_BUDDY_DATA` names, else in the platform's folder for data
    /// (`~/.local/share/mixing-buddy` on Linux). It need not exist.
    ///
    /// # Errors
    /// When the user has no home folder.
    pub fn of_user() -> Result<Self> {
        if let Some(folder) = std::env::var_os(FOLDER_VARIABLE).filter(|folder| !folder.is_empty()) {
            return Ok(Library::at(PathBuf::from(folder)));
        }
        let strategy = etcetera::base_strategy::choose_native_strategy()
            .map_err(|error| Error::Format(format!("there is no folder for references: {error}")))?;
        Ok(Library::at(strategy.data_dir().join("mixing-buddy")))
    }

    /// The library in a folder for data, which need not exist.
    pub fn at(data: impl AsRef<Path>) -> Self {
        Library { folder: data.as_ref().join("references") }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Reads songs and groups. A library that does not exist is empty. A damaged file costs only itself.
    ///
    /// # Errors
    /// When a folder exists and cannot be read.
    pub fn list(&self) -> Result<Listing> {
        let mut listing = Listing::default();
        for path in json_files(&self.songs_folder())? {
            match read::<SongLevels>(&path).and_then(|song| song.check().map(|()| song)) {
                Ok(song) => listing.songs.push(song),
                Err(error) => listing.problems.push(error.to_string()),
            }
        }
        for path in json_files(&self.groups_folder())? {
            match read::<Group>(&path).and_then(check_group) {
                Ok(group) => listing.groups.push(group),
                Err(error) => listing.problems.push(error.to_string()),
            }
        }
        listing.songs.sort_by_cached_key(|song| (song.name.to_lowercase(), song.id.clone()));
        listing.groups.sort_by_cached_key(|group| group.name.to_lowercase());
        Ok(listing)
    }

    /// A song with its windows; none if the library does not have it.
    ///
    /// # Errors
    /// When its file cannot be read or used.
    pub fn song(&self, id: &SongId) -> Result<Option<SongProfile>> {
        let path = self.song_path(id);
        if !path.exists() {
            return Ok(None);
        }
        let profile: SongProfile = read(&path)?;
        profile.song.check()?;
        Ok(Some(profile))
    }

    /// Adds a song, or replaces it.
    ///
    /// # Errors
    /// When its file cannot be written.
    pub fn put_song(&self, profile: &SongProfile) -> Result<()> {
        write(&self.song_path(&profile.song.id), profile)
    }

    /// Removes a song. Groups keep its place, so that it is back when it is measured again.
    ///
    /// # Errors
    /// When its file exists and cannot be removed.
    pub fn remove_song(&self, id: &SongId) -> Result<()> {
        remove(&self.song_path(id))
    }

    /// Removes a group; its songs stay.
    ///
    /// # Errors
    /// When its file exists and cannot be removed.
    pub fn remove_group(&self, name: &str) -> Result<()> {
        remove(&self.group_path(name))
    }

    /// Changes a group, which is empty if it did not exist. Waits for other programs that do so.
    ///
    /// # Errors
    /// When its file cannot be written, or another program holds the lock for two seconds.
    pub fn change_group(&self, name: &str, change: impl FnOnce(&mut Group)) -> Result<Group> {
        let _held_until_the_end = self.lock()?;
        let path = self.group_path(name);
        // A damaged group is replaced: it cannot be used, and its songs are still in the library.
        let mut group = read::<Group>(&path).and_then(check_group).unwrap_or_else(|_| Group::new(name));
        change(&mut group);
        group.format = FORMAT;
        write(&path, &group)?;
        Ok(group)
    }

    /// These songs and groups, and the songs of the groups, in one value.
    ///
    /// # Errors
    /// When a file cannot be read or used.
    pub fn export(&self, songs: &[SongId], groups: &[Group]) -> Result<Archive> {
        let of_groups = groups.iter().flat_map(|group| group.members.iter().map(|member| &member.song));
        let ids: std::collections::BTreeSet<&SongId> = songs.iter().chain(of_groups).collect();
        let songs: Result<Vec<Option<SongProfile>>> = ids.into_iter().map(|id| self.song(id)).collect();
        Ok(Archive { format: FORMAT, songs: songs?.into_iter().flatten().collect(), groups: groups.to_vec() })
    }

    /// Adds what an archive contains. Songs that the same model has measured are left as they are; songs of a group are
    /// added to the group of that name.
    ///
    /// # Errors
    /// When the archive is of a newer version or has values that are not numbers, or when a file cannot be written.
    pub fn import(&self, archive: &Archive) -> Result<Imported> {
        check_format(archive.format)?;
        for profile in &archive.songs {
            check_format(profile.format)?;
            profile.song.check()?;
        }
        let mut imported = Imported::default();
        for profile in &archive.songs {
            let known = self.song(&profile.song.id).ok().flatten();
            if known.is_some_and(|known| known.song.model == profile.song.model) {
                imported.known += 1;
            } else {
                self.put_song(profile)?;
                imported.songs += 1;
            }
        }
        for group in &archive.groups {
            let group = check_group(group.clone())?;
            let mut is_new = false;
            self.change_group(&group.name, |present| {
                for member in &group.members {
                    if !present.members.iter().any(|known| known.song == member.song) {
                        present.put(member.song.clone(), member.weight);
                        is_new = true;
                    }
                }
            })?;
            imported.groups += usize::from(is_new);
        }
        Ok(imported)
    }

    fn songs_folder(&self) -> PathBuf {
        self.folder.join("songs")
    }

    fn groups_folder(&self) -> PathBuf {
        self.folder.join("groups")
    }

    fn song_path(&self, id: &SongId) -> PathBuf {
        self.songs_folder().join(format!("{id}.json"))
    }

    fn group_path(&self, name: &str) -> PathBuf {
        let name = Group::new(name).name.to_lowercase();
        self.groups_folder().join(format!("{:016x}.json", fnv1a(name.bytes())))
    }

    /// Takes the lock; it is free again when the file is dropped, or when the program ends.
    fn lock(&self) -> Result<File> {
        std::fs::create_dir_all(&self.folder).map_err(Error::io(&self.folder))?;
        let path = self.folder.join("lock");
        let file =
            File::options().create(true).truncate(false).write(true).open(&path).map_err(Error::io(&path))?;
        let started = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) if started.elapsed() < LOCK_BOUND => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(TryLockError::WouldBlock) => {
                    let held = std::io::Error::other("another program changes the references");
                    return Err(Error::io(&path)(held));
                }
                Err(TryLockError::Error(error)) => return Err(Error::io(&path)(error)),
            }
        }
    }
}

impl Listing {
    /// The song with this identifier.
    pub fn song(&self, id: &SongId) -> Option<&SongLevels> {
        self.songs.iter().find(|song| song.id == *id)
    }

    /// The group of this name, whatever its case.
    pub fn group(&self, name: &str) -> Option<&Group> {
        let name = Group::new(name).name.to_lowercase();
        self.groups.iter().find(|group| group.name.to_lowercase() == name)
    }

    /// The songs of a group that the library has, each with its weight in the group.
    pub fn members(&self, group: &Group) -> Vec<(&SongLevels, f32)> {
        group.members.iter().filter_map(|member| Some((self.song(&member.song)?, member.weight))).collect()
    }

    /// The target of a group; none if the library has none of its songs.
    pub fn target(&self, group: &Group) -> Option<Target> {
        Target::of(self.members(group))
    }
}

fn json_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io(folder)(error)),
    };
    let is_json = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "json");
    let mut files: Vec<PathBuf> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(is_json).take(MOST_FILES).collect();
    files.sort();
    Ok(files)
}

fn check_format(format: u32) -> Result<()> {
    if format > FORMAT {
        return Err(Error::Format("a newer version of MixingBuddy wrote these references".into()));
    }
    Ok(())
}

fn check_group(group: Group) -> Result<Group> {
    check_format(group.format)?;
    let mut checked = Group::new(&group.name);
    for member in group.members {
        if !WEIGHTS.contains(&member.weight) {
            return Err(Error::Format(format!("{}: has a weight that cannot be used", checked.name)));
        }
        checked.put(member.song, member.weight);
    }
    Ok(checked)
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T> {
    #[derive(Deserialize)]
    struct Version {
        format: u32,
    }
    let length = std::fs::metadata(path).map_err(Error::io(path))?.len();
    let unusable = |reason: String| Error::Format(format!("{}: {reason}", path.display()));
    if length > LONGEST_FILE {
        return Err(unusable(format!("takes {} MB and is not a reference", length >> 20)));
    }
    let bytes = std::fs::read(path).map_err(Error::io(path))?;
    let Version { format } = serde_json::from_slice(&bytes).map_err(|error| unusable(error.to_string()))?;
    check_format(format).map_err(|error| unusable(error.to_string()))?;
    serde_json::from_slice(&bytes).map_err(|error| unusable(error.to_string()))
}

fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io(path)(error)),
        _ => Ok(()),
    }
}
