//! The adapter that ships, and the large model that the user chose.

use super::model::LargeModel;
use super::package::Package;
use crate::error::{Error, Result};
use crate::model_choice::{LargeChoice, ModelChoice};
use std::path::Path;

/// The adapter for Qwen2.5-Coder-0.5B-Instruct, as the bytes of its file.
pub const SHIPPED_ADAPTER: &[u8] = include_bytes!("../../../../assets/qwen2-0.5b/adapter.safetensors");

/// What stands for the shipped adapter in messages.
pub const SHIPPED_ADAPTER_NAME: &str = "the shipped adapter";

impl LargeModel {
    /// The shipped adapter.
    ///
    /// # Errors
    /// When its bytes are damaged.
    pub fn shipped_package() -> Result<Package> {
        Package::from_bytes(SHIPPED_ADAPTER).map_err(|reason| Error::model(SHIPPED_ADAPTER_NAME, reason))
    }

    /// The large model that a file of the user's choice names; none where the choice is the compact one.
    ///
    /// # Errors
    /// As [`ModelChoice::read`] and [`LargeModel::open`].
    pub fn of_choice_file(path: &Path) -> Result<Option<Self>> {
        match ModelChoice::read(path)? {
            ModelChoice::Compact => Ok(None),
            ModelChoice::Large(choice) => Self::of_choice(&choice).map(Some),
        }
    }

    /// Opens the model that the user chose, with the user's adapter or the shipped one.
    ///
    /// # Errors
    /// As [`LargeModel::open`].
    pub fn of_choice(choice: &LargeChoice) -> Result<Self> {
        match &choice.adapter {
            Some(path) => Self::open(&choice.file, (path, Package::open(path)?)),
            None => Self::open(&choice.file, (Path::new(SHIPPED_ADAPTER_NAME), Self::shipped_package()?)),
        }
    }
}
