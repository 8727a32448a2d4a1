//! Checkpoints: weights, optimiser state and step in one safetensors file, written beside and renamed.

use super::optimizer::AdamW;
use crate::files;
use anyhow::{Context, Result, ensure};
use candle_core::{Device, Tensor};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// Writes named tensors with text metadata.
///
/// # Errors
/// When the disk is full or the folder cannot be written; a file that was there before is then untouched.
pub fn save_tensors(
    path: &Path,
    tensors: &BTreeMap<String, Tensor>,
    metadata: &[(&str, String)],
) -> Result<()> {
    let metadata: HashMap<String, String> =
        metadata.iter().map(|(k, v)| (k.to_string(), v.clone())).collect();
    let bytes = safetensors::serialize(tensors.iter().map(|(k, t)| (k.as_str(), t)), Some(metadata))
        .with_context(|| format!("{} cannot be written", path.display()))?;
    files::replace(path, bytes)
}

/// Reads named tensors and their metadata.
///
/// # Errors
/// When the file is missing or damaged.
pub fn load_tensors(path: &Path) -> Result<(BTreeMap<String, Tensor>, HashMap<String, String>)> {
    let bytes = std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let (_, head) = safetensors::SafeTensors::read_metadata(&bytes)
        .with_context(|| format!("{} is damaged", path.display()))?;
    let tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu)
        .with_context(|| format!("{} is damaged", path.display()))?;
    Ok((tensors.into_iter().collect(), head.metadata().clone().unwrap_or_default()))
}

/// Saves a run's state.
///
/// # Errors
/// As [`save_tensors`].
pub fn save_run(path: &Path, optimizer: &AdamW, config: &str) -> Result<()> {
    let step = optimizer.steps_taken().to_string();
    save_tensors(path, &optimizer.state()?, &[("step", step), ("config", config.to_string())])
}

/// Takes up a run's state; returns the steps taken.
///
/// # Errors
/// When the file is damaged, or of another architecture or configuration.
pub fn resume_run(path: &Path, optimizer: &mut AdamW, config: &str) -> Result<usize> {
    let (state, metadata) = load_tensors(path)?;
    let step: usize = metadata
        .get("step")
        .and_then(|step| step.parse().ok())
        .with_context(|| format!("{} does not say at which step it was written", path.display()))?;
    ensure!(
        metadata.get("config").is_some_and(|saved| saved == config),
        "{} was written with another configuration; resume with the config.toml beside it, or start in a new folder",
        path.display()
    );
    optimizer.restore(&state, step).with_context(|| path.display().to_string())?;
    Ok(step)
}
