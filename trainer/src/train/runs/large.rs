//! Tunes a pretrained base (a Qwen2 of hundreds of millions of parameters) with an adapter, and the projector with it, on
//! decisions and conversations: about simulated readings, and those of real mixes where there is a cache of songs.
//!
//! A decision learns the oracle's probability of every outcome; a conversation learns its answers. Both pass through the
//! same layout as in the plugin.

use super::advice_loop::{AdviceLoop, Validation};
use super::config::tuning_config;
use super::setup::{LanguageTools, RunSetup, VALIDATION_SEED};
use crate::mixing::loaders::{LoadAhead, Loaded, load_ahead};
use crate::mixing::mixer::MixSettings;
use crate::text::conversation::Language;
use crate::train::early_stop::EarlyStop;
use crate::train::examples::advice::AdviceExample;
use crate::train::examples::conversations::Conversations;
use crate::train::examples::held_out::general_questions;
use crate::train::examples::simulate::{SimulationSettings, Simulator};
use crate::train::examples::tuning::{MixSource, TuningSet};
use crate::train::large::base::dense_base;
use crate::train::large::batch::{DecisionRow, TalkRow, Writer};
use crate::train::large::file::{load_package, save_package};
use crate::train::large::loss::{Parts, decision_loss, talk_loss};
use crate::train::optimizer::{AdamW, OptimizerSettings};
use crate::train::run::RunStart;
use crate::train::shards::ShardOutcome;
use crate::train::tuning::{ModelConfigs, TunedModel};
use anyhow::{Context, Result, ensure};
use mixing_buddy_core::decoder::{ProjectorConfig, ReferenceCode};
use mixing_buddy_core::large::{About, Choices};
use mixing_buddy_core::nn::LoraConfig;
use mixing_buddy_core::qwen2::{Checkpoint, Fingerprint};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use std::path::{Path, PathBuf};

tuning_config! {
    /// One run on a pretrained base, as in its TOML file. `batch` counts decisions.
    pub struct LargeRun {
        /// Adapter of an earlier run, whose weights the run starts with.
        pub start_from: Option<PathBuf>,
        /// Conversations per part of a step, besides the decisions.
        pub conversations: usize,
        /// Languages of the conversations.
        pub languages: Vec<Language>,
        /// Weight of a conversation's loss against that of a decision.
        pub talk_weight: f64,
        /// Decisions that each checkpoint is measured with; conversations are an eighth of that.
        pub held_out: usize,
        /// Threads that make the examples of coming steps.
        pub loaders: usize,
        /// Whether the base is stored in 8 bits and dequantized where it is used (QLoRA).
        pub quantize_base: bool,
        /// Width inside the projector.
        pub projector_inner: usize,
        /// The adapter.
        pub lora: LoraConfig,
        /// Version of the adapter.
        pub version: String,
    }
}

impl Default for LargeRun {
    fn default() -> Self {
        LargeRun {
            seed: 1,
            steps: 2000,
            batch: 48,
            accumulate: 1,
            shards: 1,
            checkpoint_steps: 250,
            early_stop: EarlyStop::default(),
            optimizer: OptimizerSettings {
                learning_rate: 3e-4,
                warmup_steps: 100,
                weight_decay: 0.0,
                average_decay: 0.99,
                ..OptimizerSettings::default()
            },
            simulation: SimulationSettings::default(),
            questions: general_questions(0.5, 0.5),
            mixes: 0,
            held_out_share: 0.5,
            simulated: 1.0,
            validation_mixes: 0,
            mix: MixSettings::default(),
            start_from: None,
            conversations: 8,
            languages: vec![Language::En],
            talk_weight: 0.5,
            held_out: 512,
            loaders: 1,
            quantize_base: true,
            projector_inner: 256,
            lora: LoraConfig { rank: 8, alpha: 16.0, dropout: 0.0, ..LoraConfig::default() },
            version: "0.1.0".into(),
        }
    }
}

/// Seeds of training examples are the run's seed shifted by this, and the number of the part.
const SEED_SHIFT: u32 = 41;
/// Numbers of held-out conversations begin here.
const HELD_OUT_CONVERSATIONS: u64 = 1 << 40;
/// Held-out conversations are the held-out decisions divided by this.
const DECISIONS_PER_CONVERSATION: usize = 8;
/// The projector's last weights start smaller than others: as loud as the embeddings of words, whose values are about a
/// fiftieth.
const SOFT_TOKEN_SCALE: f64 = 0.05;
/// Parts that are made ahead by each loader.
const AHEAD_PER_LOADER: u64 = 4;

