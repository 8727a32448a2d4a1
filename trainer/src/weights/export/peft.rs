//! Writes an advisor run in the layouts of PEFT and transformers.

use super::card::{CardFacts, model_card};
use crate::files;
use crate::weights::advisor::{AdvisorWeights, DECODER, PEFT_PREFIX, PROJECTOR};
use crate::weights::files::{Tensors, field, save_tensors};
use crate::weights::parts::{Part, load_part};
use crate::weights::shapes::adapter_shapes;
use crate::weights::tokenizer::TOKENIZER;
use anyhow::{Context, Result, ensure};
use mixing_buddy_core::decoder::DecoderConfig;
use mixing_buddy_core::encoder::EncoderConfig;
use mixing_buddy_core::features::FeatureSettings;
use mixing_buddy_core::language::{AdviceTokenizer, Special};
use mixing_buddy_core::nn::LoraConfig;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The metadata that transformers requires in a file.
const PYTORCH: [(&str, &str); 1] = [("format", "pt")];

/// Writes `weights` into `dir`, and the encoder of `encoder_file` if one is given.
///
/// # Errors
/// When `dir` holds other files, a file is missing or damaged, or the disk is full.
pub fn export_peft(
    weights: &AdvisorWeights,
    encoder_file: Option<&Path>,
    facts: &CardFacts,
    dir: &Path,
) -> Result<()> {
    let is_export = dir.join("adapter_config.json").exists();
    let is_empty = std::fs::read_dir(dir).map(|mut entries| entries.next().is_none()).unwrap_or(true);
    ensure!(is_export || is_empty, "{} holds other files; choose another folder", dir.display());
    // Everything is read before anything is written.
    let encoder = encoder_file.map(read_encoder).transpose()?;
    let tokenizer = AdviceTokenizer::from_bytes(TOKENIZER)?;
    let card = model_card(weights, encoder.is_some(), facts)?;
    let names: BTreeSet<String> =
        adapter_shapes(&weights.decoder, &weights.lora)?.into_iter().map(|shape| shape.name).collect();
    let (mut adapter, mut base, mut projector) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for (name, tensor) in &weights.tensors {
        if let Some(name) = name.strip_prefix(DECODER) {
            if names.contains(name) {
                adapter.insert(format!("{PEFT_PREFIX}{name}"), tensor.clone());
            } else {
                base.insert(name.to_string(), tensor.clone());
            }
        } else if let Some(name) = name.strip_prefix(PROJECTOR) {
            projector.insert(name.to_string(), tensor.clone());
        }
    }
    let base_dir = dir.join("base");
    std::fs::create_dir_all(&base_dir).with_context(|| format!("{} cannot be made", base_dir.display()))?;

    save(&dir.join("adapter_model.safetensors"), &adapter)?;
    save(&base_dir.join("model.safetensors"), &base)?;
    save(&dir.join("projector.safetensors"), &projector)?;
    write_json(&dir.join("adapter_config.json"), &adapter_config(&weights.lora))?;
    write_json(&dir.join("projector_config.json"), &serde_json::to_value(&weights.projector)?)?;
    write_json(&base_dir.join("config.json"), &base_config(&weights.decoder, &tokenizer)?)?;
    files::replace(&base_dir.join("tokenizer.json"), TOKENIZER)?;
    let tokenizer_config = json!({
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": weights.decoder.max_position_embeddings,
        "eos_token": Special::End.text(),
        "pad_token": Special::Pad.text(),
    });
    write_json(&base_dir.join("tokenizer_config.json"), &tokenizer_config)?;
    if let Some((tensors, config)) = encoder {
        save(&dir.join("encoder.safetensors"), &tensors)?;
        write_json(&dir.join("encoder_config.json"), &config)?;
    }
    files::replace(&dir.join("README.md"), card)
}

/// The weights of an encoder and its configuration.
fn read_encoder(file: &Path) -> Result<(Tensors, Value)> {
    let (tensors, metadata) = load_part(file, Part::Encoder)?;
    let features: FeatureSettings = field(&metadata, "features", file)?;
    let encoder: EncoderConfig = field(&metadata, "encoder", file)?;
    Ok((tensors, json!({ "encoder": encoder, "features": features })))
}

fn save(path: &Path, tensors: &Tensors) -> Result<()> {
    save_tensors(path, tensors, &PYTORCH.map(|(key, value)| (key, value.to_string())))
}

pub(super) fn write_json(path: &Path, value: &Value) -> Result<()> {
    files::replace(path, serde_json::to_string_pretty(value)? + "\n")
}

/// A number in its shortest form: 16 rather than 16.0, 0.05 rather than 0.05000000074505806.
fn plain(value: impl ToString) -> Value {
    let text = value.to_string();
    text.parse::<u64>().map(Value::from).or_else(|_| text.parse::<f64>().map(Value::from)).unwrap_or_default()
}

/// `adapter_config.json`, with the keys of PEFT's `LoraConfig`.
fn adapter_config(lora: &LoraConfig) -> Value {
    json!({
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": "base",
        "revision": null,
        "r": lora.rank,
        "lora_alpha": plain(lora.alpha),
        "lora_dropout": plain(lora.dropout),
        "target_modules": lora.target_modules,
        "bias": "none",
        "fan_in_fan_out": false,
        "inference_mode": true,
        "init_lora_weights": true,
        "use_rslora": false,
        "use_dora": false,
        "modules_to_save": null,
        "layers_to_transform": null,
        "layers_pattern": null,
        "rank_pattern": {},
        "alpha_pattern": {},
    })
}

/// `config.json` of `Qwen2ForCausalLM`: our own fields, which have its names, and further ones that it needs.
fn base_config(decoder: &DecoderConfig, tokenizer: &AdviceTokenizer) -> Result<Value> {
    let mut config = serde_json::to_value(decoder)?;
    let more = json!({
        "architectures": ["Qwen2ForCausalLM"],
        "model_type": "qwen2",
        "hidden_act": "silu",
        "torch_dtype": "float32",
        "attention_dropout": 0.0,
        "initializer_range": 0.05,
        "use_cache": true,
        "use_sliding_window": false,
        "bos_token_id": null,
        "eos_token_id": tokenizer.special(Special::End),
        "pad_token_id": tokenizer.special(Special::Pad),
    });
    if let (Value::Object(config), Value::Object(more)) = (&mut config, more) {
        config.extend(more);
    }
    Ok(config)
}
