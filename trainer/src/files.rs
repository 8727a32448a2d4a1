//! Files that are never half written.

use anyhow::{Context, Result};
use std::io::{BufWriter, Write};
use std::path::Path;

/// Writes a file next to `path` and renames it: whatever fails, what was there before is still there.
///
/// # Errors
/// When the disk is full or the folder cannot be written.
pub fn replace_with(path: &Path, write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Result<()> {
    let mut prefix = path.file_name().unwrap_or_default().to_os_string();
    prefix.push(".");
    let attempt = || -> std::io::Result<()> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix).suffix(".tmp");
        // As of any new file; without this, others could not read it.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        // It is removed when it goes out of scope before it is renamed.
        let mut file = BufWriter::new(builder.tempfile_in(path.parent().unwrap_or(Path::new("")))?);
        write(&mut file)?;
        let file = file.into_inner()?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    attempt().with_context(|| format!("{} cannot be written", path.display()))
}

/// As [`replace_with`], for bytes in memory.
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

    #[test]
    #[cfg(unix)]
    fn a_replaced_file_may_be_read_by_those_who_may_read_a_new_one() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let mode = |name: &str| std::fs::metadata(dir.path().join(name)).unwrap().permissions().mode();
        std::fs::write(dir.path().join("new"), "").unwrap();
        replace(&dir.path().join("replaced"), "").unwrap();
        assert_eq!(mode("replaced"), mode("new"));
    }
}
