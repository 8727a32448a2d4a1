//! The large model in commands that measure, and `answer-conversations`.

use super::conversations::each_conversation;
use crate::collections::{SongFolder, find_songs, load_song};
use crate::evaluation::engine::EngineAdvisor;
use crate::evaluation::median;
use crate::evaluation::sizes::{SizesCount, SizesSettings};
use crate::files;
use crate::progress::progress;
use crate::protocol::{Protocol, SongAudio};
use crate::train::calibrate::fit_temperatures;
use crate::train::examples::conversations::Conversation;
use crate::train::runs::large::LargeRun;
use crate::train::runs::setup::LanguageTools;
use crate::weights::{load_tensors, save_tensors};
use anyhow::{Context, Result, ensure};
use clap::Args;
use mixing_buddy_core::large::package::ABOUT_KEY;
use mixing_buddy_core::large::{LargeModel, Package};
use mixing_buddy_core::output::print_line;
use mixing_buddy_core::{Analysis, CancelFlag, Engine, Request};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

/// The large model.
#[derive(Args)]
pub struct LargeArgs {
    /// Pretrained Qwen2 (a GGUF file, or a folder with safetensors) that decides in place of the bundle's decoder
    #[arg(long, requires = "adapter")]
    large: Option<PathBuf>,
    /// Adapter of the large model, as `train advisor` writes it
    #[arg(long, requires = "large")]
    adapter: Option<PathBuf>,
}

impl LargeArgs {
    /// The engine, with the large model where one is named. It decides, whatever its adapter says: its decisions are measured.
    ///
    /// # Errors
    /// When a file cannot be used.
    pub fn attach_deciding(&self, engine: Engine, threads: usize) -> Result<Engine> {
        self.attach_with(engine, threads, LargeModel::deciding)
    }

    /// The engine, with the large model where one is named, as in the plugin.
    fn attach(&self, engine: Engine, threads: usize) -> Result<Engine> {
        self.attach_with(engine, threads, |large| large)
    }

    fn attach_with(
        &self,
        engine: Engine,
        threads: usize,
        adjust: impl FnOnce(LargeModel) -> LargeModel,
    ) -> Result<Engine> {
        let Some((base, adapter)) = self.large.as_deref().zip(self.adapter.as_deref()) else {
            return Ok(engine);
        };
        let large = LargeModel::open(base, (adapter, Package::open(adapter)?))?.with_threads(threads);
        Ok(engine.with_large(Arc::new(adjust(large))))
    }

    /// The files, for a description of a run.
    pub fn files(&self) -> Option<String> {
        let (base, adapter) = self.large.as_deref().zip(self.adapter.as_deref())?;
        Some(format!("{} with {}", base.display(), adapter.display()))
    }
}

/// Options of `answer-conversations`.
#[derive(Args)]
#[command(after_help = "Example:
  mixing-buddy-trainer data conversations --held-out --seed 2 --out questions.jsonl
  mixing-buddy-trainer answer-conversations questions.jsonl --large base.gguf --adapter RUN4/adapter.safetensors --out answers.jsonl
  mixing-buddy-trainer score-conversations answers.jsonl

Each window is decided and talked about as in the plugin; `facts` in the answers are those of this decision.")]
pub struct AnswerArgs {
    /// Conversations (JSON lines)
    questions: PathBuf,
    #[command(flatten)]
    large: LargeArgs,
    /// The conversations with the model's answers (JSON lines)
    #[arg(long)]
    out: PathBuf,
    /// Answers these only: every Nth conversation
    #[arg(long, default_value_t = 1)]
    every: usize,
    /// Threads of the large model
    #[arg(long, default_value_t = 1)]
    threads: usize,
}

/// Options of `compare-sizes`.
#[derive(Args)]
#[command(after_help = "Example:
  mixing-buddy-trainer compare-sizes --songs SONGS --protocol reference --large base.gguf --adapter RUN4/adapter.safetensors

Each mix is analyzed once, and both language models decide on it. Of the samples of a window, a seeded part is asked.")]
pub struct SizesArgs {
    /// Folders with one folder per song, each with one file per stem
    #[arg(long, required = true)]
    songs: Vec<PathBuf>,
    #[command(flatten)]
    large: LargeArgs,
    /// Model bundle; by default the shipped one
    #[arg(long)]
    bundle: Option<PathBuf>,
    /// `published`, `reference` or `no-anchor`
    #[arg(long, default_value = "published")]
    protocol: Protocol,
    /// Samples of each window
    #[arg(long, default_value_t = 12)]
    samples: usize,
    /// Seed of gains, samples and bootstrap
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Threads of the large model
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Prints JSON in place of the table
    #[arg(long)]
    json: bool,
}

/// Resamples of the bootstrap.
const RESAMPLES: usize = 1000;

