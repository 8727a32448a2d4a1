//! Keys and values of the tokens so far.

use crate::decoder::DecoderConfig;

/// Keys and values of one head, `[tokens, head width]` each.
#[derive(Clone, Default)]
pub struct HeadCache {
    /// Keys, rotated to their positions.
    pub keys: Vec<f32>,
    /// Values.
    pub values: Vec<f32>,
}

/// What a model remembers of the tokens that it has read: a place from which a text can be continued.
///
/// A clone is a snapshot. The prompt that all questions share is read once; each question goes on from a clone, or the cache
/// is cut back to the prompt with [`Cache::truncate`].
#[derive(Clone)]
pub struct Cache {
    /// Heads of each layer.
    pub(super) layers: Vec<Vec<HeadCache>>,
    pub(super) tokens: usize,
    head_width: usize,
}

impl Cache {
    /// An empty cache.
    pub fn new(config: &DecoderConfig) -> Self {
        let heads = vec![HeadCache::default(); config.num_key_value_heads];
        Cache {
            layers: vec![heads; config.num_hidden_layers],
            tokens: 0,
            head_width: config.block().head_dim(),
        }
    }

    /// Number of tokens.
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// Forgets all tokens from number `tokens` on; does nothing where there are fewer.
    pub fn truncate(&mut self, tokens: usize) {
        self.tokens = self.tokens.min(tokens);
        for head in self.layers.iter_mut().flatten() {
            head.keys.truncate(self.tokens * self.head_width);
            head.values.truncate(self.tokens * self.head_width);
        }
    }

    /// Memory in bytes.
    pub fn bytes(&self) -> usize {
        let heads = self.layers.iter().flatten();
        heads.map(|head| (head.keys.capacity() + head.values.capacity()) * size_of::<f32>()).sum()
    }

    /// Whether it belongs to a model of this configuration.
    pub(super) fn fits(&self, config: &DecoderConfig) -> bool {
        self.layers.len() == config.num_hidden_layers
            && self.layers.iter().all(|heads| heads.len() == config.num_key_value_heads)
            && self.head_width == config.block().head_dim()
    }
}
