//! Checkpoints: weights, optimizer state and step in one safetensors file. A temporary file is written and renamed, so
//! that a crash leaves the last checkpoint whole.

use super::optimizer::AdamW;
use crate::weights::{load_tensors, save_tensors};
use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::time::Duration;

/// Saves the state of a run.
///
/// # Errors
/// As [`save_tensors`].
pub fn save_run(path: &Path, optimizer: &AdamW, config: &str, spent: Duration) -> Result<()> {
    let (step, seconds) = (optimizer.steps_taken().to_string(), spent.as_secs().to_string());
    let metadata = [("step", step), ("seconds", seconds), ("config", config.to_string())];
    save_tensors(path, &optimizer.state()?, &metadata)
}

/// Restores the state of a run; returns the steps taken and the time that they took.
///
/// # Errors
/// When the file is damaged, or of another architecture or configuration.
pub fn resume_run(path: &Path, optimizer: &mut AdamW, config: &str) -> Result<(usize, Duration)> {
    let (state, metadata) = load_tensors(path)?;
    let step: usize = metadata
        .get("step")
        .and_then(|step| step.parse().ok())
        .with_context(|| format!("{} does not state at which step it was written", path.display()))?;
    ensure!(
        metadata.get("config").is_some_and(|saved| saved == config),
        "{} was written with another configuration; resume with the config.toml next to it, or start in a new folder",
        path.display()
    );
    optimizer.restore(&state, step).with_context(|| path.display().to_string())?;
    // Checkpoints of earlier versions do not state the time.
    let seconds = metadata.get("seconds").and_then(|seconds| seconds.parse().ok()).unwrap_or(0);
    Ok((step, Duration::from_secs(seconds)))
}
