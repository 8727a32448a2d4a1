//! Sizes of the decoder, with the field names of a Hugging Face `config.json`.

use crate::nn::BlockConfig;
use serde::{Deserialize, Serialize};

/// Sizes of a Qwen2 decoder. Unknown fields of a `config.json` are ignored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DecoderConfig {
    /// Number of tokens, special ones included.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width inside the feed-forward layers.
    pub intermediate_size: usize,
    /// Number of blocks.
    pub num_hidden_layers: usize,
    /// Query heads.
    pub num_attention_heads: usize,
    /// Key and value heads.
    pub num_key_value_heads: usize,
    /// Longest sequence in tokens.
    pub max_position_embeddings: usize,
    /// Whether the output layer is the embedding, transposed.
    pub tie_word_embeddings: bool,
    /// Base of the rotary angles.
    pub rope_theta: f64,
    /// Epsilon of the norms.
    pub rms_norm_eps: f64,
}

impl Default for DecoderConfig {
    fn default() -> Self {
        DecoderConfig {
            vocab_size: 768,
            hidden_size: 128,
            intermediate_size: 384,
            num_hidden_layers: 4,
            num_attention_heads: 4,
            num_key_value_heads: 2,
            max_position_embeddings: 256,
            tie_word_embeddings: true,
            rope_theta: 10_000.0,
            rms_norm_eps: 1e-6,
        }
    }
}

impl DecoderConfig {
    /// Sizes of one block.
    pub fn block(&self) -> BlockConfig {
        BlockConfig {
            hidden: self.hidden_size,
            intermediate: self.intermediate_size,
            heads: self.num_attention_heads,
            key_value_heads: self.num_key_value_heads,
            norm_epsilon: self.rms_norm_eps,
            dropout: 0.0,
        }
    }
}
