//! One transformer block of Qwen2: RMS norm, rotary grouped-query attention, RMS norm, SwiGLU.
//!
//! The decoder stacks causal ones; the encoder the same ones without the causal mask.

use super::linear::{DropoutStream, Linear, LoraConfig};
use super::ops;
use super::params::{Init, Params};
use candle_core::{D, Device, Result, Tensor};

/// Sizes of a block.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BlockConfig {
    /// Width of the residual stream.
    pub hidden: usize,
    /// Width inside the feed-forward layer.
    pub intermediate: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads; divides `heads`.
    pub key_value_heads: usize,
    /// Epsilon of the norms.
    pub norm_epsilon: f64,
    /// Share of each residual branch dropped while training.
    pub dropout: f32,
}

impl BlockConfig {
    /// Width of one head.
    pub fn head_dim(&self) -> usize {
        self.hidden / self.heads
    }
}

/// Cosines and sines of the rotary embedding, `[positions, head_dim / 2]`.
#[derive(Clone)]
pub struct RotaryTable {
    cos: Tensor,
    sin: Tensor,
}

impl RotaryTable {
    /// Angles `position * theta^(-2i / head_dim)` (Su et al. 2021).
    ///
    /// # Errors
    /// As tensor operations.
    pub fn new(positions: usize, head_dim: usize, theta: f64, device: &Device) -> Result<Self> {
        let half = head_dim / 2;
        let angles: Vec<f32> = (0..positions)
            .flat_map(|p| {
                (0..half).map(move |i| (p as f64 * theta.powf(-2.0 * i as f64 / head_dim as f64)) as f32)
            })
            .collect();
        let angles = Tensor::from_vec(angles, (positions, half), device)?;
        Ok(RotaryTable { cos: angles.cos()?, sin: angles.sin()? })
    }

    fn apply(&self, x: &Tensor, offset: usize) -> Result<Tensor> {
        let tokens = x.dim(2)?;
        ops::rope(x, &self.cos.narrow(0, offset, tokens)?, &self.sin.narrow(0, offset, tokens)?)
    }
}

/// Keys and values of all tokens so far, one pair per layer, `[batch, key_value_heads, tokens, head_dim]`.
///
/// Cloning is cheap (tensors are shared), so several answers can branch from one prompt.
#[derive(Clone, Default)]
pub struct KeyValueCache {
    layers: Vec<(Tensor, Tensor)>,
}

impl KeyValueCache {
    /// Number of tokens so far.
    pub fn tokens(&self) -> usize {
        self.layers.first().and_then(|(keys, _)| keys.dim(2).ok()).unwrap_or(0)
    }

    fn extend(&mut self, layer: usize, keys: Tensor, values: Tensor) -> Result<(Tensor, Tensor)> {
        let pair = match self.layers.get(layer) {
            Some((k, v)) => (Tensor::cat(&[k, &keys], 2)?, Tensor::cat(&[v, &values], 2)?),
            None => (keys, values),
        };
        match self.layers.get_mut(layer) {
            Some(slot) => *slot = pair.clone(),
            None => self.layers.push(pair.clone()),
        }
        Ok(pair)
    }
}

struct Attention {
    q: Linear,
    k: Linear,
    v: Linear,
    o: Linear,
}

struct FeedForward {
    gate: Linear,
    up: Linear,
    down: Linear,
}

/// A transformer block.
pub struct Block {
    config: BlockConfig,
    input_norm: Tensor,
    attention: Attention,
    post_norm: Tensor,
    feed_forward: FeedForward,
}

impl Block {
    /// The block at `params`, named as in a Qwen2 checkpoint, with the adapters that `lora` names.
    ///
    /// # Errors
    /// When a weight is missing or of another shape.
    pub fn new(params: &Params, config: BlockConfig, lora: Option<&LoraConfig>) -> Result<Self> {
        let (hidden, inner) = (config.hidden, config.intermediate);
        let narrow = config.key_value_heads * config.head_dim();
        let norm = |name| params.pp(name).get("weight", hidden, Init::Const(1.0));
        let (at, ff) = (params.pp("self_attn"), params.pp("mlp"));
        Ok(Block {
            config,
            input_norm: norm("input_layernorm")?,
            attention: Attention {
                q: Linear::new(&at, "q_proj", (hidden, hidden), true, lora)?,
                k: Linear::new(&at, "k_proj", (hidden, narrow), true, lora)?,
                v: Linear::new(&at, "v_proj", (hidden, narrow), true, lora)?,
                o: Linear::new(&at, "o_proj", (hidden, hidden), false, lora)?,
            },
            post_norm: norm("post_attention_layernorm")?,
            feed_forward: FeedForward {
                gate: Linear::new(&ff, "gate_proj", (hidden, inner), false, lora)?,
                up: Linear::new(&ff, "up_proj", (hidden, inner), false, lora)?,
                down: Linear::new(&ff, "down_proj", (inner, hidden), false, lora)?,
            },
        })
    }

