//! Which language model the user chose, for all projects.
//!
//! A file of JSON, `model.json`, in the folder that `MIXING_BUDDY_DATA` names, else in the platform's folder for settings
//! (`~/.config/mixing-buddy` on Linux). The command line writes it, and whoever loads a model reads it. Without the file the
//! choice is the compact model.

use crate::error::{Error, Result};
use crate::profile::library::FOLDER_VARIABLE;
use crate::replace::write_json;
use etcetera::BaseStrategy;
use serde::{Deserialize, Serialize};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Version of the file. A newer one is refused, not guessed.
const FORMAT: u32 = 1;
/// Longest file in bytes. It holds a name and two paths.
const LONGEST_FILE: u64 = 1 << 16;
/// Name of the built-in model.
pub const COMPACT: &str = "compact";

/// The chosen model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ModelChoice {
    /// The built-in model.
    #[default]
    Compact,
    /// A pretrained Qwen2 with an adapter.
    Large(LargeChoice),
}

/// A chosen large model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LargeChoice {
    /// Name for the user: of a known model, or of the file.
    pub name: String,
    /// The base: what [`Checkpoint::open`](crate::qwen2::Checkpoint::open) takes. It was there when it was chosen.
    pub file: PathBuf,
    /// An adapter of the user's own; the shipped one if there is none.
    pub adapter: Option<PathBuf>,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    format: u32,
    model: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    file: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    adapter: Option<PathBuf>,
}

impl ModelChoice {
    /// The user's file, which need not exist.
    ///
    /// # Errors
    /// When the user has no home folder.
    pub fn path_of_user() -> Result<PathBuf> {
        if let Some(folder) = std::env::var_os(FOLDER_VARIABLE).filter(|folder| !folder.is_empty()) {
            return Ok(PathBuf::from(folder).join("model.json"));
        }
        let strategy = etcetera::base_strategy::choose_native_strategy()
            .map_err(|error| Error::Format(format!("there is no folder for settings: {error}")))?;
        Ok(strategy.config_dir().join("mixing-buddy").join("model.json"))
    }

    /// Reads a file; one that does not exist is the compact model.
    ///
    /// # Errors
    /// When it cannot be read, is damaged, or a newer version wrote it.
    pub fn read(path: &Path) -> Result<Self> {
        let unusable = |reason: String| Error::Format(format!("{}: {reason}", path.display()));
        match std::fs::metadata(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(ModelChoice::Compact),
            Err(error) => return Err(Error::io(path)(error)),
            Ok(about) if about.len() > LONGEST_FILE => {
                return Err(unusable("is no choice of a model".into()));
            }
            Ok(_) => {}
        }
        let bytes = std::fs::read(path).map_err(Error::io(path))?;
        let stored: Stored = serde_json::from_slice(&bytes).map_err(|error| unusable(error.to_string()))?;
        if stored.format > FORMAT {
            return Err(unusable("a newer version of MixingBuddy wrote this choice of a model".into()));
        }
        match (stored.model, stored.file) {
            (name, None) if name == COMPACT => Ok(ModelChoice::Compact),
            (name, Some(file)) if name != COMPACT => {
                Ok(ModelChoice::Large(LargeChoice { name, file, adapter: stored.adapter }))
            }
            (name, _) => Err(unusable(format!("names the model '{name}' in a way that does not fit"))),
        }
    }

    /// Writes the file beside and renames it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let stored = match self {
            ModelChoice::Compact => {
                Stored { format: FORMAT, model: COMPACT.into(), file: None, adapter: None }
            }
            ModelChoice::Large(large) => Stored {
                format: FORMAT,
                model: large.name.clone(),
                file: Some(large.file.clone()),
                adapter: large.adapter.clone(),
            },
        };
        write_json(path, &stored)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_kept_and_what_cannot_be_read_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/model.json");
        assert_eq!(ModelChoice::read(&path).unwrap(), ModelChoice::Compact);
        let large = LargeChoice {
            name: "qwen2-0.5b".into(),
            file: "/models/base.gguf".into(),
            adapter: Some("/models/adapter.safetensors".into()),
        };
        for choice in [ModelChoice::Large(large), ModelChoice::Compact] {
            choice.write(&path).unwrap();
            assert_eq!(ModelChoice::read(&path).unwrap(), choice);
        }
        for (text, word) in [
            ("{", "EOF"),
            (r#"{"format": 2, "model": "compact"}"#, "newer version"),
            (r#"{"format": 1, "model": "qwen2-0.5b"}"#, "does not fit"),
            (r#"{"format": 1, "model": "compact", "file": "x"}"#, "does not fit"),
        ] {
            std::fs::write(&path, text).unwrap();
            let message = ModelChoice::read(&path).unwrap_err().to_string();
            assert!(message.contains("model.json") && message.contains(word), "{message}");
        }
    }
}
