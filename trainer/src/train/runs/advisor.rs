//! Tunes the decoder with an adapter (LoRA), and the projector with it, on flawed mixes as the encoder reads them.

use super::advice_loop::{AdviceLoop, Validation};
use super::config::tuning_config;
use super::large::train_large;
use super::setup::{LanguageTools, RunSetup, VALIDATION_SEED};
use crate::mixing::mixer::MixSettings;
use crate::train::early_stop::EarlyStop;
use crate::train::examples::advice::{AdviceLoss, QuestionShares, advice_loss};
use crate::train::examples::simulate::SimulationSettings;
use crate::train::examples::tuning::MixSource;
use crate::train::large::base::is_checkpoint;
use crate::train::optimizer::{AdamW, OptimizerSettings};
use crate::train::run::RunStart;
use crate::train::tuning::{ModelConfigs, TunedModel};
use crate::weights::{Part, field, load_part};
use anyhow::{Context, Result};
use candle_core::Device;
use mixing_buddy_core::decoder::{Projector, ProjectorConfig};
use mixing_buddy_core::nn::{DropoutStream, LoraConfig};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use std::path::Path;

tuning_config! {
    /// One advisor run, as in its TOML file.
    pub struct AdvisorRun {
        /// Whether the frozen decoder is stored in 8 bits and dequantized where it is used (QLoRA): a quarter of the
        /// memory.
        pub quantize_base: bool,
        /// Soft tokens per stem; as in the pretrained decoder if not set. With another number, the tokens for the sound
        /// start from fresh weights.
        pub tokens_per_stem: Option<usize>,
        /// The adapter.
        pub lora: LoraConfig,
    }
}

impl Default for AdvisorRun {
    fn default() -> Self {
        AdvisorRun {
            seed: 1,
            steps: 800,
            batch: 64,
            accumulate: 1,
            shards: 2,
            checkpoint_steps: 100,
            early_stop: EarlyStop::default(),
            optimizer: OptimizerSettings {
                learning_rate: 5e-4,
                warmup_steps: 50,
                weight_decay: 0.01,
                average_decay: 0.99,
                ..OptimizerSettings::default()
            },
            simulation: SimulationSettings::default(),
            questions: QuestionShares::default(),
            mixes: 3000,
            held_out_share: 0.5,
            simulated: 0.4,
            validation_mixes: 0,
            mix: MixSettings::default(),
            quantize_base: false,
            tokens_per_stem: None,
            lora: LoraConfig { rank: 8, alpha: 16.0, ..LoraConfig::default() },
        }
    }
}

/// Seeds of training examples are the run's seed shifted by this, and the number of the part.
const SEED_SHIFT: u32 = 41;
/// Seeds of dropout are the run's seed, XOR the number of the part shifted by this.
const DROPOUT_SHIFT: u32 = 33;

/// Starts or resumes the tuning that the configuration describes, on the decoder in `decoder_file`: of a decoder run, of a
/// bundle, or a pretrained base, for which the songs may be left out.
///
/// # Errors
/// As [`super::encoder::train_encoder`].
pub fn train_advisor(start: &RunStart<'_>, source: Option<MixSource<'_>>, decoder_file: &Path) -> Result<()> {
    if is_checkpoint(decoder_file) {
        return train_large(start, source, decoder_file);
    }
    let source = source.context("name the songs (--cache) and the encoder that reads them (--encoder)")?;
    let run = AdvisorRun::from_toml(start.config)?;
    let tools = LanguageTools::shipped()?;
    let simulator = tools.simulator(&run.simulation, &run.questions);

    let model = decoder_to_tune(&run, decoder_file, start.device)?;
    source.check()?;
    let setup = RunSetup::open(start, run.schedule())?;
    let (mut optimizer, first_step) = setup.optimizer(model.trained_vars())?;
    let set = run.mix_reader(source, setup.device).read_all(&simulator, &tools.sampler)?;

    let loss = |number: u64| {
        let mut rng = SmallRng::seed_from_u64(run.seed << SEED_SHIFT | number);
        let examples = (0..setup.split.examples_per_part())
            .map(|_| set.examples.draw(&mut rng))
            .collect::<Result<Vec<_>>>()?;
        let dropout = DropoutStream::new(run.seed ^ number << DROPOUT_SHIFT);
        let model = model.language_model(&tools.tokenizer);
        advice_loss(model, &tools.sampler, &examples, Some(&dropout), &mut rng)?.into_outcome()
    };
    let validate = |optimizer: &AdamW| -> Result<f64> {
        let frozen = model.frozen_with(model.weights(optimizer)?)?;
        let mut rng = SmallRng::seed_from_u64(VALIDATION_SEED ^ run.seed);
        let examples = set
            .held_out
            .iter()
            .map(|mix| set.examples.ask_about(mix, &mut rng))
            .collect::<Result<Vec<_>>>()?;
        let model = frozen.language_model(&tools.tokenizer);
        Ok(advice_loss(model, &tools.sampler, &examples, None, &mut rng)?.decision)
    };
    let validate = (!set.held_out.is_empty()).then_some(&validate as Validation<'_>);
    let steps = AdviceLoop { name: "advisor", figures: &AdviceLoss::FIGURES, setup: &setup };
    steps.run(&mut optimizer, first_step, loss, validate, |optimizer, step, path| {
        model.save(optimizer, step, path)
    })
}

/// The pretrained decoder, with an adapter.
fn decoder_to_tune(run: &AdvisorRun, decoder_file: &Path, device: &Device) -> Result<TunedModel> {
    let (mut base, metadata) = load_part(decoder_file, Part::Decoder)?;
    let mut projector: ProjectorConfig = field(&metadata, "projector", decoder_file)?;
    if let Some(tokens) = run.tokens_per_stem.filter(|tokens| *tokens != projector.tokens_per_stem) {
        projector.tokens_per_stem = tokens;
        base.retain(|name, _| !Projector::is_of_sound(name));
    }
    let decoder = field(&metadata, "decoder", decoder_file)?;
    let configs = ModelConfigs { decoder, projector, lora: run.lora.clone() };
    TunedModel::new(run.seed, base, configs, run.quantize_base, device)
}
