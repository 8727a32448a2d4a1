//! Weights in files: named tensors, and the part of a run or bundle that a new run starts from.

use crate::files;
use anyhow::{Context, Result};
use candle_core::{Device, Tensor};
use mixing_buddy_core::CancelFlag;
use mixing_buddy_core::bundle::Bundle;
use mixing_buddy_core::encoder::Encoder;
use mixing_buddy_core::features::FeatureSettings;
use mixing_buddy_core::nn::Params;
use serde::de::DeserializeOwned;
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

/// A JSON value in a file's metadata.
///
/// # Errors
/// When it is missing or of another form; `path` is for messages.
pub fn field<T: DeserializeOwned>(metadata: &HashMap<String, String>, key: &str, path: &Path) -> Result<T> {
    let text = metadata.get(key).with_context(|| format!("{} does not state its '{key}'", path.display()))?;
    serde_json::from_str(text).with_context(|| format!("{}: its '{key}' cannot be read", path.display()))
}
