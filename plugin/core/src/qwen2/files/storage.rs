//! The bytes of a weight file: mapped from disk, or in memory.

use crate::error::{Error, Result};
use memmap2::Mmap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

enum Bytes {
    Mapped(Mmap),
    Owned(Vec<u8>),
}

/// A weight file. Tensors are parts of it, so it stays open as long as one of them is in use.
///
/// A mapped file must not be shortened while it is in use: the system then ends the process that reads the missing part.
/// Who replaces a model file writes a new file and renames it.
pub struct Storage {
    path: PathBuf,
    bytes: Bytes,
}

impl Storage {
    /// Maps a file: pages are read when they are used, and all processes share them.
    ///
    /// # Errors
    /// When it cannot be opened or mapped, or is empty or no regular file.
    pub fn map(path: &Path) -> Result<Arc<Self>> {
        let file = File::open(path).map_err(Error::io(path))?;
        let about = file.metadata().map_err(Error::io(path))?;
        if !about.is_file() || about.len() == 0 {
            return Err(Error::model(path, if about.is_file() { "is empty" } else { "is not a file" }));
        }
        // SAFETY: see the type's documentation; the mapping is read-only and private.
        let map = unsafe { Mmap::map(&file) }.map_err(Error::io(path))?;
        Ok(Arc::new(Storage { path: path.to_path_buf(), bytes: Bytes::Mapped(map) }))
    }

    /// Bytes in memory; `name` is for messages.
    pub fn owned(name: &Path, bytes: Vec<u8>) -> Arc<Self> {
        Arc::new(Storage { path: name.to_path_buf(), bytes: Bytes::Owned(bytes) })
    }

    /// The file, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All bytes.
    pub fn bytes(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Mapped(map) => map,
            Bytes::Owned(bytes) => bytes,
        }
    }

    /// A part of the file; none where it would end behind the file.
    pub fn span(self: &Arc<Self>, start: usize, length: usize) -> Option<Span> {
        let end = start.checked_add(length)?;
        (end <= self.bytes().len()).then(|| Span { storage: self.clone(), start, length })
    }

    /// An error that names this file.
    pub fn fail(&self, reason: impl Into<String>) -> Error {
        Error::model(&self.path, reason)
    }
}

/// A part of a weight file.
#[derive(Clone)]
pub struct Span {
    storage: Arc<Storage>,
    start: usize,
    length: usize,
}

impl Span {
    /// The bytes of the part.
    pub fn bytes(&self) -> &[u8] {
        // `Storage::span` has checked the bounds, and neither a mapping nor a vector changes its length.
        &self.storage.bytes()[self.start..self.start + self.length]
    }
}
