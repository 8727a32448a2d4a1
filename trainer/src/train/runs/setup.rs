//! The set-up that runs share.

use super::config::Schedule;
use crate::text::TextSampler;
use crate::train::examples::advice::QuestionShares;
use crate::train::examples::simulate::{SimulationSettings, Simulator};
use crate::train::optimizer::AdamW;
use crate::train::run::{RunFolder, RunStart};
use crate::train::shards::BatchSplit;
use crate::weights::TOKENIZER;
use anyhow::Result;
use candle_core::{Device, Var};
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
}

impl<'a> RunSetup<'a> {
    /// Checks how a step is divided and opens the folder of the run.
    ///
    /// # Errors
    /// As [`BatchSplit::new`] and [`RunFolder::open`].
    pub fn open(start: &RunStart<'a>, schedule: Schedule<'a>) -> Result<Self> {
        let split = BatchSplit::new(schedule.batch, schedule.shards, schedule.accumulate)?;
        Ok(RunSetup { schedule, split, folder: RunFolder::open(start)?, device: start.device })
    }

    /// The optimizer of these variables, in the state of the checkpoint if there is one, and the steps taken so far.
    ///
    /// # Errors
    /// As [`RunFolder::resume`].
    pub fn optimizer(&self, vars: BTreeMap<String, Var>) -> Result<(AdamW, usize)> {
        let weights: usize = vars.values().map(|var| var.elem_count()).sum();
        let mut optimizer = AdamW::new(vars, self.schedule.optimizer)?;
        let start = self.folder.resume(&mut optimizer)?;
        let (steps, action) = (self.schedule.steps, if start > 0 { "resumed at" } else { "starts at" });
        tracing::info!("{}: {action} step {start} of {steps}, {weights} weights", self.folder.dir.display());
        Ok((optimizer, start))
    }
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
