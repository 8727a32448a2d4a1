//! Pretrains the small decoder and the projector on advice text over simulated readings.

use super::advice_loop::{AdviceLoop, Validation};
use super::config::language_config;
use super::setup::{LanguageTools, RunSetup, VALIDATION_SEED};
use crate::train::early_stop::EarlyStop;
use crate::train::examples::advice::{AdviceLoss, QuestionShares, advice_loss};
use crate::train::examples::sequences::LanguageModel;
use crate::train::examples::simulate::SimulationSettings;
use crate::train::optimizer::{AdamW, OptimizerSettings};
use crate::train::run::RunStart;
use crate::weights::{save_tensors, start_decoder_from};
use anyhow::{Context, Result, ensure};
use mixing_buddy_core::decoder::{
    Decoder, DecoderConfig, Projector, ProjectorConfig, ReferenceCode, SHIPPED_TOKENS_PER_STEM,
};
use mixing_buddy_core::language::AdviceTokenizer;
use mixing_buddy_core::nn::Params;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use std::collections::BTreeMap;
use std::path::PathBuf;

language_config! {
    /// One decoder run, as in its TOML file.
    pub struct DecoderRun {
        /// Weights to start from: an earlier decoder run (its folder or `decoder.safetensors`) or a model bundle; fresh
        /// weights if not set.
        pub start_from: Option<PathBuf>,
        /// Simulated examples, never trained on, that each checkpoint is measured with; 0 for none.
        pub validation_examples: usize,
        /// Inner width of the projector.
        pub projector_inner: usize,
        /// Soft tokens per stem: 1 for its levels alone, each further one for its sound.
        pub tokens_per_stem: usize,
        /// What the tokens of a reference are made from: `mean`, or `spread` for mean, spread and number of windows.
        pub reference: ReferenceCode,
        /// Sizes of the decoder; the vocabulary is the tokenizer's.
        pub decoder: DecoderConfig,
    }
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
            early_stop: EarlyStop::default(),
            optimizer: OptimizerSettings { learning_rate: 2e-3, ..OptimizerSettings::default() },
            simulation: SimulationSettings::default(),
            questions: QuestionShares::default(),
            start_from: None,
            validation_examples: 0,
            projector_inner: 128,
            tokens_per_stem: SHIPPED_TOKENS_PER_STEM,
            reference: ReferenceCode::Spread,
            decoder: DecoderConfig::default(),
        }
    }
}

/// The vocabulary is rounded up to a multiple of this, so that the output layer fills whole 8-bit blocks.
const VOCABULARY_MULTIPLE: usize = 32;

/// Seeds of training examples are the run's seed shifted by this, and the number of the part.
const SEED_SHIFT: u32 = 40;

/// Refuses unknown keys in `[decoder]`. The sizes of a decoder may come from a `config.json` with keys of other programs;
/// in the configuration of a run an unknown key is a mistake.
fn check_decoder_keys(config: &str) -> Result<()> {
    let table: toml::Table = toml::from_str(config).context("the configuration cannot be used")?;
    let known = serde_json::to_value(DecoderConfig::default())?;
    for key in table.get("decoder").and_then(toml::Value::as_table).into_iter().flat_map(toml::Table::keys) {
        ensure!(known.get(key).is_some(), "the configuration cannot be used: [decoder] has no key '{key}'");
    }
    Ok(())
}

/// Starts or resumes the pretraining that the configuration describes.
///
/// # Errors
/// As [`super::encoder::train_encoder`].
pub fn train_decoder(start: &RunStart<'_>, tokenizer: AdviceTokenizer) -> Result<()> {
    let run = DecoderRun::from_toml(start.config)?;
    check_decoder_keys(start.config)?;
    let tools = LanguageTools::with_tokenizer(tokenizer)?;
    let simulator = tools.simulator(&run.simulation, &run.questions);

    let vocab_size = tools.tokenizer.vocabulary_size().next_multiple_of(VOCABULARY_MULTIPLE);
    let config = DecoderConfig { vocab_size, ..run.decoder.clone() };
    let projector_config = ProjectorConfig {
        tokens_per_stem: run.tokens_per_stem,
        reference: run.reference,
        ..ProjectorConfig::new(run.simulation.summary, run.projector_inner, config.hidden_size)
    };
    let model = |params: &Params| -> Result<(Decoder, Projector)> {
        let decoder = Decoder::new(&params.pp("decoder"), &config, None)?;
        Ok((decoder, Projector::new(&params.pp("projector"), &projector_config)?))
    };
    let params = Params::train(run.seed, start.device);
    let (decoder, projector) = model(&params)?;
    if let Some(path) = &run.start_from {
        start_decoder_from(&params, path)?;
    }
    let setup = RunSetup::open(start, run.schedule())?;
    let (mut optimizer, first_step) = setup.optimizer(params.vars())?;

    let loss = |number: u64| {
        let mut rng = SmallRng::seed_from_u64(run.seed << SEED_SHIFT | number);
        let examples = (0..setup.split.examples_per_part())
            .map(|_| simulator.example(&mut rng))
            .collect::<Result<Vec<_>>>()?;
        let model = LanguageModel { decoder: &decoder, projector: &projector, tokenizer: &tools.tokenizer };
        advice_loss(model, &tools.sampler, &examples, None, &mut rng)?.into_outcome()
    };
    let validate = |optimizer: &AdamW| -> Result<f64> {
        let (decoder, projector) =
            model(&Params::load(optimizer.averaged()?, BTreeMap::new(), setup.device))?;
        let mut rng = SmallRng::seed_from_u64(VALIDATION_SEED ^ run.seed);
        let examples =
            (0..run.validation_examples).map(|_| simulator.example(&mut rng)).collect::<Result<Vec<_>>>()?;
        let model = LanguageModel { decoder: &decoder, projector: &projector, tokenizer: &tools.tokenizer };
        Ok(advice_loss(model, &tools.sampler, &examples, None, &mut rng)?.decision)
    };
    let validate = (run.validation_examples > 0).then_some(&validate as Validation<'_>);
    let steps = AdviceLoop { name: "decoder", figures: &AdviceLoss::FIGURES, setup: &setup };
    steps.run(&mut optimizer, first_step, loss, validate, |optimizer, step, path| {
        let metadata = [
            ("decoder", serde_json::to_string(&config)?),
            ("projector", serde_json::to_string(&projector_config)?),
            ("step", step.to_string()),
        ];
        save_tensors(path, &optimizer.averaged()?, &metadata)
    })
}
