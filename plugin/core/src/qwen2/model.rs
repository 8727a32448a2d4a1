//! The model: blocks of attention and feed-forward layers over embeddings.

use super::adapter::Adapter;
use super::attention::{Angles, Heads, attend};
use super::cache::Cache;
use super::files::{Checkpoint, Part, Place, Weights};
use super::fingerprint::Fingerprint;
use super::linear::Linear;
use super::math;
use super::matrix::Matrix;
use super::product::{Inputs, Precision, Runner};
use super::team::Team;
use crate::cancel::CancelFlag;
use crate::decoder::DecoderConfig;
use crate::error::{Error, Result};
use crate::isa::Isa;
use std::path::Path;

/// Tokens that pass through the layers together. More need more memory (40 kB each with 0.5 B parameters) and gain nothing:
/// by then the cost of unpacking the weights has faded.
const MOST_TOGETHER: usize = 128;

struct Block {
    attention_norm: Vec<f32>,
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    feed_forward_norm: Vec<f32>,
    gate: Linear,
    up: Linear,
    down: Linear,
}

impl Block {
    fn load(weights: &Weights, config: &DecoderConfig, number: usize) -> Result<Self> {
        let norm = |part| weights.norm(Place::Block(number, part), config.hidden_size);
        let linear = |part| Linear::load(weights, config, number, part);
        Ok(Block {
            attention_norm: norm(Part::AttentionNorm)?,
            query: linear(Part::Query)?,
            key: linear(Part::Key)?,
            value: linear(Part::Value)?,
            output: linear(Part::Output)?,
            feed_forward_norm: norm(Part::FeedForwardNorm)?,
            gate: linear(Part::Gate)?,
            up: linear(Part::Up)?,
            down: linear(Part::Down)?,
        })
    }

    fn linear_mut(&mut self, part: Part) -> Option<&mut Linear> {
        Some(match part {
            Part::Query => &mut self.query,
            Part::Key => &mut self.key,
            Part::Value => &mut self.value,
            Part::Output => &mut self.output,
            Part::Gate => &mut self.gate,
            Part::Up => &mut self.up,
            Part::Down => &mut self.down,
            Part::AttentionNorm | Part::FeedForwardNorm => return None,
        })
    }
}

/// How a call runs.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// Threads, the calling one included. Those that are started end with the call.
    pub threads: usize,
    /// Precision of the products.
    pub precision: Precision,
    /// Looked at before each layer.
    pub cancel: CancelFlag,
}

impl Default for RunOptions {
    fn default() -> Self {
        RunOptions { threads: 1, precision: Precision::Fast, cancel: CancelFlag::new() }
    }
}

/// A Qwen2 model whose weights stay in their file, as they are stored there.
pub struct Model {
    config: DecoderConfig,
    embedding: Matrix,
    head: Option<Matrix>,
    final_norm: Vec<f32>,
    blocks: Vec<Block>,
    fingerprint: Fingerprint,
    isa: Isa,
}

impl Model {
    /// The model of a checkpoint. Reads the small tensors; the matrices are read when they are used.
    ///
    /// # Errors
    /// When a weight is missing or of another shape.
    pub fn load(checkpoint: &Checkpoint) -> Result<Self> {
        Self::from_weights(&checkpoint.weights, &checkpoint.config)
    }

    /// As [`Model::load`], from tensors and sizes.
    ///
    /// # Errors
    /// As [`Model::load`].
    pub fn from_weights(weights: &Weights, config: &DecoderConfig) -> Result<Self> {
        let (vocabulary, hidden) = (config.vocab_size, config.hidden_size);
        let head = match config.tie_word_embeddings {
            true => None,
            false => Some(weights.matrix(Place::Head, vocabulary, hidden)?),
        };
        Ok(Model {
            embedding: weights.matrix(Place::Embedding, vocabulary, hidden)?,
            head,
            final_norm: weights.norm(Place::FinalNorm, hidden)?,
            blocks: (0..config.num_hidden_layers)
                .map(|n| Block::load(weights, config, n))
                .collect::<Result<_>>()?,
            fingerprint: Fingerprint::of(weights, config)?,
            config: config.clone(),
            isa: Isa::best(),
        })
    }

