//! The model card: what a folder of weights says of itself on Hugging Face.

use super::{AdvisorWeights, DECODER, PROJECTOR};
use anyhow::Result;

/// What only the user knows.
#[derive(Clone, Debug)]
pub struct CardFacts {
    /// Name of the model.
    pub name: String,
    /// Licence of the weights, as Hugging Face abbreviates it.
    pub licence: String,
}

pub(super) fn model_card(weights: &AdvisorWeights, has_encoder: bool, facts: &CardFacts) -> Result<String> {
    let count = |is_counted: &dyn Fn(&str) -> bool| -> usize {
        weights
            .tensors
            .iter()
            .filter(|(name, _)| is_counted(name))
            .map(|(_, tensor)| tensor.elem_count())
            .sum()
    };
    let is_adapter = |name: &str| name.contains(".lora_");
    let encoder = "| encoder | `encoder_config.json`, `encoder.safetensors` | |\n";
    Ok(format!(
        include_str!("card.md"),
        // In quotes as JSON writes them, which YAML reads.
        name_quoted = serde_json::to_string(&facts.name)?,
        licence_quoted = serde_json::to_string(&facts.licence)?,
        name = facts.name,
        encoder = if has_encoder { encoder } else { "" },
        blocks = weights.decoder.num_hidden_layers,
        width = weights.decoder.hidden_size,
        tokens = weights.decoder.vocab_size,
        rank = weights.lora.rank,
        alpha = weights.lora.alpha,
        dropout = weights.lora.dropout,
        targets = weights.lora.target_modules.join(", "),
        adapter_weights = count(&is_adapter),
        base_weights = count(&|name| name.starts_with(DECODER) && !is_adapter(name)),
        projector_weights = count(&|name| name.starts_with(PROJECTOR)),
    ))
}
