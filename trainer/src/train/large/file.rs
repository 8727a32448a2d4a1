//! The adapter's file: half precision, PEFT's names, the base's fingerprint.

use crate::train::optimizer::AdamW;
use crate::train::tuning::ModelConfigs;
use crate::weights::{Tensors, load_tensors, save_tensors};
use anyhow::{Context, Result, anyhow, ensure};
use candle_core::DType;
use mixing_buddy_core::large::package::{ABOUT_KEY, PROJECTOR_PREFIX};
use mixing_buddy_core::large::{About, Package};
use mixing_buddy_core::nn::LoraConfig;
use mixing_buddy_core::qwen2::Fingerprint;
use mixing_buddy_core::qwen2::adapter::{BASE_KEY, PREFIX, SCALE_KEY};
use std::path::Path;

/// What the names of the decoder's variables begin with in a run; in the file they begin with [`PREFIX`].
const DECODER_PREFIX: &str = "decoder.";

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
        let name = renamed(&name, DECODER_PREFIX, PREFIX);
        debug_assert!(name.starts_with(PREFIX) || name.starts_with(PROJECTOR_PREFIX));
        tensors.insert(name, tensor);
    }
    let base = base.to_json().map_err(anyhow::Error::msg).context("the base's fingerprint")?;
    let metadata = [
        (SCALE_KEY, scale_of(&configs.lora).to_string()),
        (BASE_KEY, base),
        (ABOUT_KEY, serde_json::to_string(about)?),
    ];
    save_tensors(path, &tensors, &metadata)
}

/// Reads adapter and projector of an earlier run on the same base, named as the variables of a run, and what the file says of
/// itself.
///
/// # Errors
/// When the file cannot be used, or is for another base or scale; the message names it.
pub fn load_package(path: &Path, base: &Fingerprint, lora: &LoraConfig) -> Result<(Tensors, About)> {
    let Package { adapter, about, .. } = Package::open(path)?;
    let other_base = |why| anyhow!("{}: is an adapter for another base: {why}", path.display());
    adapter.base.compare(base).map_err(other_base)?;
    let (tensors, metadata) = load_tensors(path)?;
    let scale = scale_of(lora).to_string();
    let stored = metadata.get(SCALE_KEY);
    ensure!(
        stored == Some(&scale),
        "{}: its alpha / rank is {}, that of this run {scale}",
        path.display(),
        stored.map_or("not stated", String::as_str)
    );
    let named = tensors
        .into_iter()
        .map(|(name, tensor)| Ok((renamed(&name, PREFIX, DECODER_PREFIX), tensor.to_dtype(DType::F32)?)));
    Ok((named.collect::<Result<_>>()?, about))
}

/// A name with another beginning, where it begins so.
fn renamed(name: &str, old: &str, new: &str) -> String {
    name.strip_prefix(old).map_or_else(|| name.to_string(), |rest| format!("{new}{rest}"))
}

fn scale_of(lora: &LoraConfig) -> f64 {
    lora.alpha / lora.rank as f64
}
