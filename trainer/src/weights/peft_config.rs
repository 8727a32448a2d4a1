//! `adapter_config.json`: which adapters are plain LoRA, so that this decoder can apply them.
//!
//! The keys are those of PEFT's `LoraConfig` from version 0.3 to 0.20 (`src/peft/tuners/lora/config.py`).

use super::shapes::layer_names;
use anyhow::{Context, Result, bail, ensure};
use mixing_buddy_core::nn::LoraConfig;
use serde_json::Value;

/// Keys that are read.
const READ: [&str; 4] = ["r", "lora_alpha", "lora_dropout", "target_modules"];

/// Keys that do not change what an adapter does: names and versions, where it was trained, and details of options that
/// [`PLAIN`] refuses when they are used.
const FREE: [&str; 14] = [
    "task_type",
    "base_model_name_or_path",
    "revision",
    "inference_mode",
    "auto_mapping",
    "peft_version",
    "megatron_core",
    // Only used with layers_to_transform.
    "layers_pattern",
    // Only used with use_qalora.
    "qalora_group_size",
    // Only used where embeddings are trained, too.
    "ensure_weight_tying",
    // Where the memory is while an adapter is made.
    "runtime_config",
    // How A starts; B starts at zero, and the base model is not changed. Ranks that it moves are in rank_pattern.
    "eva_config",
    // Older versions.
    "enable_lora",
    "merge_weights",
];

/// Keys that select something else than plain LoRA, and the values at which they do not.
const PLAIN: [(&str, &[&str]); 26] = [
    ("peft_type", &["\"LORA\""]),
    ("bias", &["\"none\""]),
    ("fan_in_fan_out", &["false"]),
    ("use_rslora", &["false"]),
    ("use_dora", &["false"]),
    ("use_qalora", &["false"]),
    ("use_bdlora", &["null", "false"]),
    ("lora_bias", &["false"]),
    // The others (pissa, olora, corda, loftq, lora_ga, ...) change the base model when they start.
    ("init_lora_weights", &["true", "false", "\"gaussian\"", "\"eva\"", "\"orthogonal\""]),
    ("loftq_config", &["{}", "null"]),
    ("corda_config", &["null"]),
    ("lora_ga_config", &["null"]),
    ("velora_config", &["null"]),
    ("monteclora_config", &["null"]),
    ("arrow_config", &["null"]),
    ("megatron_config", &["null"]),
    ("modules_to_save", &["null", "[]"]),
    ("exclude_modules", &["null", "[]"]),
    ("layers_to_transform", &["null", "[]"]),
    ("layer_replication", &["null", "[]"]),
    ("rank_pattern", &["{}", "null"]),
    ("alpha_pattern", &["{}", "null"]),
    ("trainable_token_indices", &["null", "[]", "{}"]),
    ("target_parameters", &["null", "[]"]),
    ("alora_invocation_tokens", &["null", "[]"]),
    ("alora_invocation_string", &["null"]),
];

/// Values at which a key that is not known is passed over: options of later versions are off at these.
const OFF: [&str; 5] = ["null", "false", "[]", "{}", "\"\""];

