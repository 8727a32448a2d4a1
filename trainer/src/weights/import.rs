//! Reads an adapter in the layout of PEFT, and refuses one that this decoder cannot apply.

use super::advisor::{AdvisorWeights, DECODER, PEFT_PREFIX, PROJECTOR};
use super::files::{Tensors, field, load_tensors, save_tensors};
use super::shapes::{AdapterShape, adapter_shapes, layer_names};
use anyhow::{Context, Result, bail, ensure};
use candle_core::DType;
use mixing_buddy_core::decoder::{DecoderConfig, ProjectorConfig};
use mixing_buddy_core::nn::LoraConfig;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::path::Path;

/// Reads the adapter in `dir`. The decoder that it adapts and the projector come from `base` (a `decoder.safetensors` or
/// `advisor.safetensors` of a run), or from `dir` itself, as `export` writes them.
///
/// # Errors
/// When a file is missing or damaged, or the adapter does not fit: a sentence that names the key or the weight.
pub fn import_adapter(dir: &Path, base: Option<&Path>) -> Result<AdvisorWeights> {
    let lora = read_config(&dir.join("adapter_config.json"))?;
    let (decoder, projector, mut tensors) = match base {
        Some(file) => base_of_run(file)?,
        None => base_of_folder(dir)?,
    };
    let file = dir.join("adapter_model.safetensors");
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
        tensors.insert(format!("{DECODER}{name}"), tensor.to_dtype(DType::F32)?);
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

fn base_of_run(file: &Path) -> Result<Base> {
    let (mut tensors, metadata) = load_tensors(file)?;
    // Of a tuned model, only the decoder without its adapter.
    tensors.retain(|name, _| !name.contains(".lora_"));
    Ok((field(&metadata, "decoder", file)?, field(&metadata, "projector", file)?, tensors))
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
        let (part, _) = load_tensors(&dir.join(file))?;
        tensors.extend(part.into_iter().map(|(name, tensor)| (format!("{prefix}{name}"), tensor)));
    }
    Ok((read_json(&config)?, read_json(&dir.join("projector_config.json"))?, tensors))
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} cannot be parsed", path.display()))
}

/// Keys of `adapter_config.json` that select a variant of LoRA which this decoder does not implement, and the values
/// that select plain LoRA.
const PLAIN: [(&str, &[&str]); 12] = [
    ("peft_type", &["\"LORA\""]),
    ("bias", &["\"none\""]),
    ("fan_in_fan_out", &["false"]),
    ("use_rslora", &["false"]),
    ("use_dora", &["false"]),
    ("lora_bias", &["false"]),
    ("modules_to_save", &["null", "[]"]),
    ("layers_to_transform", &["null"]),
    ("layer_replication", &["null"]),
    ("rank_pattern", &["{}", "null"]),
    ("alpha_pattern", &["{}", "null"]),
    ("trainable_token_indices", &["null"]),
];

fn read_config(path: &Path) -> Result<LoraConfig> {
    let config: Value = read_json(path)?;
    let place = path.display();
    for (key, plain) in PLAIN {
        let Some(value) = config.get(key) else { continue };
        let text = value.to_string();
        ensure!(
            plain.contains(&text.as_str()),
            "{place}: {key} is {text}; only {} can be imported",
            plain.join(" or ")
        );
    }
    let number = |key: &str| {
        config
            .get(key)
            .and_then(Value::as_f64)
            .with_context(|| format!("{place}: {key} is missing or not a number"))
    };
    let rank = config
        .get("r")
        .and_then(Value::as_u64)
        .with_context(|| format!("{place}: r is missing or not a rank"))?;
    let target_modules = match config.get("target_modules") {
        Some(Value::Array(list)) if list.iter().all(Value::is_string) => {
            list.iter().filter_map(Value::as_str).map(String::from).collect()
        }
        Some(Value::String(all)) if all == "all-linear" => layer_names().map(String::from).collect(),
        Some(other) => bail!("{place}: target_modules is {other}; a list of layers is needed"),
        None => bail!("{place}: target_modules is missing"),
    };
    Ok(LoraConfig {
        rank: usize::try_from(rank).unwrap_or(usize::MAX),
        alpha: number("lora_alpha")?,
        dropout: number("lora_dropout").unwrap_or(0.0) as f32,
        target_modules,
    })
}
