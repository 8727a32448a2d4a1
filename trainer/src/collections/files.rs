//! Looking into folders: sorted, without hidden entries; which files hold sound.

use super::error::SongError;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// Files with these endings, in any case, are sound files: what [`mixing_buddy_core::audio`] decodes.
const SOUND_EXTENSIONS: [&str; 13] =
    ["wav", "wave", "flac", "mp3", "ogg", "oga", "m4a", "mp4", "aac", "alac", "aif", "aiff", "caf"];

/// Whether a file's ending is that of a sound file.
pub(super) fn is_sound(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    SOUND_EXTENSIONS.contains(&extension.as_str())
}

/// What `root/below` holds, sorted, as paths below `root`; hidden entries are left out.
pub(super) fn entries(root: &Path, below: &Path) -> Result<Vec<PathBuf>, SongError> {
    let dir = root.join(below);
    let failed = |cause| SongError::Io { path: dir.clone(), cause };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(&dir).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        if !name.to_string_lossy().starts_with('.') {
            paths.push(below.join(name));
        }
    }
    paths.sort();
    Ok(paths)
}

/// The folders in `root/below`, links to folders included.
pub(super) fn folders(root: &Path, below: &Path) -> Result<Vec<PathBuf>, SongError> {
    let mut paths = entries(root, below)?;
    paths.retain(|path| root.join(path).is_dir());
    Ok(paths)
}

/// All files at any depth in `root/below`. Links to folders are not followed, so that the search ends.
pub(super) fn files_at_any_depth(root: &Path, below: &Path) -> Result<Vec<PathBuf>, SongError> {
    let mut found = Vec::new();
    for path in entries(root, below)? {
        let kind = std::fs::symlink_metadata(root.join(&path));
        if kind.is_ok_and(|about| about.is_dir()) {
            found.extend(files_at_any_depth(root, &path)?);
        } else if root.join(&path).is_file() {
            found.push(path);
        }
    }
    Ok(found)
}

/// All sound files at any depth in `root/below`, as [`files_at_any_depth`].
pub(super) fn sound_files(root: &Path, below: &Path) -> Result<Vec<PathBuf>, SongError> {
    let mut found = files_at_any_depth(root, below)?;
    found.retain(|path| is_sound(path));
    Ok(found)
}

/// A path as metadata states it, as a path below a folder; none where it is empty or leads out of the folder (it is
/// absolute, of any system, or has `..`): such a path is that of another machine.
pub(super) fn stated_path(stated: &str) -> Option<PathBuf> {
    let parts: Vec<&str> = stated.split(['/', '\\']).collect();
    let is_absolute = parts[0].is_empty() || parts[0].ends_with(':');
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty() && *part != ".").collect();
    let leads_out = is_absolute || parts.contains(&"..");
    (!leads_out && !parts.is_empty()).then(|| parts.iter().collect())
}

/// Whether two paths below `root` lead to the same file or folder.
pub(super) fn is_same(root: &Path, a: &Path, b: &Path) -> bool {
    let real = |path: &Path| root.join(path).canonicalize();
    a == b || matches!((real(a), real(b)), (Ok(a), Ok(b)) if a == b)
}

/// Whether a path is a link.
pub(super) fn is_link(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|about| about.is_symlink())
}

/// A path's last part as text.
pub(super) fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// A path's last part without its ending, as text.
pub(super) fn name_without_ending(path: &Path) -> String {
    path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// Reads a YAML file.
pub(super) fn read_yaml<T: serde::de::DeserializeOwned>(root: &Path, path: &Path) -> Result<T> {
    let place = root.join(path);
    let text =
        std::fs::read_to_string(&place).with_context(|| format!("{} cannot be read", place.display()))?;
    parse_yaml(&text).with_context(|| format!("{} cannot be understood", path.display()))
}

/// Reads the text of a YAML file. What aliases may grow to is bounded by the parser.
pub(super) fn parse_yaml<T: serde::de::DeserializeOwned>(text: &str) -> Result<T> {
    serde_saphyr::from_str(text).map_err(|cause| {
        // The report goes on with an excerpt of the file; its first line is the sentence.
        anyhow::anyhow!("{}", cause.to_string().lines().next().unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_other_machines_are_not_followed() {
        for (stated, path) in [
            ("stems", Some("stems")),
            ("./A/stems/", Some("A/stems")),
            ("A\\stems", Some("A/stems")),
            ("/Volumes/x/stems", None),
            ("C:\\data\\stems", None),
            ("../stems", None),
            ("", None),
            (".", None),
        ] {
            assert_eq!(stated_path(stated), path.map(PathBuf::from), "{stated}");
        }
    }
}