/// The adapter that the text of an `adapter_config.json` describes.
///
/// # Errors
/// When it is not JSON, a key is missing, or a key has a value with which the adapter is something else than plain LoRA: a
/// sentence that names the key.
pub fn parse_adapter_config(text: &str) -> Result<LoraConfig> {
    let config: Value = serde_json::from_str(text)?;
    let Value::Object(config) = config else { bail!("it is not a JSON object") };
    for (key, value) in &config {
        let key = key.as_str();
        let text = value.to_string();
        if READ.contains(&key) || FREE.contains(&key) {
            continue;
        }
        match PLAIN.iter().find(|(name, _)| *name == key) {
            Some((_, plain)) => {
                let plain_list = plain.join(" or ");
                ensure!(plain.contains(&text.as_str()), "{key} is {text}; only {plain_list} can be imported");
            }
            None => ensure!(
                OFF.contains(&text.as_str()),
                "{key} is {text}; this key is not known, so that the adapter may not be plain LoRA"
            ),
        }
    }
    let number = |key: &str| config.get(key).and_then(Value::as_f64);
    let rank = config.get("r").and_then(Value::as_u64).context("r is missing or not a rank")?;
    ensure!(rank > 0, "r is 0: the adapter has no weights");
    let alpha = number("lora_alpha").context("lora_alpha is missing or not a number")?;
    ensure!(
        alpha.is_finite() && alpha > 0.0,
        "lora_alpha is {alpha}; a number above 0 is needed: it scales what the adapter adds"
    );
    let dropout = match config.get("lora_dropout") {
        None | Some(Value::Null) => 0.0,
        Some(value) => value.as_f64().context("lora_dropout is not a number")?,
    };
    ensure!((0.0..=1.0).contains(&dropout), "lora_dropout is {dropout}; a share from 0 to 1 is needed");
    let target_modules = match config.get("target_modules") {
        Some(Value::Array(list)) if list.iter().all(Value::is_string) => {
            list.iter().filter_map(Value::as_str).map(String::from).collect()
        }
        Some(Value::String(all)) if all == "all-linear" => layer_names().map(String::from).collect(),
        Some(other) => bail!("target_modules is {other}; a list of layers is needed"),
        None => bail!("target_modules is missing"),
    };
    Ok(LoraConfig {
        rank: usize::try_from(rank).context("r is too large")?,
        alpha,
        dropout: dropout as f32,
        target_modules,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// What PEFT 0.20 writes for plain LoRA.
    fn plain() -> Value {
        json!({
            "alora_invocation_tokens": null, "alpha_pattern": {}, "arrow_config": null, "auto_mapping": null,
            "base_model_name_or_path": "base", "bias": "none", "corda_config": null, "ensure_weight_tying": false,
            "eva_config": null, "exclude_modules": null, "fan_in_fan_out": false, "inference_mode": true,
            "init_lora_weights": true, "layer_replication": null, "layers_pattern": null,
            "layers_to_transform": null, "loftq_config": {}, "lora_alpha": 8, "lora_bias": false,
            "lora_dropout": 0.05, "lora_ga_config": null, "megatron_config": null, "megatron_core": "megatron.core",
            "modules_to_save": null, "monteclora_config": null, "peft_type": "LORA", "peft_version": "0.20.0",
            "qalora_group_size": 16, "r": 4, "rank_pattern": {}, "revision": null,
            "target_modules": ["q_proj", "v_proj"], "target_parameters": null, "task_type": "CAUSAL_LM",
            "trainable_token_indices": null, "use_bdlora": null, "use_dora": false, "use_qalora": false,
            "use_rslora": false, "velora_config": null,
        })
    }

    fn parse(key: &str, value: Value) -> Result<LoraConfig> {
        let mut config = plain();
        config[key] = value;
        parse_adapter_config(&config.to_string())
    }

    #[test]
    fn plain_lora_passes_whatever_version_wrote_it() {
        let lora = parse_adapter_config(&plain().to_string()).unwrap();
        assert_eq!((lora.rank, lora.alpha, lora.dropout), (4, 8.0, 0.05));
        for (key, value) in [
            ("init_lora_weights", json!("gaussian")),
            ("init_lora_weights", json!(false)),
            ("qalora_group_size", json!(32)),
            ("peft_version", json!("1.0")),
            ("an_option_of_tomorrow", json!(false)),
            ("another_one", Value::Null),
            ("lora_dropout", Value::Null),
            ("target_modules", json!("all-linear")),
        ] {
            parse(key, value).unwrap_or_else(|error| panic!("{key}: {error:#}"));
        }
        // The oldest versions write few keys.
        let few = json!({"peft_type": "LORA", "r": 2, "lora_alpha": 4, "target_modules": ["q_proj"]});
        parse_adapter_config(&few.to_string()).unwrap();
    }

    #[test]
    fn every_other_adapter_is_refused_by_its_key() {
        for (key, value) in [
            ("init_lora_weights", json!("pissa")),
            ("init_lora_weights", json!("pissa_niter_16")),
            ("init_lora_weights", json!("olora")),
            ("init_lora_weights", json!("corda")),
            ("init_lora_weights", json!("loftq")),
            ("init_lora_weights", json!("lora_ga")),
            ("init_lora_weights", json!("mica")),
            ("loftq_config", json!({"loftq_bits": 4})),
            ("corda_config", json!({"corda_method": "ipm"})),
            ("use_qalora", json!(true)),
            ("use_dora", json!(true)),
            ("use_rslora", json!(true)),
            ("lora_bias", json!(true)),
            ("exclude_modules", json!(["v_proj"])),
            ("target_parameters", json!(["w"])),
            ("trainable_token_indices", json!([1])),
            ("alora_invocation_tokens", json!([1, 2])),
            ("layers_to_transform", json!([0])),
            ("layer_replication", json!([[0, 2]])),
            ("arrow_config", json!({"top_k": 2})),
            ("megatron_config", json!({})),
            ("an_option_of_tomorrow", json!(true)),
            ("peft_type", Value::Null),
            ("lora_alpha", json!(0)),
            ("lora_alpha", json!(-8)),
            ("lora_alpha", Value::Null),
            ("lora_dropout", json!("some")),
            ("lora_dropout", json!(2.0)),
            ("r", json!(0)),
            ("r", json!(4.5)),
            ("target_modules", json!([1])),
        ] {
            let sentence = format!("{:#}", parse(key, value.clone()).unwrap_err());
            assert!(sentence.contains(key), "{key} {value}: {sentence}");
        }
        for text in ["[]", "null", "1e999", "{", ""] {
            parse_adapter_config(text).unwrap_err();
        }
    }
}
