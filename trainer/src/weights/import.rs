//! Reads an adapter in the layout of PEFT, and refuses one that this decoder cannot apply.

use super::advisor::{AdvisorWeights, DECODER, PEFT_PREFIX, PROJECTOR};
use super::content::describe_folder;
use super::files::{Tensors, field, load_tensors, save_tensors};
use super::parts::{Part, load_part};
use super::peft_config::parse_adapter_config;
use super::shapes::{AdapterShape, adapter_shapes};
use anyhow::{Context, Result, bail, ensure};
use candle_core::{DType, Tensor};
use mixing_buddy_core::decoder::{DecoderConfig, ProjectorConfig};
use mixing_buddy_core::nn::LoraConfig;
use serde::de::DeserializeOwned;
use std::path::Path;

/// Reads the adapter in `dir`. The decoder that it adapts and the projector come from `base` (a run, its weights, or a bundle), or from `dir` itself, as `export` writes them.
///
/// # Errors
/// When a file is missing or damaged, or the adapter does not fit: a sentence that names the key or the weight.
pub fn import_adapter(dir: &Path, base: Option<&Path>) -> Result<AdvisorWeights> {
    let lora = read_config(dir)?;
    let (decoder, projector, mut tensors) = match base {
        Some(file) => base_of_run(file)?,
        None => base_of_folder(dir)?,
    };
    let file = dir.join("adapter_model.safetensors");
    let pickle = dir.join("adapter_model.bin");
    ensure!(
        file.exists() || !pickle.exists(),
        "{} is missing; {} is a Python pickle, which is not read: save the adapter with safe_serialization=True",
        file.display(),
        pickle.display()
    );
    let (mut adapter, _) = load_tensors(&file)?;
    let place = || format!("{} does not fit", file.display());
    for AdapterShape { name, shape } in adapter_shapes(&decoder, &lora).with_context(place)? {
        let key = format!("{PEFT_PREFIX}{name}");
        let tensor =
            adapter.remove(&key).with_context(|| format!("'{key}' is missing")).with_context(place)?;
        ensure!(
            tensor.dims() == shape,
            "{}: '{key}' has shape {:?}, expected {shape:?} (rank {} on this decoder)",
            place(),
            tensor.dims(),
            lora.rank
        );
        let tensor = dense(&tensor).with_context(|| format!("'{key}'")).with_context(place)?;
        tensors.insert(format!("{DECODER}{name}"), tensor);
    }
    if let Some(key) = adapter.keys().next() {
        bail!(
            "{}: '{key}' does not belong to any of its targets ({})",
            place(),
            lora.target_modules.join(", ")
        );
    }
    Ok(AdvisorWeights { decoder, projector, lora, tensors })
}

/// Writes an imported adapter in the form in which an advisor run writes it.
///
/// # Errors
/// When the disk is full or the folder cannot be written.
pub fn save_imported(weights: &AdvisorWeights, out: &Path) -> Result<()> {
    let metadata = [
        ("decoder", serde_json::to_string(&weights.decoder)?),
        ("projector", serde_json::to_string(&weights.projector)?),
        ("lora", serde_json::to_string(&weights.lora)?),
        ("step", "0".to_string()),
    ];
    save_tensors(out, &weights.tensors, &metadata)
}

type Base = (DecoderConfig, ProjectorConfig, Tensors);

fn base_of_run(path: &Path) -> Result<Base> {
    let file = Part::LanguageModel.file(path)?;
    let (tensors, metadata) = load_part(&file, Part::Decoder)?;
    Ok((field(&metadata, "decoder", &file)?, field(&metadata, "projector", &file)?, tensors))
}

/// A weight as the decoder uses it.
fn dense(tensor: &Tensor) -> Result<Tensor> {
    ensure!(tensor.dtype().is_float(), "it holds whole numbers, not weights");
    let tensor = tensor.to_dtype(DType::F32)?;
    let bad = tensor.flatten_all()?.to_vec1::<f32>()?.iter().filter(|value| !value.is_finite()).count();
    let count = tensor.elem_count();
    ensure!(
        bad == 0,
        "{bad} of its {count} values are NaN or infinite: the training that made it went wrong"
    );
    Ok(tensor)
}

fn base_of_folder(dir: &Path) -> Result<Base> {
    let config = dir.join("base").join("config.json");
    ensure!(
        config.is_file(),
        "{} is missing: name the decoder that the adapter belongs to with --base",
        config.display()
    );
    let mut tensors = Tensors::new();
    for (file, prefix) in [("base/model.safetensors", DECODER), ("projector.safetensors", PROJECTOR)] {
        let path = dir.join(file);
        for (name, tensor) in load_tensors(&path)?.0 {
            let tensor = dense(&tensor).with_context(|| format!("{}: '{name}'", path.display()))?;
            tensors.insert(format!("{prefix}{name}"), tensor);
        }
    }
    Ok((read_json(&config)?, read_json(&dir.join("projector_config.json"))?, tensors))
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} cannot be parsed", path.display()))
}

fn read_config(dir: &Path) -> Result<LoraConfig> {
    const NEEDED: &str = "the folder that holds adapter_config.json and adapter_model.safetensors is needed";
    ensure!(!dir.is_file(), "{} is a file; {NEEDED}", dir.display());
    let path = dir.join("adapter_config.json");
    if dir.is_dir() && !path.exists() {
        let what = describe_folder(dir).map_or(String::new(), |what| format!("is {what}, and "));
        bail!("{} {what}has no adapter_config.json; {NEEDED}", dir.display());
    }
    let text =
        std::fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    parse_adapter_config(&text).with_context(|| format!("{} cannot be used", path.display()))
}
