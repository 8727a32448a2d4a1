//! The adapter's file: half precision, PEFT's names, the base's fingerprint.

use crate::train::optimizer::AdamW;
use crate::train::tuning::ModelConfigs;
use crate::weights::{Tensors, save_tensors};
use anyhow::{Context, Result};
use candle_core::DType;
use mixing_buddy_core::large::About;
use mixing_buddy_core::large::package::{ABOUT_KEY, PROJECTOR_PREFIX};
use mixing_buddy_core::qwen2::Fingerprint;
use mixing_buddy_core::qwen2::adapter::{BASE_KEY, PREFIX, SCALE_KEY};
use std::path::Path;

/// Writes adapter and projector with their averaged weights.
///
/// # Errors
/// When a weight is not a number, or the disk is full.
pub fn save_package(
    path: &Path,
    optimizer: &AdamW,
    configs: &ModelConfigs,
    base: &Fingerprint,
    about: &About,
) -> Result<()> {
    let mut tensors = Tensors::new();
    for (name, tensor) in optimizer.averaged()? {
        let tensor = tensor.to_dtype(DType::F16)?;
        let name = match name.strip_prefix("decoder.") {
            Some(name) => format!("{PREFIX}{name}"),
            None => name,
        };
        debug_assert!(name.starts_with(PREFIX) || name.starts_with(PROJECTOR_PREFIX));
        tensors.insert(name, tensor);
    }
    let base = base.to_json().map_err(anyhow::Error::msg).context("the base's fingerprint")?;
    let scale = configs.lora.alpha / configs.lora.rank as f64;
    let metadata =
        [(SCALE_KEY, scale.to_string()), (BASE_KEY, base), (ABOUT_KEY, serde_json::to_string(about)?)];
    save_tensors(path, &tensors, &metadata)
}
