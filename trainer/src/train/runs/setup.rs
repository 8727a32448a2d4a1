//! The set-up that runs share.

use super::config::Schedule;
use crate::text::TextSampler;
use crate::train::examples::advice::QuestionShares;
use crate::train::examples::simulate::{SimulationSettings, Simulator};
use crate::train::optimizer::AdamW;
use crate::train::ranks::{Ranks, ensure_same, hash_of};
use crate::train::run::{RunFolder, RunStart};
use crate::train::shards::BatchSplit;
use crate::weights::TOKENIZER;
use anyhow::{Result, ensure};
use candle_core::{Device, Tensor, Var};
use mixing_buddy_core::language::AdviceTokenizer;
use mixing_buddy_core::norms::NormsSummary;
use std::collections::BTreeMap;

/// Seeds of validation examples: the run's seed, XOR this. Seeds of training examples are the run's seed times 2^40 or
/// more plus a small number, so that no validation example is trained on.
pub const VALIDATION_SEED: u64 = 0x7a11_da7e_0000_0000;

/// What every run starts with.
pub struct RunSetup<'a> {
    /// What the loop needs from the configuration.
    pub schedule: Schedule<'a>,
    /// How the examples of a step are divided.
    pub split: BatchSplit,
    /// The folder of the run.
    pub folder: RunFolder,
    /// Where the run computes.
    pub device: &'a Device,
    /// The processes that work on the run.
    pub ranks: &'a dyn Ranks,
}

impl<'a> RunSetup<'a> {
    /// Checks how a step is divided and opens the folder of the run.
    ///
    /// # Errors
    /// As [`BatchSplit::new`], [`BatchSplit::among`] and [`RunFolder::open`]; when another rank has another configuration.
    pub fn open(start: &RunStart<'a>, schedule: Schedule<'a>) -> Result<Self> {
        let RunStart { config, device, ranks, .. } = *start;
        let split = BatchSplit::new(schedule.batch, schedule.shards, schedule.accumulate)?.among(ranks)?;
        let hash = hash_of(|hasher| hasher.write(config.as_bytes()));
        ensure_same(ranks, hash, "the settings of this configuration are not")?;
        Ok(RunSetup { schedule, split, folder: RunFolder::open(start)?, device, ranks })
    }

    /// The optimizer of these variables, in the state of the checkpoint if there is one, and the steps taken so far. All
    /// ranks get the state of the first.
    ///
    /// # Errors
    /// As [`RunFolder::resume`]; when the model of another rank has other sizes.
    pub fn optimizer(&self, vars: BTreeMap<String, Var>) -> Result<(AdamW, usize)> {
        let weights: usize = vars.values().map(|var| var.elem_count()).sum();
        let mut optimizer = AdamW::new(vars, self.schedule.optimizer)?;
        let start = if self.ranks.is_first() { self.folder.resume(&mut optimizer)? } else { 0 };
        let start = share_state(self.ranks, &mut optimizer, start, weights)?;
        let (steps, action) = (self.schedule.steps, if start > 0 { "resumed at" } else { "starts at" });
        tracing::info!("{}: {action} step {start} of {steps}, {weights} weights", self.folder.dir.display());
        Ok((optimizer, start))
    }

    /// Whether a checkpoint is written after this step.
    pub fn is_checkpoint(&self, done: usize) -> bool {
        done.is_multiple_of(self.schedule.checkpoint_steps) || done == self.schedule.steps
    }

    /// Before a checkpoint: whether this rank still has the weights of the first. They differ where a machine computes
    /// otherwise, for example with another version of the system's mathematical functions.
    ///
    /// # Errors
    /// When they differ.
    pub fn compare_weights(&self, optimizer: &AdamW) -> Result<()> {
        if self.ranks.count() == 1 {
            return Ok(());
        }
        let hash = hash_of(|hasher| optimizer.feed_weights(hasher));
        ensure_same(self.ranks, hash, "the weights are no longer")
    }
}

/// Gives the state of the first rank to all, and its step. So the folder of a run, and what it starts from, may be on the
/// first rank's machine alone, and no rank starts from other weights.
fn share_state(ranks: &dyn Ranks, optimizer: &mut AdamW, step: usize, weights: usize) -> Result<usize> {
    if ranks.count() == 1 {
        return Ok(step);
    }
    let mut head = [step as f64, weights as f64];
    ranks.broadcast_figures(0, &mut head);
    ensure!(
        head[1] == weights as f64,
        "the model has {weights} weights here and {} on rank 0; give all ranks the same files",
        head[1]
    );
    let mut state = optimizer.state()?;
    for tensor in state.values_mut() {
        let mut values = tensor.flatten_all()?.to_vec1::<f32>()?;
        ranks.broadcast(0, &mut values);
        *tensor = Tensor::from_vec(values, tensor.shape(), &Device::Cpu)?;
    }
    let step = head[0] as usize;
    optimizer.restore(&state, step)?;
    Ok(step)
}

/// What language model runs make text with.
pub struct LanguageTools {
    /// Draws questions and sentences.
    pub sampler: TextSampler,
    /// Turns text into tokens.
    pub tokenizer: AdviceTokenizer,
}

impl LanguageTools {
    /// The shipped templates and the shipped tokenizer.
    ///
    /// # Errors
    /// When they cannot be parsed.
    pub fn shipped() -> Result<Self> {
        Self::with_tokenizer(AdviceTokenizer::from_bytes(TOKENIZER)?)
    }

    /// The shipped templates and another tokenizer.
    ///
    /// # Errors
    /// When the templates cannot be parsed.
    pub fn with_tokenizer(tokenizer: AdviceTokenizer) -> Result<Self> {
        Ok(LanguageTools { sampler: TextSampler::shipped()?, tokenizer })
    }

    /// Draws simulated examples after the shipped norms.
    pub fn simulator<'a>(
        &'a self,
        simulation: &'a SimulationSettings,
        questions: &'a QuestionShares,
    ) -> Simulator<'a> {
        Simulator::new(simulation, questions, NormsSummary::shipped(), &self.sampler)
    }
}
