//! Checkpoints: weights, optimiser state and step in one safetensors file, written beside and renamed.

use super::calibrate::field;
use super::optimizer::AdamW;
use crate::files;
use anyhow::{Context, Result, ensure};
use candle_core::{Device, Tensor};
use mixing_buddy_core::CancelFlag;
use mixing_buddy_core::bundle::Bundle;
use mixing_buddy_core::encoder::Encoder;
use mixing_buddy_core::features::FeatureSettings;
use mixing_buddy_core::nn::Params;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::time::Duration;

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
    tensors_of(&read(path)?, path)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))
}

/// As [`load_tensors`], of a file's bytes; `path` is for messages.
fn tensors_of(bytes: &[u8], path: &Path) -> Result<(BTreeMap<String, Tensor>, HashMap<String, String>)> {
    let (_, head) = safetensors::SafeTensors::read_metadata(bytes)
        .with_context(|| format!("{} is damaged", path.display()))?;
    let tensors = candle_core::safetensors::load_buffer(bytes, &Device::Cpu)
        .with_context(|| format!("{} is damaged", path.display()))?;
    Ok((tensors.into_iter().collect(), head.metadata().clone().unwrap_or_default()))
}

/// What a run is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The encoder: `encoder.safetensors`.
    Encoder,
    /// The decoder and the projector, without an adapter: `decoder.safetensors`.
    Decoder,
}

/// The named tensors and metadata of a run's file; of a model bundle the part that such a file would hold.
///
/// # Errors
/// As [`load_tensors`], and as [`Bundle::read`].
pub fn load_part(path: &Path, part: Part) -> Result<(BTreeMap<String, Tensor>, HashMap<String, String>)> {
    let bytes = read(path)?;
    if !Bundle::is_one(&bytes) {
        return tensors_of(&bytes, path);
    }
    let Bundle { info, weights, .. } = Bundle::read(path, &bytes, &Device::Cpu, &CancelFlag::new())?;
    let weights = weights.loaded().into_iter();
    let tensors = match part {
        Part::Encoder => weights
            .filter_map(|(name, tensor)| Some((name.strip_prefix("encoder.")?.to_string(), tensor)))
            .collect(),
        Part::Decoder => {
            weights.filter(|(name, _)| !name.starts_with("encoder.") && !name.contains(".lora_")).collect()
        }
    };
    let metadata = [
        ("features", serde_json::to_string(&info.features)?),
        ("encoder", serde_json::to_string(&info.encoder)?),
        ("decoder", serde_json::to_string(&info.decoder)?),
        ("projector", serde_json::to_string(&info.projector)?),
    ];
    Ok((tensors, metadata.into_iter().map(|(key, text)| (key.to_string(), text)).collect()))
}

/// Gives a run's fresh variables the weights of an earlier one, or of a model bundle; returns these weights.
///
/// # Errors
/// As [`load_part`], and when a weight is of another shape.
pub fn start_from(params: &Params, path: &Path, part: Part) -> Result<BTreeMap<String, Tensor>> {
    let weights = load_part(path, part)?.0;
    for (name, tensor) in &weights {
        params.set(name, tensor)?;
    }
    Ok(weights)
}

/// The encoder of a run's `encoder.safetensors` or of a model bundle on `device`, and the features that it hears.
///
/// # Errors
/// As [`load_part`], and when the file does not say how the encoder is built.
pub fn load_encoder(path: &Path, device: &Device) -> Result<(Encoder, FeatureSettings)> {
    let (weights, metadata) = load_part(path, Part::Encoder)?;
    let features: FeatureSettings = field(&metadata, "features", path)?;
    let config = field(&metadata, "encoder", path)?;
    let params = Params::load(weights, BTreeMap::new(), device);
    Ok((Encoder::new(&params, &config, &features)?, features))
}

/// Saves a run's state.
///
/// # Errors
/// As [`save_tensors`].
pub fn save_run(path: &Path, optimizer: &AdamW, config: &str, spent: Duration) -> Result<()> {
    let (step, seconds) = (optimizer.steps_taken().to_string(), spent.as_secs().to_string());
    let metadata = [("step", step), ("seconds", seconds), ("config", config.to_string())];
    save_tensors(path, &optimizer.state()?, &metadata)
}

/// Takes up a run's state; returns the steps taken and the time that they took.
///
/// # Errors
/// When the file is damaged, or of another architecture or configuration.
pub fn resume_run(path: &Path, optimizer: &mut AdamW, config: &str) -> Result<(usize, Duration)> {
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
    // Checkpoints of earlier versions do not state the time.
    let seconds = metadata.get("seconds").and_then(|seconds| seconds.parse().ok()).unwrap_or(0);
    Ok((step, Duration::from_secs(seconds)))
}
