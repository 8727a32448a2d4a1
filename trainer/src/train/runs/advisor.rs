//! LoRA-tunes the decoder, and the projector with it, on flawed mixes as the encoder hears them.

use super::decoder::VALIDATION_SEED;
use crate::mixing::mixer::MixSettings;
use crate::text::TextSampler;
use crate::train::advice_loop::{AdviceSteps, Validation, train_advice};
use crate::train::early_stop::EarlyStop;
use crate::train::examples::advice::{ADVICE_FIGURES, DECISION, QuestionMix, advice_loss};
use crate::train::examples::readings::{Examples, MixReader};
use crate::train::examples::simulate::{SimulationSettings, Simulator};
use crate::train::optimizer::{AdamW, OptimizerSettings};
use crate::train::run::{RunFolder, RunStart};
use crate::train::shards::BatchSplit;
use crate::train::tuning::TunedModel;
use crate::weights::field;
use crate::weights::{Part, load_part};
use anyhow::{Context, Result};
use mixing_buddy_core::decoder::{Projector, ProjectorConfig};
use mixing_buddy_core::language::AdviceTokenizer;
use mixing_buddy_core::nn::{DropoutStream, LoraConfig};
use mixing_buddy_core::norms::NormsSummary;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// One advisor run, as in its TOML file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdvisorRun {
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
    /// Flawed mixes heard once before training; each is asked about many times.
    pub mixes: usize,
    /// Share of these that are of songs which the encoder was not trained on.
    #[serde(alias = "unheard")]
    pub held_out_share: f64,
    /// Share of simulated readings in each batch, which keeps what the pretraining taught.
    pub simulated: f64,
    /// Flawed mixes of `calib` songs, never trained on, that each checkpoint is measured with; 0 for none.
    pub validation_mixes: usize,
    /// When the run ends before its last step, by that figure.
    pub early_stop: EarlyStop,
    /// Whether the frozen decoder is stored in 8 bits and dequantised where it is used (QLoRA): a quarter of the memory.
    pub quantize_base: bool,
    /// Soft tokens a stem; as the decoder was pretrained where none is named. With another number the tokens of the
    /// sound begin anew.
    pub tokens_per_stem: Option<usize>,
    /// The adapter.
    pub lora: LoraConfig,
    /// Optimiser.
    pub optimizer: OptimizerSettings,
    /// Mixing of the examples.
    pub mix: MixSettings,
    /// Simulated meter and songs.
    pub simulation: SimulationSettings,
    /// What is asked.
    pub questions: QuestionMix,
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
            mixes: 3000,
            held_out_share: 0.5,
            simulated: 0.4,
            validation_mixes: 0,
            early_stop: EarlyStop::default(),
            quantize_base: false,
            tokens_per_stem: None,
            lora: LoraConfig { rank: 8, alpha: 16.0, ..LoraConfig::default() },
            optimizer: OptimizerSettings {
                learning_rate: 5e-4,
                warmup_steps: 50,
                weight_decay: 0.01,
                average_decay: 0.99,
                ..OptimizerSettings::default()
            },
            mix: MixSettings::default(),
            simulation: SimulationSettings::default(),
            questions: QuestionMix::default(),
        }
    }
}

/// Runs (or goes on with) the tuning that the configuration describes.
///
/// # Errors
/// As [`super::encoder::train_encoder`].
pub fn train_advisor(
    begin: &RunStart<'_>,
    cache: &Path,
    encoder_file: &Path,
    decoder_file: &Path,
) -> Result<()> {
    let run: AdvisorRun = toml::from_str(begin.config).context("the configuration cannot be used")?;
    let split = BatchSplit::new(run.batch, run.shards, run.accumulate)?;
    let folder = RunFolder::open(begin)?;

    let (mut base, metadata) = load_part(decoder_file, Part::Decoder)?;
    let mut projector_config: ProjectorConfig = field(&metadata, "projector", decoder_file)?;
    if let Some(tokens) = run.tokens_per_stem.filter(|tokens| *tokens != projector_config.tokens_per_stem) {
        projector_config.tokens_per_stem = tokens;
        base.retain(|name, _| !Projector::is_of_sound(name));
    }
    let model = TunedModel::begin(
        run.seed,
        base,
        (field(&metadata, "decoder", decoder_file)?, projector_config, run.lora.clone()),
        run.quantize_base,
        begin.device,
    )?;
    let mut optimizer = AdamW::new(model.trained(), &run.optimizer)?;
    let start = folder.begin(&mut optimizer)?;

    let sampler = TextSampler::shipped()?;
    let tokenizer = AdviceTokenizer::from_bytes(crate::weights::TOKENIZER)?;
    let simulator = Simulator::new(&run.simulation, &run.questions, NormsSummary::shipped(), &sampler);
    let reader = MixReader {
        seed: run.seed,
        shards: run.shards,
        held_out_share: run.held_out_share,
        mix: &run.mix,
        encoder: encoder_file,
        cache,
        device: begin.device,
    };
    let examples = Examples {
        simulator: &simulator,
        sampler: &sampler,
        questions: &run.questions,
        simulated: run.simulated,
        readings: reader.for_training(run.mixes, &simulator)?,
    };
    let held_out = reader.held_out(run.validation_mixes, &simulator)?;
    let plan = AdviceSteps {
        name: "advisor",
        figures: &ADVICE_FIGURES,
        steps: run.steps,
        split,
        checkpoint_steps: run.checkpoint_steps,
        optimizer: &run.optimizer,
        early_stop: &run.early_stop,
    };
    let loss = |number: u64| {
        let mut rng = SmallRng::seed_from_u64(run.seed << 41 | number);
        let drawn =
            (0..split.examples_per_part()).map(|_| examples.draw(&mut rng)).collect::<Result<Vec<_>>>()?;
        let dropout = DropoutStream::new(run.seed ^ number << 33);
        advice_loss(model.language_model(&tokenizer), &sampler, &drawn, Some(&dropout), &mut rng)
    };
    let validate = |optimizer: &AdamW| -> Result<f64> {
        let (decoder, projector) = model.still(model.weights(optimizer)?)?;
        let mut rng = SmallRng::seed_from_u64(VALIDATION_SEED ^ run.seed);
        let asked =
            held_out.iter().map(|mix| examples.ask_about(mix, &mut rng)).collect::<Result<Vec<_>>>()?;
        let loss = advice_loss((&decoder, &projector, &tokenizer), &sampler, &asked, None, &mut rng)?;
        loss.figure(DECISION).context("the loss has no figure of its decisions")
    };
    let validate = (!held_out.is_empty()).then_some(&validate as Validation<'_>);
    train_advice(&plan, &folder, &mut optimizer, start, loss, validate, |optimizer, step, path| {
        model.save(optimizer, step, path)
    })
}
