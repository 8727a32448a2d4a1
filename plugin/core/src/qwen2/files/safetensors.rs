//! Tensors of a safetensors file, or of the shards that `model.safetensors.index.json` names.

use super::storage::Storage;
use super::weights::{Naming, Stored, Weights};
use crate::error::{Error, Result};
use crate::qwen2::format::Format;
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

/// The index of a sharded checkpoint.
pub const INDEX: &str = "model.safetensors.index.json";
/// The file of one that is not sharded.
pub const SINGLE: &str = "model.safetensors";
/// Largest index in bytes: a 0.5B model's takes 25 kB.
const LARGEST_INDEX: u64 = 16 << 20;

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// Reads a small text file that lies beside the weights.
///
/// # Errors
/// When it cannot be read, or has more than `largest` bytes.
pub fn read_beside(path: &Path, largest: u64) -> Result<Vec<u8>> {
    let size = std::fs::metadata(path).map_err(Error::io(path))?.len();
    if size > largest {
        return Err(Error::model(path, format!("has {size} bytes; at most {largest} are read")));
    }
    std::fs::read(path).map_err(Error::io(path))
}

/// The weights in a folder.
///
/// # Errors
/// When a file is missing or damaged, a shard's name leaves the folder, or a tensor is in no shard.
pub fn from_folder(folder: &Path) -> Result<Weights> {
    let index = folder.join(INDEX);
    if !index.is_file() {
        return from_file(&folder.join(SINGLE));
    }
    let listed: Index = serde_json::from_slice(&read_beside(&index, LARGEST_INDEX)?)
        .map_err(|cause| Error::model(&index, format!("cannot be read: {cause}")))?;
    let names: BTreeSet<&String> = listed.weight_map.values().collect();
    let mut weights = Weights::new(&index, Naming::HuggingFace);
    for name in names {
        let mut parts = Path::new(name).components();
        let is_plain =
            matches!(parts.next(), Some(std::path::Component::Normal(_))) && parts.next().is_none();
        if !is_plain {
            return Err(Error::model(
                &index,
                format!("names the shard '{name}', which is no plain file name"),
            ));
        }
        add(&Storage::map(&folder.join(name))?, &mut weights)?;
    }
    if let Some(missing) = listed.weight_map.keys().find(|name| !weights.has(name)) {
        return Err(Error::model(&index, format!("lists the tensor '{missing}', which is in no shard")));
    }
    Ok(weights)
}

/// The weights in one file.
///
/// # Errors
/// When it cannot be read or is damaged.
pub fn from_file(path: &Path) -> Result<Weights> {
    let mut weights = Weights::new(path, Naming::HuggingFace);
    add(&Storage::map(path)?, &mut weights)?;
    Ok(weights)
}

fn add(storage: &Arc<Storage>, weights: &mut Weights) -> Result<()> {
    let file = SafeTensors::deserialize(storage.bytes())
        .map_err(|cause| storage.fail(format!("is not a whole safetensors file: {cause}")))?;
    let base = storage.bytes().as_ptr() as usize;
    for (name, view) in file.iter() {
        let format = match view.dtype() {
            Dtype::F32 => Ok(Format::F32),
            Dtype::F16 => Ok(Format::F16),
            Dtype::BF16 => Ok(Format::Bf16),
            other => Err(format!("its tensor '{name}' is stored as {other:?}; F32, F16 and BF16 are read")),
        };
        let stored = format.and_then(|format| {
            // The view is a part of the mapped bytes.
            let span = storage.span(view.data().as_ptr() as usize - base, view.data().len());
            let span = span.ok_or_else(|| format!("its tensor '{name}' is outside of the file"))?;
            Ok(Stored { format, shape: view.shape().to_vec(), span })
        });
        if !weights.add(name.to_string(), stored) {
            return Err(storage.fail(format!("has the tensor '{name}', which another shard has too")));
        }
    }
    Ok(())
}
