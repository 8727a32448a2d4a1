//! Weights in files: named tensors with text metadata.

use super::content::Content;
pub use super::content::Metadata;
use crate::files;
use anyhow::{Context, Result, bail};
use candle_core::{Device, Tensor};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::path::Path;

/// Tensors by name.
pub type Tensors = BTreeMap<String, Tensor>;

/// Writes named tensors with text metadata.
///
/// # Errors
/// When the disk is full or the folder cannot be written; a file that existed before is then unchanged.
pub fn save_tensors(path: &Path, tensors: &Tensors, metadata: &[(&str, String)]) -> Result<()> {
    let metadata: Metadata = metadata.iter().map(|(k, v)| (k.to_string(), v.clone())).collect();
    let bytes = safetensors::serialize(tensors.iter().map(|(k, t)| (k.as_str(), t)), Some(metadata))
        .with_context(|| format!("{} cannot be written", path.display()))?;
    files::replace(path, bytes)
}

/// Reads named tensors and their metadata.
///
/// # Errors
/// When the file is missing or damaged.
pub fn load_tensors(path: &Path) -> Result<(Tensors, Metadata)> {
    parse_tensors(&read(path)?, path)
}

/// Reads a whole file.
pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))
}

/// As [`load_tensors`], from a file's bytes; `path` is for messages.
///
/// # Errors
/// When it is damaged, or another kind of file.
pub fn parse_tensors(bytes: &[u8], path: &Path) -> Result<(Tensors, Metadata)> {
    match Content::of(bytes) {
        Content::Bundle => bail!("{} is a model bundle, not a safetensors file", path.display()),
        Content::Foreign(what) => bail!("{} is {what}, not a safetensors file", path.display()),
        Content::Tensors => {}
    }
    let (_, head) = safetensors::SafeTensors::read_metadata(bytes)
        .with_context(|| format!("{} is damaged", path.display()))?;
    let tensors = candle_core::safetensors::load_buffer(bytes, &Device::Cpu)
        .with_context(|| format!("{} is damaged", path.display()))?;
    Ok((tensors.into_iter().collect(), head.metadata().clone().unwrap_or_default()))
}

/// A JSON value in a file's metadata.
///
/// # Errors
/// When it is missing or has another form; `path` is for messages.
pub fn field<T: DeserializeOwned>(metadata: &Metadata, key: &str, path: &Path) -> Result<T> {
    let text = metadata.get(key).with_context(|| format!("{} does not state its '{key}'", path.display()))?;
    serde_json::from_str(text).with_context(|| format!("{}: its '{key}' cannot be read", path.display()))
}
