//! The model card: the description of a folder of weights on Hugging Face.

use crate::weights::advisor::{AdvisorWeights, DECODER, PROJECTOR};
use anyhow::Result;

/// Facts about the weights that the files do not state.
#[derive(Clone, Debug)]
pub struct CardFacts {
    /// Name of the model.
    pub name: String,
    /// Version of the weights.
    pub version: String,
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
        // JSON strings are valid YAML.
        name_quoted = serde_json::to_string(&facts.name)?,
        licence_quoted = serde_json::to_string(&facts.licence)?,
        name = facts.name,
        version = facts.version,
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