    /// Uses these instructions in place of the best ones: for tests and benchmarks.
    #[must_use]
    pub fn with_isa(mut self, isa: Isa) -> Self {
        self.isa = isa;
        self
    }

    /// Sizes.
    pub fn config(&self) -> &DecoderConfig {
        &self.config
    }

    /// What tells this base from others.
    pub fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }

    /// Puts an adapter over the linear layers, in place of an earlier one.
    ///
    /// # Errors
    /// [`Error::Model`], naming the adapter's file, when it was made for another base or does not fit.
    pub fn adapt(&mut self, path: &Path, adapter: Adapter) -> Result<()> {
        adapter.check(&self.fingerprint, &self.config).map_err(|reason| Error::model(path, reason))?;
        let mut layers = adapter.layers;
        for (number, block) in self.blocks.iter_mut().enumerate() {
            for part in Part::LINEAR {
                if let Some(linear) = block.linear_mut(part) {
                    linear.adapter = layers.remove(&(number, part));
                }
            }
        }
        Ok(())
    }

    /// Removes the adapter.
    pub fn remove_adapter(&mut self) {
        for block in &mut self.blocks {
            for part in Part::LINEAR {
                if let Some(linear) = block.linear_mut(part) {
                    linear.adapter = None;
                }
            }
        }
    }

    /// Embeddings of tokens, `[tokens, hidden]`. Soft tokens are further rows of this kind.
    ///
    /// # Errors
    /// When a token is not in the vocabulary.
    pub fn embed(&self, ids: &[u32]) -> Result<Vec<f32>> {
        let mut rows = vec![0.0; ids.len() * self.config.hidden_size];
        for (id, row) in ids.iter().zip(rows.chunks_exact_mut(self.config.hidden_size)) {
            let place = *id as usize;
            if place >= self.embedding.rows() {
                let count = self.embedding.rows();
                return Err(Error::Format(format!("the token {id} is not in the vocabulary of {count}")));
            }
            self.embedding.dense_row(place, row);
        }
        Ok(rows)
    }

    /// Reads embeddings `[tokens, hidden]` after those in the cache, and returns the logits of the token that follows.
    ///
    /// # Errors
    /// When cancelled, the sequence is too long, or sizes do not fit. The cache is then as before.
    pub fn extend(&self, cache: &mut Cache, embeddings: &[f32], options: &RunOptions) -> Result<Vec<f32>> {
        let hidden = self.config.hidden_size;
        Team::with(options.threads, |team| {
            let states = self.states(team, cache, embeddings, options)?;
            Ok(self.logits_of(team, &states[states.len() - hidden..], options))
        })
    }

    /// Reads embeddings as [`Model::extend`], where nobody asks for the token that follows: its logits cost
    /// as much as a third of a token.
    ///
    /// # Errors
    /// As [`Model::extend`].
    pub fn read(&self, cache: &mut Cache, embeddings: &[f32], options: &RunOptions) -> Result<()> {
        Team::with(options.threads, |team| self.states(team, cache, embeddings, options).map(drop))
    }

    /// As [`Model::extend`], with the logits behind every token, `[tokens, vocabulary]`.
    ///
    /// # Errors
    /// As [`Model::extend`].
    pub fn extend_all(
        &self,
        cache: &mut Cache,
        embeddings: &[f32],
        options: &RunOptions,
    ) -> Result<Vec<f32>> {
        Team::with(options.threads, |team| {
            let states = self.states(team, cache, embeddings, options)?;
            Ok(self.logits_of(team, &states, options))
        })
    }

    fn runner<'a>(&self, team: &'a Team<'a>, options: &RunOptions) -> Runner<'a> {
        Runner { isa: self.isa, team, precision: options.precision }
    }

    fn logits_of(&self, team: &Team<'_>, states: &[f32], options: &RunOptions) -> Vec<f32> {
        let hidden = self.config.hidden_size;
        let columns = states.len() / hidden;
        let mut inputs = Inputs::default();
        self.norm(states, &self.final_norm, &mut inputs, options.precision);
        let head = self.head.as_ref().unwrap_or(&self.embedding);
        let mut logits = vec![0.0; head.rows() * columns];
        self.runner(team, options).multiply(head, &inputs, &mut logits);
        logits
    }

    /// Hidden states behind the last block, `[tokens, hidden]`.
    fn states(
        &self,
        team: &Team<'_>,
        cache: &mut Cache,
        embeddings: &[f32],
        options: &RunOptions,
    ) -> Result<Vec<f32>> {
        let hidden = self.config.hidden_size;
        let tokens = embeddings.len() / hidden;
        let (before, longest) = (cache.tokens(), self.config.max_position_embeddings);
        if tokens == 0 || embeddings.len() != tokens * hidden || !cache.fits(&self.config) {
            return Err(Error::Format("the embeddings or the cache do not fit the model".into()));
        }
        if before + tokens > longest {
            return Err(Error::Format(format!(
                "the text has {} tokens; the model reads {longest} at most",
                before + tokens
            )));
        }
        let mut states = embeddings.to_vec();
        for some in states.chunks_mut(MOST_TOGETHER * hidden) {
            if let Err(error) = self.read_some(team, cache, some, options) {
                cache.truncate(before);
                return Err(error);
            }
        }
        Ok(states)
    }

    /// Passes a few tokens through all blocks, in place.
    fn read_some(
        &self,
        team: &Team<'_>,
        cache: &mut Cache,
        states: &mut [f32],
        options: &RunOptions,
    ) -> Result<()> {
        let (config, runner) = (&self.config, self.runner(team, options));
        let tokens = states.len() / config.hidden_size;
        let heads = Heads::of(config);
        let angles = Angles::new(config.rope_theta, heads.width, cache.tokens(), tokens);
        let mut inputs = Inputs::default();
        let [mut query, mut key, mut value, mut added] = std::array::from_fn(|_| Vec::new());
        for (block, known) in self.blocks.iter().zip(&mut cache.layers) {
            options.cancel.check()?;
            self.norm(states, &block.attention_norm, &mut inputs, options.precision);
            block.query.apply(&runner, &inputs, &mut query);
            block.key.apply(&runner, &inputs, &mut key);
            block.value.apply(&runner, &inputs, &mut value);
            angles.rotate(&mut query, heads.queries * heads.width);
            let shared = known.len() * heads.width;
            angles.rotate(&mut key, shared);
            for (keys, values) in key.chunks_exact(shared).zip(value.chunks_exact(shared)) {
                let pairs = keys.chunks_exact(heads.width).zip(values.chunks_exact(heads.width));
                for (head, (keys, values)) in known.iter_mut().zip(pairs) {
                    head.keys.extend_from_slice(keys);
                    head.values.extend_from_slice(values);
                }
            }
            let attended = inputs.values_mut(tokens, config.hidden_size);
            attend(team, heads, &query, known, tokens, attended);
            inputs.finish(options.precision);
            block.output.apply(&runner, &inputs, &mut added);
            math::add(states, &added);

            self.norm(states, &block.feed_forward_norm, &mut inputs, options.precision);
            block.gate.apply(&runner, &inputs, &mut query);
            block.up.apply(&runner, &inputs, &mut value);
            let inner = inputs.values_mut(tokens, config.intermediate_size);
            inner.copy_from_slice(&query);
            math::swiglu(inner, &value);
            inputs.finish(options.precision);
            block.down.apply(&runner, &inputs, &mut added);
            math::add(states, &added);
        }
        cache.tokens += tokens;
        Ok(())
    }

    /// Normalises each state into `inputs`.
    fn norm(&self, states: &[f32], weight: &[f32], inputs: &mut Inputs, precision: Precision) {
        let hidden = self.config.hidden_size;
        let to = inputs.values_mut(states.len() / hidden, hidden);
        for (state, to) in states.chunks_exact(hidden).zip(to.chunks_exact_mut(hidden)) {
            math::rms_norm(state, weight, self.config.rms_norm_eps as f32, to);
        }
        inputs.finish(precision);
    }
}
