//! Looking into folders: sorted, without hidden entries, paths below the root.

use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// Files with these endings are taken for sound.
const SOUND_EXTENSIONS: [&str; 13] =
    ["wav", "wave", "flac", "mp3", "ogg", "oga", "m4a", "mp4", "aac", "alac", "aif", "aiff", "caf"];

/// What `root/below` holds, sorted, as paths below `root`; hidden entries are left out.
pub(super) fn entries(root: &Path, below: &Path) -> Result<Vec<PathBuf>> {
    let dir = root.join(below);
    let mut paths = Vec::new();
    let read = std::fs::read_dir(&dir).with_context(|| format!("{} cannot be read", dir.display()))?;
    for entry in read {
        let name = entry.with_context(|| format!("{} cannot be read", dir.display()))?.file_name();
        if !name.to_string_lossy().starts_with('.') {
            paths.push(below.join(name));
        }
    }
    paths.sort();
    Ok(paths)
}

/// The folders in `root/below`.
pub(super) fn folders(root: &Path, below: &Path) -> Result<Vec<PathBuf>> {
    let mut paths = entries(root, below)?;
    paths.retain(|path| root.join(path).is_dir());
    Ok(paths)
}

/// All sound files at any depth in `root/below`. Links to folders are not followed, so that there is no circle.
pub(super) fn sound_files(root: &Path, below: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in entries(root, below)? {
        let kind = std::fs::symlink_metadata(root.join(&path));
        if kind.is_ok_and(|about| about.is_dir()) {
            found.extend(sound_files(root, &path)?);
        } else if is_sound(&path) && root.join(&path).is_file() {
            found.push(path);
        }
    }
    Ok(found)
}

pub(super) fn is_sound(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    SOUND_EXTENSIONS.contains(&extension.as_str())
}

/// A path's last part as text.
pub(super) fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// The part of a path's last part before its ending, as text.
pub(super) fn stem_of(path: &Path) -> String {
    path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// Reads a YAML file.
pub(super) fn read_yaml<T: serde::de::DeserializeOwned>(root: &Path, path: &Path) -> Result<T> {
    let place = root.join(path);
    let text =
        std::fs::read_to_string(&place).with_context(|| format!("{} cannot be read", place.display()))?;
    serde_saphyr::from_str(&text).map_err(|cause| {
        // Of a report with an excerpt of the file only its first line is a sentence.
        let cause = cause.to_string();
        anyhow::anyhow!(
            "{} cannot be understood: {}",
            path.display(),
            cause.lines().next().unwrap_or_default()
        )
    })
}
