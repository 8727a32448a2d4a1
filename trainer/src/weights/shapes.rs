//! The names and shapes of an adapter's weights, from its configuration.

use anyhow::{Result, bail, ensure};
use mixing_buddy_core::decoder::DecoderConfig;
use mixing_buddy_core::nn::LoraConfig;

/// A weight of an adapter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdapterShape {
    /// Its name below the decoder: `model.layers.0.self_attn.q_proj.lora_A.weight`.
    pub name: String,
    /// Its dimensions: `[rank, inputs]` of A, `[outputs, rank]` of B.
    pub shape: [usize; 2],
}

/// Layers that may have an adapter, each with the part of the block that it belongs to.
const LAYERS: [(&str, &str); 7] = [
    ("q_proj", "self_attn"),
    ("k_proj", "self_attn"),
    ("v_proj", "self_attn"),
    ("o_proj", "self_attn"),
    ("gate_proj", "mlp"),
    ("up_proj", "mlp"),
    ("down_proj", "mlp"),
];

/// The layers that may have an adapter, by name.
pub(crate) fn layer_names() -> impl Iterator<Item = &'static str> {
    LAYERS.into_iter().map(|(name, _)| name)
}

/// All weights of the adapter that `lora` describes on a decoder of these sizes.
///
/// # Errors
/// When the rank is 0, or a target is not a layer of the decoder or is named twice.
pub fn adapter_shapes(decoder: &DecoderConfig, lora: &LoraConfig) -> Result<Vec<AdapterShape>> {
    ensure!(lora.rank > 0, "the adapter's rank is 0");
    ensure!(!lora.target_modules.is_empty(), "the adapter has no target modules");
    let (hidden, inner) = (decoder.hidden_size, decoder.intermediate_size);
    let narrow = decoder.num_key_value_heads * decoder.block().head_dim();
    let mut shapes = Vec::new();
    for (at, target) in lora.target_modules.iter().enumerate() {
        let Some((name, part)) = LAYERS.iter().find(|(name, _)| name == target) else {
            let known = layer_names().collect::<Vec<_>>().join(", ");
            bail!("the adapter's target '{target}' is not a layer of the decoder; the layers are {known}");
        };
        ensure!(
            !lora.target_modules[..at].contains(target),
            "the adapter's target '{target}' is named twice"
        );
        let (inputs, outputs) = match *name {
            "k_proj" | "v_proj" => (hidden, narrow),
            "gate_proj" | "up_proj" => (hidden, inner),
            "down_proj" => (inner, hidden),
            _ => (hidden, hidden),
        };
        for layer in 0..decoder.num_hidden_layers {
            let place = format!("model.layers.{layer}.{part}.{name}");
            let a = AdapterShape { name: format!("{place}.lora_A.weight"), shape: [lora.rank, inputs] };
            let b = AdapterShape { name: format!("{place}.lora_B.weight"), shape: [outputs, lora.rank] };
            shapes.extend([a, b]);
        }
    }
    Ok(shapes)
}