/// Compares the bundle's language model with the large one.
pub(super) fn compare_sizes(args: &SizesArgs) -> Result<()> {
    ensure!(args.large.files().is_some(), "name the large model: --large and --adapter");
    ensure!(args.protocol != Protocol::Song, "whole songs are not asked about here");
    let cancel = CancelFlag::new();
    let open = || Engine::open(args.bundle.as_deref(), &cancel);
    let compact = EngineAdvisor::new(open()?, cancel.clone());
    let large = EngineAdvisor::new(args.large.attach_deciding(open()?, args.threads)?, cancel.clone());
    let SizesArgs { protocol, samples, seed, .. } = *args;
    let settings = SizesSettings { protocol, samples, seed, resamples: RESAMPLES };
    let mut count = SizesCount::new([&compact, &large], settings);
    let mut folders: Vec<SongFolder> = Vec::new();
    for songs in &args.songs {
        folders.extend(find_songs(songs)?);
    }
    let bar = progress("songs", folders.len(), 0);
    let mut windows = 0;
    for folder in &folders {
        let song = load_song(folder, &cancel)?;
        let song = SongAudio { name: song.name, stems: song.stems };
        let counted = count.add(&song, &mut || {
            windows += 1;
            bar.set_message(format!("{windows} windows"));
        })?;
        if !counted {
            tracing::info!("{} is left out: it has too few windows in which all four stems play", song.name);
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    let sizes = count.finish()?;
    print_line(&if args.json { serde_json::to_string(&sizes)? } else { sizes.to_string() })?;
    Ok(())
}

/// Options of `calibrate-adapter`.
#[derive(Args)]
#[command(after_help = "Example:
  mixing-buddy-trainer calibrate-adapter RUN4/adapter.safetensors --large base.gguf --config RUN4/config.toml --out adapter.safetensors

Temperatures are fitted on simulated readings that training has not seen. The weights stay as they are.")]
pub struct CalibrateArgs {
    /// The adapter
    adapter: PathBuf,
    /// Its base (a GGUF file, or a folder with safetensors)
    #[arg(long)]
    large: PathBuf,
    /// Configuration of the adapter's run: its simulated meter
    #[arg(long)]
    config: PathBuf,
    /// Readings to fit on
    #[arg(long, default_value_t = 600)]
    count: usize,
    /// Threads of the large model
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Make it an adapter that only talks, while the compact model decides; without this it decides, too
    #[arg(long)]
    talks_only: bool,
    /// The adapter with its temperatures
    #[arg(long)]
    out: PathBuf,
}

/// Seed of the readings that temperatures are fitted on: no run has it.
const CALIBRATION_SEED: u64 = 0xca11_b7a7;

/// Fits the temperatures of an adapter.
pub(super) fn calibrate(args: &CalibrateArgs) -> Result<()> {
    let config = std::fs::read_to_string(&args.config)
        .with_context(|| format!("{} cannot be read", args.config.display()))?;
    let run = LargeRun::from_toml(&config)?;
    let (tensors, mut metadata) = load_tensors(&args.adapter)?;
    let package = Package::open(&args.adapter)?;
    let mut about = package.about.clone();
    let large = LargeModel::open(&args.large, (&args.adapter, package))?.with_threads(args.threads);
    let tools = LanguageTools::shipped()?;
    let simulator = tools.simulator(&run.simulation, &run.questions);
    let mut rng = SmallRng::seed_from_u64(CALIBRATION_SEED);
    let bar = progress("readings", args.count, 0);
    let examples = (0..args.count).map(|_| simulator.example(&mut rng));
    let (temperatures, right, count) = fit_temperatures(&large, examples, || bar.inc(1))?;
    bar.finish_and_clear();
    about.temperatures = Some(temperatures);
    about.decides = !args.talks_only;
    metadata.insert(ABOUT_KEY.to_string(), serde_json::to_string(&about)?);
    let metadata: Vec<(&str, String)> = metadata.iter().map(|(k, v)| (k.as_str(), v.clone())).collect();
    save_tensors(&args.out, &tensors, &metadata)?;
    print_line(&json!({ "temperatures": temperatures, "right": right, "of": count }).to_string())?;
    Ok(())
}

/// Answers conversations.
pub(super) fn answer(args: &AnswerArgs) -> Result<()> {
    let cancel = CancelFlag::new();
    let engine = args.large.attach(Engine::open(None, &cancel)?, args.threads)?;
    let mut conversations = Vec::new();
    each_conversation(&args.questions, |conversation| conversations.push(conversation))?;
    let conversations: Vec<Conversation> = conversations.into_iter().step_by(args.every.max(1)).collect();
    let bar = progress("answers", conversations.len(), 0);
    let (mut lines, mut turns) = (Vec::new(), 0);
    let (mut decision_s, mut first_s, mut words) = (Vec::<f64>::new(), Vec::<f64>::new(), 0usize);
    for mut conversation in conversations {
        let summary = vec![0.0; engine.info().projector.summary];
        let reading = conversation.reading.map(|stem| {
            let mut stem = stem.clone();
            stem.summary.clone_from(&summary);
            stem
        });
        let analysis = Analysis { silent: false, reading, levels_lu: conversation.facts.levels_lu };
        let request = Request {
            anchor: conversation.facts.anchor,
            stems: Some(conversation.present),
            reference: conversation.reference,
            min_confidence: Some(conversation.facts.threshold),
            ..Request::default()
        };
        let mut talk = mixing_buddy_core::Conversation::new(analysis, request);
        // As the plugin does, before there is a question.
        let began = Instant::now();
        engine.begin(&mut talk, &cancel)?;
        decision_s.push(began.elapsed().as_secs_f64());
        for turn in &mut conversation.turns {
            let began = Instant::now();
            let mut first = None;
            let reply = engine.ask(&mut talk, &turn.question, &cancel, &mut |_| {
                first.get_or_insert_with(|| began.elapsed().as_secs_f64());
                words += 1;
            })?;
            first_s.extend(first);
            turn.answer = reply.advice.text;
            if let Some(facts) = reply.facts {
                conversation.facts = facts;
            }
            turns += 1;
        }
        lines.extend(serde_json::to_vec(&conversation)?);
        lines.push(b'\n');
        bar.inc(1);
    }
    bar.finish_and_clear();
    files::replace(&args.out, lines)?;
    let summary = json!({
        "answers": turns,
        "decision_s": median(decision_s.into_iter()),
        "first_word_s": median(first_s.into_iter()),
        "pieces": words,
    });
    print_line(&summary.to_string())?;
    Ok(())
}
