//! The decoder: a Qwen2 transformer over embeddings.

use super::config::DecoderConfig;
use crate::error::Result;
use crate::nn::block::{Block, KeyValueCache, RotaryTable, causal_mask};
use crate::nn::{DropoutStream, Init, Linear, LoraConfig, Params, ops};
use candle_core::{Device, Tensor};

/// A Qwen2 decoder that takes embeddings, so that soft tokens can stand among text tokens.
pub struct Decoder {
    embed: Tensor,
    blocks: Vec<Block>,
    norm: Tensor,
    head: Linear,
    rotary: RotaryTable,
    epsilon: f64,
}

impl Decoder {
    /// The decoder whose weights are at `params`, named as in a Hugging Face checkpoint of Qwen2.
    ///
    /// # Errors
    /// When a weight is missing or of another shape.
    pub fn new(params: &Params, config: &DecoderConfig, lora: Option<&LoraConfig>) -> Result<Self> {
        let (model, hidden) = (params.pp("model"), config.hidden_size);
        let layers = model.pp("layers");
        let embed =
            model.pp("embed_tokens").get("weight", (config.vocab_size, hidden), Init::Normal(0.05))?;
        let head = if config.tie_word_embeddings {
            Linear::sharing(embed.clone(), params.is_frozen())?
        } else {
            Linear::new(params, "lm_head", (hidden, config.vocab_size), false, None)?
        };
        Ok(Decoder {
            embed,
            blocks: (0..config.num_hidden_layers)
                .map(|i| Block::new(&layers.pp(i), config.block(), lora))
                .collect::<candle_core::Result<_>>()?,
            norm: model.pp("norm").get("weight", hidden, Init::Const(1.0))?,
            head,
            rotary: RotaryTable::new(
                config.max_position_embeddings,
                config.block().head_dim(),
                config.rope_theta,
                params.device(),
            )?,
            epsilon: config.rms_norm_eps,
        })
    }

    /// Embeddings of token ids, `[tokens]` to `[tokens, hidden]`.
    ///
    /// # Errors
    /// When an id is outside of the vocabulary.
    pub fn embed(&self, ids: &[u32]) -> Result<Tensor> {
        Ok(self.embed.index_select(&Tensor::new(ids, self.embed.device())?, 0)?)
    }

    /// Hidden states of `[batch, tokens, hidden]` embeddings under a causal mask (padding belongs at the end).
    ///
    /// # Errors
    /// When shapes do not fit or the sequence is too long.
    pub fn forward(&self, embeds: &Tensor, dropout: Option<&DropoutStream>) -> Result<Tensor> {
        let mask = causal_mask(embeds.dim(1)?, 0, embeds.device())?;
        let mut x = embeds.clone();
        for block in &self.blocks {
            x = block.forward(&x, &self.rotary, Some(&mask), None, dropout)?;
        }
        Ok(ops::rms_norm(&x, &self.norm, self.epsilon)?)
    }

    /// As [`Decoder::forward`], continuing after the tokens in `cache`.
    ///
    /// # Errors
    /// When shapes do not fit or the sequence is too long.
    pub fn forward_cached(&self, embeds: &Tensor, cache: &mut KeyValueCache) -> Result<Tensor> {
        let tokens = embeds.dim(1)?;
        let mask =
            if tokens > 1 { Some(causal_mask(tokens, cache.tokens(), embeds.device())?) } else { None };
        let mut x = embeds.clone();
        for (layer, block) in self.blocks.iter().enumerate() {
            x = block.forward(&x, &self.rotary, mask.as_ref(), Some((cache, layer)), None)?;
        }
        Ok(ops::rms_norm(&x, &self.norm, self.epsilon)?)
    }

    /// The device of the weights, on which inputs must be.
    pub fn device(&self) -> &Device {
        self.embed.device()
    }

    /// Number of tokens.
    pub fn vocabulary(&self) -> usize {
        self.embed.dims()[0]
    }

    /// Logits over the vocabulary of hidden states `[rows, hidden]`.
    ///
    /// # Errors
    /// When shapes do not fit.
    pub fn logits(&self, hidden: &Tensor) -> Result<Tensor> {
        Ok(self.head.forward(hidden, None)?)
    }

    /// Logits of these tokens only, `[rows, tokens]`: a choice among a few needs no others.
    ///
    /// # Errors
    /// When shapes do not fit, or the head is stored quantised.
    pub fn logits_of(&self, hidden: &Tensor, ids: &Tensor) -> Result<Tensor> {
        let rows = self.head.weight_rows(ids)?;
        Ok(hidden.matmul(&rows.t()?)?)
    }
}
