//! The hub's folder on this computer, in the layout of its own programs, so that a file is fetched and stored once for all.
//!
//! ```text
//! models--OWNER--NAME/blobs/SHA256          the content
//! models--OWNER--NAME/blobs/SHA256.part     what is fetched of it so far
//! models--OWNER--NAME/snapshots/COMMIT/FILE a link to the content
//! models--OWNER--NAME/refs/main             the newest commit known
//! .locks/models--OWNER--NAME/SHA256.lock    held while the content is fetched
//! ```

use super::catalogue::Address;
use anyhow::{Context, Result};
use hf_hub::{Cache, CacheRepo, Repo};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

/// The hub's folder.
pub struct Store {
    cache: Cache,
}

/// For messages.
fn cannot(what: &str, path: &Path) -> String {
    format!("{} cannot be {what}", path.display())
}

impl Store {
    /// The store in a folder, which need not exist.
    pub fn at(folder: PathBuf) -> Self {
        Store { cache: Cache::new(folder) }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        self.cache.path()
    }

    fn repository(&self, address: &Address) -> CacheRepo {
        self.cache.model(address.repository.clone())
    }

    /// The file, if it was fetched; that of the newest commit known first.
    pub fn find(&self, address: &Address) -> Option<PathBuf> {
        let newest = self.repository(address).get(&address.file);
        // Exists means that the link leads to a file.
        newest.or_else(|| self.pointers(address).into_iter().find(|path| path.exists()))
    }

    /// The file's places in all commits that were fetched, also where the link leads nowhere.
    fn pointers(&self, address: &Address) -> Vec<PathBuf> {
        let snapshots = self.repository(address).pointer_path("");
        let commits = std::fs::read_dir(snapshots).into_iter().flatten().flatten();
        let mut paths: Vec<PathBuf> = commits
            .map(|commit| commit.path().join(&address.file))
            .filter(|path| path.symlink_metadata().is_ok())
            .collect();
        paths.sort();
        paths
    }

    /// Where content with this checksum lies.
    pub fn content(&self, address: &Address, sha256: &str) -> PathBuf {
        self.repository(address).blob_path(sha256)
    }

    /// Where it lies until it is whole.
    pub fn part(&self, address: &Address, sha256: &str) -> PathBuf {
        self.content(address, sha256).with_extension("part")
    }

    /// The lock on content. It is free again when the file is dropped, or when the program ends.
    ///
    /// # Errors
    /// When the lock's file cannot be made.
    pub fn lock(&self, address: &Address, sha256: &str) -> Result<Option<File>> {
        let folder = self.folder().join(".locks").join(Repo::model(address.repository.clone()).folder_name());
        std::fs::create_dir_all(&folder).with_context(|| cannot("made", &folder))?;
        let path = folder.join(format!("{sha256}.lock"));
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let file = file.with_context(|| cannot("opened", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(cause)) => Err(cause).with_context(|| cannot("locked", &path)),
        }
    }

    /// Makes the folder of content.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn prepare(&self, address: &Address) -> Result<()> {
        let folder = self.repository(address).blob_path("");
        std::fs::create_dir_all(&folder).with_context(|| cannot("made", &folder))
    }

    /// Gives whole content its name, and its place in the commit. Returns the place.
    ///
    /// # Errors
    /// When a file cannot be renamed or a link cannot be made.
    pub fn keep(&self, address: &Address, sha256: &str, commit: &str) -> Result<PathBuf> {
        let (part, content) = (self.part(address, sha256), self.content(address, sha256));
        if part.exists() {
            std::fs::rename(&part, &content).with_context(|| cannot("renamed", &part))?;
        }
        let repository = self.repository(address);
        let pointer = repository.pointer_path(commit).join(&address.file);
        let folder = pointer.parent().unwrap_or(&pointer);
        std::fs::create_dir_all(folder).with_context(|| cannot("made", folder))?;
        link(&content, &pointer, address.file.split('/').count() + 1)
            .with_context(|| cannot("made", &pointer))?;
        repository.create_ref(commit).with_context(|| cannot("written", &repository.pointer_path(commit)))?;
        Ok(pointer)
    }

    /// Removes a file from all commits, with its content and what was fetched of it. Returns the freed bytes; none if nothing
    /// was there.
    ///
    /// # Errors
    /// When something cannot be removed, or another program fetches it.
    pub fn remove(&self, address: &Address) -> Result<Option<u64>> {
        let blobs = self.repository(address).blob_path("");
        let pointers = self.pointers(address);
        let mut contents: Vec<PathBuf> =
            pointers.iter().filter_map(|pointer| pointer.canonicalize().ok()).collect();
        if let Some((_, sha256)) = address.known.and_then(|known| known.tested) {
            contents.extend([self.content(address, sha256), self.part(address, sha256)]);
        }
        contents.sort();
        contents.dedup();
        let blobs = blobs.canonicalize().unwrap_or(blobs);
        let mut locks = Vec::new();
        for content in &contents {
            let Some(sha256) = content.file_stem().and_then(|name| name.to_str()) else { continue };
            if content.extension().is_none() && content.starts_with(&blobs) {
                let lock = self.lock(address, sha256)?;
                locks.push(lock.with_context(|| format!("another program fetches {}", address.name))?);
            }
        }
        let mut freed = None;
        for path in pointers.iter().chain(&contents) {
            let Ok(about) = path.symlink_metadata() else { continue };
            std::fs::remove_file(path).with_context(|| cannot("removed", path))?;
            let bytes = if about.is_file() { about.len() } else { 0 };
            freed = Some(freed.unwrap_or(0) + bytes);
        }
        Ok(freed)
    }
}

/// A relative link, so that the folder can be moved; where links are not allowed, a second name of the same file. `depth` is
/// the number of folders from the link up to that of the repository.
fn link(content: &Path, pointer: &Path, depth: usize) -> std::io::Result<()> {
    if pointer.canonicalize().ok() == content.canonicalize().ok() {
        return Ok(());
    }
    let beside = pointer.with_extension("link");
    let _none_is_left_over = std::fs::remove_file(&beside);
    let name = content.file_name().unwrap_or(content.as_os_str());
    let target = PathBuf::from("../".repeat(depth)).join("blobs").join(name);
    #[cfg(unix)]
    let linked = std::os::unix::fs::symlink(&target, &beside);
    #[cfg(windows)]
    let linked = std::os::windows::fs::symlink_file(&target, &beside);
    linked.or_else(|_| std::fs::hard_link(content, &beside))?;
    std::fs::rename(&beside, pointer)
}
