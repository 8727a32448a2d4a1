//! Temporary files: one folder for each server, one for each song in it.
//!
//! No name of a client is ever part of a path. A server's folder holds a file that the server keeps locked. The system drops
//! the lock when the server ends, however it ends, so that the next one can tell folders without a server and remove them.

use std::fs::{DirBuilder, File};
use std::io::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const LOCK: &str = "lock";

/// The temporary files of a server. They are removed when it is dropped.
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
    /// Locked for as long as the server lives.
    _lock: File,
    most_bytes: u64,
    used_bytes: AtomicU64,
    next: AtomicU64,
}

impl Store {
    /// Makes a server's folder below `temporary`, after it has removed those of servers that live no more.
    ///
    /// # Errors
    /// When a folder cannot be made, or belongs to somebody else.
    pub fn open(temporary: &Path, most_bytes: u64) -> Result<Arc<Store>> {
        let base = temporary.join(base_name());
        make_private(&base).or_else(|error| match error.kind() {
            ErrorKind::AlreadyExists => check_ours(&base),
            _ => Err(error),
        })?;
        // Two servers that start at once must not take each other's folder for one of the dead.
        let starting = File::create(base.join(LOCK))?;
        starting.lock()?;
        clean(&base);
        let root = base.join(format!("{:016x}", rand::random::<u64>()));
        make_private(&root)?;
        let lock = File::create(root.join(LOCK))?;
        lock.lock()?;
        let (used_bytes, next) = (AtomicU64::new(0), AtomicU64::new(0));
        Ok(Arc::new(Store { root, _lock: lock, most_bytes, used_bytes, next }))
    }

    /// The server's folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Bytes that are in use.
    #[cfg(test)]
    pub fn used_bytes(&self) -> u64 {
        self.used_bytes.load(Ordering::Acquire)
    }

    /// Makes a folder for a song.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn folder(self: &Arc<Self>) -> Result<Folder> {
        let path = self.root.join(self.next.fetch_add(1, Ordering::AcqRel).to_string());
        make_private(&path)?;
        Ok(Folder { path, store: Arc::clone(self), bytes: AtomicU64::new(0) })
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // What cannot be removed now is removed when the next server starts.
        let _ = std::fs::remove_dir_all(&self.root);
    }
}

/// The files of a song. They are removed when it is dropped.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    store: Arc<Store>,
    bytes: AtomicU64,
}

impl Folder {
    /// The path of a file in it. `name` is one of ours.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Takes room for a file's bytes; false where no room is left.
    pub fn take(&self, bytes: u64) -> bool {
        let store = &self.store;
        let has_room = store.used_bytes.fetch_update(Ordering::AcqRel, Ordering::Acquire, |used| {
            used.checked_add(bytes).filter(|used| *used <= store.most_bytes)
        });
        if has_room.is_ok() {
            self.bytes.fetch_add(bytes, Ordering::AcqRel);
        }
        has_room.is_ok()
    }

    /// Gives back room that was taken.
    pub fn give_back(&self, bytes: u64) {
        self.bytes.fetch_sub(bytes, Ordering::AcqRel);
        self.store.used_bytes.fetch_sub(bytes, Ordering::AcqRel);
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
        self.store.used_bytes.fetch_sub(*self.bytes.get_mut(), Ordering::AcqRel);
    }
}

/// Removes the folders of servers that live no more.
fn clean(base: &Path) {
    let Ok(entries) = std::fs::read_dir(base) else { return };
    for folder in entries.filter_map(|entry| entry.ok()).map(|entry| entry.path()) {
        let Ok(lock) = File::open(folder.join(LOCK)) else { continue };
        if lock.try_lock().is_ok() {
            let _ = std::fs::remove_dir_all(&folder);
        }
    }
}

#[cfg(unix)]
fn base_name() -> String {
    // SAFETY: it reads a number of the process and cannot fail.
    format!("mixing-buddy-serve-{}", unsafe { libc::geteuid() })
}

#[cfg(not(unix))]
fn base_name() -> String {
    "mixing-buddy-serve".into()
}

/// Makes a folder that nobody else can read.
fn make_private(path: &Path) -> Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// A folder for all to write may hold one of the expected name that somebody else has made, or a link.
fn check_ours(path: &Path) -> Result<()> {
    let about = std::fs::symlink_metadata(path)?;
    #[cfg(unix)]
    let is_ours = {
        use std::os::unix::fs::MetadataExt;
        // SAFETY: as above.
        about.uid() == unsafe { libc::geteuid() } && about.mode() & 0o077 == 0
    };
    #[cfg(not(unix))]
    let is_ours = true;
    if about.is_dir() && is_ours {
        return Ok(());
    }
    Err(Error::new(ErrorKind::PermissionDenied, "it is no private folder of this user"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_dead_servers_are_removed_and_those_of_living_ones_stay() {
        let temporary = tempfile::tempdir().unwrap();
        let living = Store::open(temporary.path(), 100).unwrap();
        let folder = living.folder().unwrap();
        std::fs::write(folder.file("song"), "sound").unwrap();
        // A server that was killed: its folder is there, and nobody holds its lock.
        let dead = living.root().with_file_name("dead");
        std::fs::create_dir_all(dead.join("0")).unwrap();
        std::fs::write(dead.join(LOCK), "").unwrap();
        let next = Store::open(temporary.path(), 100).unwrap();
        assert!(!dead.exists() && folder.file("song").exists());
        let song = folder.file("song");
        drop(folder);
        assert!(!song.exists());
        let roots = [living.root().to_path_buf(), next.root().to_path_buf()];
        drop((living, next));
        assert!(roots.iter().all(|root| !root.exists()));
    }

    #[test]
    fn room_is_bounded_and_comes_back() {
        let temporary = tempfile::tempdir().unwrap();
        let store = Store::open(temporary.path(), 100).unwrap();
        let (one, two) = (store.folder().unwrap(), store.folder().unwrap());
        assert!(one.take(60) && !two.take(41) && two.take(40));
        one.give_back(10);
        assert_eq!(store.used_bytes(), 90);
        drop((one, two));
        assert_eq!(store.used_bytes(), 0);
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let temporary = tempfile::tempdir().unwrap();
        let base = temporary.path().join(base_name());
        std::fs::create_dir(&base).unwrap();
        std::fs::set_permissions(&base, std::fs::Permissions::from_mode(0o777)).unwrap();
        assert_eq!(Store::open(temporary.path(), 1).unwrap_err().kind(), ErrorKind::PermissionDenied);
    }
}