/// The examples of a part, or of a validation.
struct Prepared {
    decisions: Vec<DecisionRow>,
    talks: Vec<TalkRow>,
}

/// What draws the examples.
struct Examples<'a> {
    run: &'a LargeRun,
    simulator: &'a Simulator<'a>,
    conversations: &'a Conversations,
    writer: &'a Writer,
    real: Option<&'a TuningSet<'a>>,
    per_part: usize,
}

impl Examples<'_> {
    fn prepare(&self, number: u64) -> Result<Prepared> {
        let mut rng = SmallRng::seed_from_u64(self.run.seed << SEED_SHIFT | number);
        let decisions = (0..self.per_part)
            .map(|_| self.writer.decision(&self.example(&mut rng)?))
            .collect::<Result<_>>()?;
        let count = self.run.conversations as u64;
        let talks = (number * count..(number + 1) * count)
            .map(|n| self.writer.talk(&self.conversations.draw_about(n, |rng| self.example(rng))?))
            .collect::<Result<_>>()?;
        Ok(Prepared { decisions, talks })
    }

    fn held_out(&self) -> Result<Prepared> {
        let mut rng = SmallRng::seed_from_u64(VALIDATION_SEED ^ self.run.seed);
        let decisions = (0..self.run.held_out)
            .map(|n| self.writer.decision(&self.held_out_example(n, &mut rng)?))
            .collect::<Result<_>>()?;
        let talks = (0..self.run.held_out / DECISIONS_PER_CONVERSATION)
            .map(|n| {
                let number = HELD_OUT_CONVERSATIONS + n as u64;
                let example = |rng: &mut SmallRng| self.held_out_example(n, rng);
                self.writer.talk(&self.conversations.draw_about(number, example)?)
            })
            .collect::<Result<_>>()?;
        Ok(Prepared { decisions, talks })
    }

    /// An example to learn from.
    fn example(&self, rng: &mut SmallRng) -> Result<AdviceExample> {
        match self.real {
            Some(set) => set.examples.draw(rng),
            None => self.simulator.example(rng),
        }
    }

    /// An example to measure with: about a mix of a song that nothing learns from, where there are such.
    fn held_out_example(&self, number: usize, rng: &mut SmallRng) -> Result<AdviceExample> {
        match self.real.filter(|set| !set.held_out.is_empty()) {
            Some(set) => set.examples.ask_about(&set.held_out[number % set.held_out.len()], rng),
            None => self.simulator.example(rng),
        }
    }
}