    /// `x` is `[batch, tokens, hidden]`; `mask` is added to the scores, broadcast to `[batch, heads, tokens, keys]`.
    ///
    /// With a `cache`, `x` continues the tokens in its `layer`.
    ///
    /// # Errors
    /// When shapes do not fit.
    pub fn forward(
        &self,
        x: &Tensor,
        rotary: &RotaryTable,
        mask: Option<&Tensor>,
        cache: Option<(&mut KeyValueCache, usize)>,
        dropout: Option<&DropoutStream>,
    ) -> Result<Tensor> {
        let drop = |x: Tensor| dropout.map_or(Ok(x.clone()), |stream| stream.apply(&x, self.config.dropout));
        let normed = ops::rms_norm(x, &self.input_norm, self.config.norm_epsilon)?;
        let x = (x + drop(self.attend(&normed, rotary, mask, cache, dropout)?)?)?;
        let normed = ops::rms_norm(&x, &self.post_norm, self.config.norm_epsilon)?;
        let ff = &self.feed_forward;
        let gated = ops::swiglu(&ff.gate.forward(&normed, dropout)?, &ff.up.forward(&normed, dropout)?)?;
        &x + drop(ff.down.forward(&gated, dropout)?)?
    }

    fn attend(
        &self,
        x: &Tensor,
        rotary: &RotaryTable,
        mask: Option<&Tensor>,
        cache: Option<(&mut KeyValueCache, usize)>,
        dropout: Option<&DropoutStream>,
    ) -> Result<Tensor> {
        let (batch, tokens, hidden) = x.dims3()?;
        let (heads, head_dim) = (self.config.heads, self.config.head_dim());
        let split = |y: Tensor| y.reshape((batch, tokens, (), head_dim))?.transpose(1, 2)?.contiguous();
        let offset = cache
            .as_ref()
            .map_or(0, |(cache, layer)| if *layer == 0 { cache.tokens() } else { cache.tokens() - tokens });
        let q = rotary.apply(&split(self.attention.q.forward(x, dropout)?)?, offset)?;
        let k = rotary.apply(&split(self.attention.k.forward(x, dropout)?)?, offset)?;
        let v = split(self.attention.v.forward(x, dropout)?)?;
        let (k, v) = match cache {
            Some((cache, layer)) => cache.extend(layer, k, v)?,
            None => (k, v),
        };
        let (k, v) = (self.repeat_heads(k)?, self.repeat_heads(v)?);
        let scores = (q.matmul(&k.transpose(D::Minus1, D::Minus2)?)? * (1.0 / (head_dim as f64).sqrt()))?;
        let scores = match mask {
            Some(mask) => scores.broadcast_add(mask)?,
            None => scores,
        };
        let mixed = ops::softmax(&scores)?.matmul(&v)?;
        debug_assert_eq!(mixed.dim(1)?, heads);
        self.attention
            .o
            .forward(&mixed.transpose(1, 2)?.contiguous()?.reshape((batch, tokens, hidden))?, dropout)
    }

    fn repeat_heads(&self, x: Tensor) -> Result<Tensor> {
        let times = self.config.heads / self.config.key_value_heads;
        if times == 1 {
            return x.contiguous();
        }
        let (batch, heads, tokens, dim) = x.dims4()?;
        x.unsqueeze(2)?.expand((batch, heads, times, tokens, dim))?.reshape((
            batch,
            heads * times,
            tokens,
            dim,
        ))
    }
}

/// A mask for causal attention: `[tokens, past + tokens]`, 0 for a token and those before it, and -1e9 (for -∞) after
/// it.
///
/// # Errors
/// As tensor operations.
pub fn causal_mask(tokens: usize, past: usize, device: &Device) -> Result<Tensor> {
    let keys = past + tokens;
    let values: Vec<f32> =
        (0..tokens).flat_map(|t| (0..keys).map(move |k| if k <= past + t { 0.0 } else { -1e9 })).collect();
    Tensor::from_vec(values, (tokens, keys), device)
}
