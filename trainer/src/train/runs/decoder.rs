//! Pretrains the small decoder and the projector on advice text over simulated readings.

use crate::text::TextSampler;
use crate::train::advice_loop::{AdviceSteps, Validation, train_advice};
use crate::train::early_stop::EarlyStop;
use crate::train::examples::advice::{ADVICE_FIGURES, DECISION, QuestionMix, advice_loss};
use crate::train::examples::simulate::{SimulationSettings, Simulator};
use crate::train::optimizer::{AdamW, OptimizerSettings};
use crate::train::run::{RunFolder, RunStart};
use crate::train::shards::BatchSplit;
use crate::weights::{Part, save_tensors, start_from};
use anyhow::{Context, Result, ensure};
use mixing_buddy_core::decoder::{
    Decoder, DecoderConfig, Projector, ProjectorConfig, SHIPPED_TOKENS_PER_STEM,
};
use mixing_buddy_core::language::AdviceTokenizer;
use mixing_buddy_core::nn::Params;
use mixing_buddy_core::norms::NormsSummary;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// Training seeds are a run's seed times 2^40 and a small number; this is none of them.
pub(super) const VALIDATION_SEED: u64 = 0x7a11_da7e_0000_0000;

/// One decoder run, as in its TOML file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DecoderRun {
    /// Seed of everything random.
    pub seed: u64,
    /// Steps in all.
    pub steps: usize,
    /// Examples a micro-batch: what is in memory at a time.
    pub batch: usize,
    /// Micro-batches a step, whose gradients are averaged.
    pub accumulate: usize,
    /// Threads, each with its share of the micro-batch.
    pub shards: usize,
    /// Steps between checkpoints.
    pub checkpoint_steps: usize,
    /// Weights of an earlier run (`decoder.safetensors`) or of a model bundle to begin with; fresh ones where none is named.
    pub start_from: Option<std::path::PathBuf>,
    /// Simulated examples, never trained on, that each checkpoint is measured with; 0 for none.
    pub validation_examples: usize,
    /// When the run ends before its last step, by that figure.
    pub early_stop: EarlyStop,
    /// Inner width of the projector.
    pub projector_inner: usize,
    /// Soft tokens a stem: 1 for its levels alone, each further one for its sound.
    pub tokens_per_stem: usize,
    /// Sizes of the decoder; the vocabulary is the tokenizer's.
    pub decoder: DecoderConfig,
    /// Optimiser.
    pub optimizer: OptimizerSettings,
    /// Simulated meter and songs.
    pub simulation: SimulationSettings,
    /// What is asked.
    pub questions: QuestionMix,
}

impl Default for DecoderRun {
    fn default() -> Self {
        DecoderRun {
            seed: 1,
            steps: 3000,
            batch: 64,
            accumulate: 1,
            shards: 2,
            checkpoint_steps: 250,
            start_from: None,
            validation_examples: 0,
            early_stop: EarlyStop::default(),
            projector_inner: 128,
            tokens_per_stem: SHIPPED_TOKENS_PER_STEM,
            decoder: DecoderConfig::default(),
            optimizer: OptimizerSettings { learning_rate: 2e-3, ..OptimizerSettings::default() },
            simulation: SimulationSettings::default(),
            questions: QuestionMix::default(),
        }
    }
}

/// A decoder's sizes may come from a `config.json` with keys of others' programs; in a run's configuration an unknown
/// one is a slip.
fn check_decoder_keys(config: &str) -> Result<()> {
    let table: toml::Table = toml::from_str(config).context("the configuration cannot be used")?;
    let known = serde_json::to_value(DecoderConfig::default())?;
    for key in table.get("decoder").and_then(toml::Value::as_table).into_iter().flat_map(toml::Table::keys) {
        ensure!(known.get(key).is_some(), "the configuration cannot be used: [decoder] {key} is not known");
    }
    Ok(())
}

/// Runs (or goes on with) the pretraining that the configuration describes.
///
/// # Errors
/// As [`super::encoder::train_encoder`].
pub fn train_decoder(begin: &RunStart<'_>, tokenizer: &Path) -> Result<()> {
    let mut run: DecoderRun = toml::from_str(begin.config).context("the configuration cannot be used")?;
    check_decoder_keys(begin.config)?;
    let split = BatchSplit::new(run.batch, run.shards, run.accumulate)?;
    let folder = RunFolder::open(begin)?;
    let json = std::fs::read(tokenizer).with_context(|| format!("{} cannot be read", tokenizer.display()))?;
    let tokenizer = AdviceTokenizer::from_bytes(&json)?;
    run.decoder.vocab_size = tokenizer.vocabulary_size().next_multiple_of(32);

    let params = Params::train(run.seed, begin.device);
    if let Some(path) = &run.start_from {
        start_from(&params, path, Part::Decoder)?;
    }
    let projector_config = ProjectorConfig {
        tokens_per_stem: run.tokens_per_stem,
        ..ProjectorConfig::new(run.simulation.summary, run.projector_inner, run.decoder.hidden_size)
    };
    let decoder = Decoder::new(&params.pp("decoder"), &run.decoder, None)?;
    let projector = Projector::new(&params.pp("projector"), &projector_config)?;
    let sampler = TextSampler::shipped()?;
    let norms = NormsSummary::shipped();
    let simulator = Simulator::new(&run.simulation, &run.questions, norms, &sampler);
    let mut optimizer = AdamW::new(params.vars(), &run.optimizer)?;
    let start = folder.begin(&mut optimizer)?;
    let weights: usize = params.vars().values().map(|v| v.elem_count()).sum();
    eprintln!("{weights} weights, {} tokens, from step {start} of {}", run.decoder.vocab_size, run.steps);
    let plan = AdviceSteps {
        name: "decoder",
        figures: &ADVICE_FIGURES,
        steps: run.steps,
        split,
        checkpoint_steps: run.checkpoint_steps,
        optimizer: &run.optimizer,
        early_stop: &run.early_stop,
    };
    let loss = |number: u64| {
        let mut rng = SmallRng::seed_from_u64(run.seed << 40 | number);
        let examples = (0..split.examples_per_part())
            .map(|_| simulator.example(&mut rng))
            .collect::<Result<Vec<_>>>()?;
        advice_loss((&decoder, &projector, &tokenizer), &sampler, &examples, None, &mut rng)
    };
    let validate = |optimizer: &AdamW| -> Result<f64> {
        let held = Params::load(optimizer.averaged()?, BTreeMap::new(), begin.device);
        let decoder = Decoder::new(&held.pp("decoder"), &run.decoder, None)?;
        let projector = Projector::new(&held.pp("projector"), &projector_config)?;
        let mut rng = SmallRng::seed_from_u64(VALIDATION_SEED ^ run.seed);
        let examples =
            (0..run.validation_examples).map(|_| simulator.example(&mut rng)).collect::<Result<Vec<_>>>()?;
        let loss = advice_loss((&decoder, &projector, &tokenizer), &sampler, &examples, None, &mut rng)?;
        loss.figure(DECISION).context("the loss has no figure of its decisions")
    };
    let validate = (run.validation_examples > 0).then_some(&validate as Validation<'_>);
    train_advice(&plan, &folder, &mut optimizer, start, loss, validate, |optimizer, step, path| {
        let metadata = [
            ("decoder", serde_json::to_string(&run.decoder)?),
            ("projector", serde_json::to_string(&projector_config)?),
            ("step", step.to_string()),
        ];
        save_tensors(path, &optimizer.averaged()?, &metadata)
    })
}