/// Starts or resumes a run on the checkpoint at `base`. Without a source of real mixes, all readings are simulated.
///
/// # Errors
/// As [`super::encoder::train_encoder`].
pub fn train_large(start: &RunStart<'_>, source: Option<MixSource<'_>>, base: &Path) -> Result<()> {
    let run = LargeRun::from_toml(start.config)?;
    ensure!(source.is_some() || run.simulated == 1.0, "without --cache and --encoder, 'simulated' must be 1");
    ensure!(!run.languages.is_empty(), "'languages' needs a language");
    let checkpoint = Checkpoint::open(base)?;
    let fingerprint = Fingerprint::of(&checkpoint.weights, &checkpoint.config)?;
    let (decoder, weights) = dense_base(&checkpoint)?;
    let projector = ProjectorConfig {
        tokens_per_stem: 1,
        reference: ReferenceCode::Spread,
        ..ProjectorConfig::new(1, run.projector_inner, decoder.hidden_size)
    };
    let configs = ModelConfigs { decoder, projector: projector.clone(), lora: run.lora.clone() };
    if let Some(source) = &source {
        source.check()?;
    }
    let earlier = run.start_from.as_deref();
    let earlier = earlier.map(|path| load_package(path, &fingerprint, &run.lora)).transpose()?;
    let setup = RunSetup::open(start, run.schedule())?;
    let model = TunedModel::new(run.seed, weights, configs, run.quantize_base, start.device)?;
    let (mut earlier_steps, mut earlier_conversations) = (0, 0);
    match earlier {
        Some((weights, about)) => {
            model.start_with(&weights).context("start_from: this adapter does not fit the run")?;
            (earlier_steps, earlier_conversations) = (about.steps, about.conversations);
        }
        None => {
            for name in ["projector.level_out.weight", "projector.reference_out.weight"] {
                model.scale(name, SOFT_TOKEN_SCALE)?;
            }
        }
    }
    let (mut optimizer, first_step) = setup.optimizer(model.trained_vars())?;

    let tools = LanguageTools::shipped()?;
    let simulator = tools.simulator(&run.simulation, &run.questions);
    let set = source
        .filter(|_| run.simulated < 1.0)
        .map(|source| run.mix_reader(source, &candle_core::Device::Cpu).read_all(&simulator, &tools.sampler))
        .transpose()?;
    let choices = Choices::new(&checkpoint.tokenizer)?;
    let pad = choices.none;
    let writer = Writer { tokenizer: checkpoint.tokenizer, choices };
    let conversations = Conversations::new(&run.languages, run.seed)?;
    let examples = Examples {
        run: &run,
        simulator: &simulator,
        conversations: &conversations,
        writer: &writer,
        real: set.as_ref(),
        per_part: setup.split.examples_per_part(),
    };

    let parts = || {
        let (decoder, projector) = model.parts();
        Parts { decoder, projector, pad }
    };
    let loss = |prepared: &Prepared| -> Result<ShardOutcome> {
        let decision = decision_loss(parts(), &prepared.decisions)?;
        let mut figures = vec![("loss", 0.0), ("decision", f64::from(decision.to_scalar::<f32>()?))];
        let mut loss = decision;
        if !prepared.talks.is_empty() {
            let talk = talk_loss(parts(), &prepared.talks)?;
            figures.push(("talk", f64::from(talk.to_scalar::<f32>()?)));
            loss = (loss + (talk * run.talk_weight)?)?;
        }
        figures[0].1 = f64::from(loss.to_scalar::<f32>()?);
        Ok(ShardOutcome { loss, figures })
    };
    let held_out = examples.held_out()?;
    let validate = |optimizer: &AdamW| -> Result<f64> {
        optimizer.with_averaged(|| {
            let mean = |losses: Vec<f64>| losses.iter().sum::<f64>() / losses.len().max(1) as f64;
            let value = |loss: candle_core::Tensor| -> Result<f64> {
                Ok(f64::from(loss.detach().to_scalar::<f32>()?))
            };
            let decisions = held_out.decisions.chunks(run.batch);
            let decision =
                mean(decisions.map(|rows| value(decision_loss(parts(), rows)?)).collect::<Result<_>>()?);
            let talks = held_out.talks.chunks(run.conversations.max(1));
            let talk = mean(talks.map(|rows| value(talk_loss(parts(), rows)?)).collect::<Result<_>>()?);
            tracing::info!("held out: decision {decision:.4}, talk {talk:.4} nats");
            Ok(decision + run.talk_weight * talk)
        })
    };
    let validate = (run.held_out > 0).then_some(&validate as Validation<'_>);
    let export = |optimizer: &AdamW, step: usize, path: &Path| {
        let about = About {
            version: run.version.clone(),
            base_name: checkpoint.name.clone(),
            licence: "CC-BY-SA-4.0".into(),
            projector: projector.clone(),
            temperatures: None,
            decides: true,
            steps: earlier_steps + step,
            conversations: earlier_conversations + step * setup.split.parts_per_step() * run.conversations,
        };
        save_package(path, optimizer, model.configs(), &fingerprint, &about)
    };
    let figures: &[&'static str] = if run.conversations > 0 { &["decision", "talk"] } else { &["decision"] };
    let steps = AdviceLoop { name: "adapter", figures, setup: &setup };
    let plan = LoadAhead {
        threads: run.loaders,
        ahead: (run.loaders as u64 * AHEAD_PER_LOADER)
            .max((setup.split.own_shards() * setup.split.rounds()) as u64),
        numbers: setup.split.numbers(first_step..run.steps),
        share: setup.split.own_share(),
    };
    load_ahead(
        plan,
        |number| examples.prepare(number),
        |loaded: &Loaded<'_, Prepared>| {
            let take = |number: u64| loss(&loaded.take(number).context("examples")?);
            steps.run(&mut optimizer, first_step, take, validate, export)
        },
    )
}
