//! Sizes of a Qwen2 model, from a GGUF head or from `config.json`.

use super::gguf::Head;
use crate::decoder::DecoderConfig;
use serde_json::{Map, Value};

/// The architecture that this room runs, as GGUF files and `config.json` name it.
pub const ARCHITECTURE: &str = "qwen2";
/// Largest sizes that are accepted: those of Qwen2.5 72B, with room.
const MOST_LAYERS: usize = 256;
const WIDEST: usize = 1 << 18;
const MOST_TOKENS: usize = 1 << 22;
/// Longest context. RoPE angles are computed when they are needed, so it costs nothing.
const LONGEST: usize = 1 << 22;

/// The sizes in a GGUF head. `vocabulary` is the embedding's number of rows; `is_tied` says that there is no output layer.
///
/// # Errors
/// A sentence, when the architecture is another one or a size is missing or impossible.
pub fn of_gguf(head: &Head<'_>, vocabulary: usize, is_tied: bool) -> Result<DecoderConfig, String> {
    check_architecture(head.text("general.architecture"))?;
    let key = |name: &str| format!("{ARCHITECTURE}.{name}");
    let size = |name: &str| {
        let n = head.integer(&key(name)).ok_or_else(|| format!("lacks the size '{}'", key(name)))?;
        usize::try_from(n).map_err(|_| format!("claims a size of {n} for '{}'", key(name)))
    };
    let number =
        |name: &str| head.number(&key(name)).ok_or_else(|| format!("lacks the number '{}'", key(name)));
    if let Some(kind) = head.text(&key("rope.scaling.type")).filter(|kind| *kind != "none") {
        return Err(format!("stretches its positions ('{kind}'), which is not supported"));
    }
    let config = DecoderConfig {
        vocab_size: vocabulary,
        hidden_size: size("embedding_length")?,
        intermediate_size: size("feed_forward_length")?,
        num_hidden_layers: size("block_count")?,
        num_attention_heads: size("attention.head_count")?,
        num_key_value_heads: size("attention.head_count_kv")?,
        max_position_embeddings: size("context_length")?,
        tie_word_embeddings: is_tied,
        rope_theta: number("rope.freq_base")?,
        rms_norm_eps: number("attention.layer_norm_rms_epsilon")?,
    };
    check(&config)?;
    match head.integer(&key("attention.key_length")) {
        Some(width) if width != config.block().head_dim() as u64 => {
            Err(format!("has heads of {width} values, expected {}", config.block().head_dim()))
        }
        _ => Ok(config),
    }
}

/// The sizes in a `config.json`.
///
/// # Errors
/// As [`of_gguf`].
pub fn of_json(json: &[u8]) -> Result<DecoderConfig, String> {
    let fields: Map<String, Value> =
        serde_json::from_slice(json).map_err(|cause| format!("cannot be read: {cause}"))?;
    check_architecture(fields.get("model_type").and_then(Value::as_str))?;
    let size = |name: &str| {
        let n = fields.get(name).and_then(Value::as_u64).ok_or_else(|| format!("lacks the size '{name}'"))?;
        usize::try_from(n).map_err(|_| format!("claims a size of {n} for '{name}'"))
    };
    // Version 5 of transformers keeps what belongs to RoPE in a table of its own.
    let rope = fields.get("rope_parameters").and_then(Value::as_object);
    let scaling = fields.get("rope_scaling").and_then(Value::as_object).or(rope);
    let kind = scaling.and_then(|table| table.get("rope_type").or(table.get("type"))).and_then(Value::as_str);
    if let Some(kind) = kind.filter(|kind| *kind != "default") {
        return Err(format!("stretches its positions ('{kind}'), which is not supported"));
    }
    if fields.get("use_sliding_window").and_then(Value::as_bool) == Some(true) {
        return Err("uses a sliding window, which is not supported".into());
    }
    let theta = fields.get("rope_theta").or_else(|| rope?.get("rope_theta")).and_then(Value::as_f64);
    let config = DecoderConfig {
        vocab_size: size("vocab_size")?,
        hidden_size: size("hidden_size")?,
        intermediate_size: size("intermediate_size")?,
        num_hidden_layers: size("num_hidden_layers")?,
        num_attention_heads: size("num_attention_heads")?,
        num_key_value_heads: size("num_key_value_heads")?,
        max_position_embeddings: size("max_position_embeddings")?,
        tie_word_embeddings: fields.get("tie_word_embeddings").and_then(Value::as_bool).unwrap_or(false),
        rope_theta: theta.ok_or("lacks the number 'rope_theta'")?,
        rms_norm_eps: fields
            .get("rms_norm_eps")
            .and_then(Value::as_f64)
            .ok_or("lacks the number 'rms_norm_eps'")?,
    };
    check(&config)?;
    Ok(config)
}

fn check_architecture(found: Option<&str>) -> Result<(), String> {
    match found {
        Some(ARCHITECTURE) => Ok(()),
        Some(other) => {
            let short: String = other.chars().take(40).collect();
            Err(format!("is a model of the architecture '{short}'; only '{ARCHITECTURE}' is supported"))
        }
        None => Err("does not say its architecture".into()),
    }
}

fn check(config: &DecoderConfig) -> Result<(), String> {
    let range = |what: &str, n: usize, most: usize| match (1..=most).contains(&n) {
        true => Ok(()),
        false => Err(format!("claims {n} {what}; 1 to {most} are possible")),
    };
    range("tokens", config.vocab_size, MOST_TOKENS)?;
    range("values per token", config.hidden_size, WIDEST)?;
    range("values in the feed-forward layer", config.intermediate_size, WIDEST)?;
    range("layers", config.num_hidden_layers, MOST_LAYERS)?;
    range("heads", config.num_attention_heads, config.hidden_size)?;
    range("heads for keys and values", config.num_key_value_heads, config.num_attention_heads)?;
    range("positions", config.max_position_embeddings, LONGEST)?;
    let (hidden, heads) = (config.hidden_size, config.num_attention_heads);
    if !hidden.is_multiple_of(heads) || !config.block().head_dim().is_multiple_of(2) {
        return Err(format!("claims {heads} heads for {hidden} values, which do not divide evenly"));
    }
    if !heads.is_multiple_of(config.num_key_value_heads) {
        return Err(format!(
            "claims {} heads for keys and values for {heads} heads",
            config.num_key_value_heads
        ));
    }
    let in_order = config.rope_theta.is_finite()
        && config.rope_theta > 1.0
        && config.rms_norm_eps.is_finite()
        && config.rms_norm_eps > 0.0;
    match in_order {
        true => Ok(()),
        false => {
            Err("has a base of the rotary angles, or an epsilon of the norms, that is impossible".into())
        }
    }
}
