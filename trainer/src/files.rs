//! Files that are never half-written.

use anyhow::{Context, Result};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

/// Writes a file beside `path` and renames it: whatever goes wrong, what was there before still stands.
///
/// # Errors
/// When the disk is full or the folder cannot be written.
pub fn replace_with(path: &Path, write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".tmp");
    let temporary = path.with_file_name(name);
    let attempt = || -> std::io::Result<()> {
        let mut file = BufWriter::new(File::create(&temporary)?);
        write(&mut file)?;
        file.into_inner()?.sync_all()?;
        std::fs::rename(&temporary, path)
    };
    attempt()
        .inspect_err(|_| {
            // A half-written file helps nobody.
            let _ = std::fs::remove_file(&temporary);
        })
        .with_context(|| format!("{} cannot be written", path.display()))
}

/// [`replace_with`] for bytes at hand.
///
/// # Errors
/// As [`replace_with`].
pub fn replace(path: &Path, bytes: impl AsRef<[u8]>) -> Result<()> {
    replace_with(path, |file| file.write_all(bytes.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("weights");
        replace(&path, "old").unwrap();
        let full = |file: &mut dyn Write| {
            file.write_all(b"half")?;
            Err(std::io::Error::from(std::io::ErrorKind::StorageFull))
        };
        let sentence = format!("{:#}", replace_with(&path, full).unwrap_err());
        assert!(sentence.contains("weights cannot be written"), "{sentence}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
