//! Commands that make weights.

use crate::protocol::Split;
use crate::text::{TextSampler, train_tokenizer};
use crate::train::device::open_device;
use crate::train::examples::tuning::MixSource;
use crate::train::plan::{Plan, PlanInput, PlanOptions, run_plan};
use crate::train::ranks::with_ranks;
use crate::train::run::RunStart;
use crate::train::runs::advisor::train_advisor;
use crate::train::runs::decoder::train_decoder;
use crate::train::runs::dpo::train_dpo;
use crate::train::runs::encoder::train_encoder;
use anyhow::{Context, Result, bail, ensure};
use clap::{Args, Subcommand};
use mixing_buddy_core::language::AdviceTokenizer;
use mixing_buddy_core::output::{note, print_line};
use std::path::{Path, PathBuf};

/// What `train` trains.
#[derive(Subcommand)]
pub enum TrainCommand {
    /// The encoder, on the `train` songs of a cache
    #[command(after_help = "Examples:
  mixing-buddy-trainer train encoder --config encoder.toml --cache CACHE --out RUN1
  mixing-buddy-trainer train encoder --config encoder.toml --cache CACHE --out RUN1 --resume --device cuda

These keys of the configuration fit a run to the machine:
  batch = 24       # windows in memory at a time
  accumulate = 1   # such micro-batches per step
  shards = 2       # threads that share a micro-batch
  loaders = 1      # further threads that make the examples of coming steps; the examples stay the same")]
    Encoder {
        #[command(flatten)]
        run: RunArgs,
        /// Folder of feature maps
        #[arg(long)]
        cache: PathBuf,
    },
    /// The decoder and the projector, on advice text over simulated readings
    #[command(after_help = "Example:
  mixing-buddy-trainer train decoder --config decoder.toml --tokenizer assets/tokenizer.json --out RUN2")]
    Decoder {
        #[command(flatten)]
        run: RunArgs,
        /// The tokenizer
        #[arg(long)]
        tokenizer: PathBuf,
    },
    /// The adapter of the decoder and the projector, on flawed mixes as the encoder reads them
    #[command(after_help = "Examples:
  mixing-buddy-trainer train advisor --config advisor.toml --cache CACHE --encoder RUN1 --decoder RUN2 --out RUN3
  mixing-buddy-trainer train advisor --config assets/qwen2-0.5b/adapter.toml --decoder qwen2.5-coder-0.5b-instruct.gguf --out RUN4")]
    Advisor {
        #[command(flatten)]
        run: RunArgs,
        /// Folder of feature maps; may be left out for a pretrained base
        #[arg(long, requires = "encoder")]
        cache: Option<PathBuf>,
        /// Trained encoder (folder of its run, `encoder.safetensors`, or a bundle); may be left out for a pretrained base
        #[arg(long, requires = "cache")]
        encoder: Option<PathBuf>,
        /// Pretrained decoder (folder of its run, `decoder.safetensors`, or a bundle), or a pretrained Qwen2 (a GGUF file, or a
        /// folder with safetensors)
        #[arg(long)]
        decoder: PathBuf,
    },
    /// The adapter and the projector of an advisor, on pairs of right and wrong advice (direct preference optimization)
    #[command(after_help = "Example:
  mixing-buddy-trainer train dpo --config assets/weights/dpo.toml --cache CACHE --encoder RUN1 --advisor RUN3 --out RUN4

RUN4/dpo.safetensors then takes the place of the advisor in `bundle`.")]
    Dpo {
        #[command(flatten)]
        run: RunArgs,
        #[command(flatten)]
        source: MixSourceArgs,
        /// Tuned advisor (folder of its run, `advisor.safetensors`, or a bundle): the start of the run and its reference
        #[arg(long)]
        advisor: PathBuf,
    },
    /// All parts one after another, and the bundle, by a plan: a model from nothing
    #[command(after_help = "Examples:
  mixing-buddy-trainer train plan --plan assets/weights/plan.toml --songs CORPUS --out MODEL
  mixing-buddy-trainer train plan --plan assets/weights/plan.toml --cache CACHE --out TRIAL --scale 0.01
  mixing-buddy-trainer train plan --plan assets/weights/plan.toml --songs CORPUS --out MODEL --resume

With --resume, finished stages are skipped and the interrupted one resumes from its last checkpoint. --scale multiplies
steps, mixes and validation, to try a plan end to end. A plan has these tables; all but [prepare] and [dpo] are required:
  [bundle]         version = \"0.6.0\"
  [prepare]        variants, windows, threads, seed, as the options of `prepare`; for --songs
  [[encoder]]      name = \"long\", and the keys of `train encoder`; start_from = NAME of an earlier stage
  [decoder]        the keys of `train decoder`
  [advisor]        the keys of `train advisor`
  [dpo]            the keys of `train dpo`")]
    Plan(PlanArgs),
}

/// Songs, and the encoder that reads their mixes.
#[derive(Args)]
pub struct MixSourceArgs {
    /// Folder of feature maps
    #[arg(long)]
    cache: PathBuf,
    /// Trained encoder (folder of its run, `encoder.safetensors`, or a bundle)
    #[arg(long)]
    encoder: PathBuf,
}

impl MixSourceArgs {
    fn source(&self) -> MixSource<'_> {
        MixSource { cache: &self.cache, encoder: &self.encoder }
    }
}

/// Options of every run.
#[derive(Args)]
pub struct RunArgs {
    /// Configuration of the run (TOML); it is copied next to the weights
    #[arg(long)]
    config: PathBuf,
    /// Folder of the run
    #[arg(long)]
    out: PathBuf,
    /// Resumes from the last checkpoint in the folder of the run
    #[arg(long)]
    resume: bool,
    #[command(flatten)]
    device: DeviceArgs,
}

/// Where a run computes.
#[derive(Args)]
pub struct DeviceArgs {
    /// Where to compute: `cpu`, `cuda` or `metal` (in builds with the feature of that name), or one of several GPUs, as
    /// in `cuda:1`
    #[arg(long, default_value = "cpu")]
    device: String,
}

/// Options of `train plan`.
#[derive(Args)]
pub struct PlanArgs {
    /// The plan (TOML); it is copied into the folder
    #[arg(long)]
    plan: PathBuf,
    /// Folder of songs, one folder per song with one file per stem, at any depth; it is prepared first
    #[arg(long, conflicts_with = "cache", required_unless_present = "cache")]
    songs: Option<PathBuf>,
    /// Folder of feature maps that `prepare` wrote
    #[arg(long)]
    cache: Option<PathBuf>,
    /// Folder of the stages and the bundle
    #[arg(long)]
    out: PathBuf,
    /// Multiplies steps, mixes and validation, each at least 1: 0.01 tries the plan in a hundredth of the length
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// Skips finished stages and resumes the interrupted one
    #[arg(long)]
    resume: bool,
    #[command(flatten)]
    device: DeviceArgs,
}

/// Options of `ablate`.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  mixing-buddy-trainer ablate --plan assets/weights/ablation.toml --out ABLATION\n  \
    mixing-buddy-trainer ablate --plan assets/weights/ablation-advisor.toml --out ABLATION2\n  \
    mixing-buddy-trainer ablate --plan assets/weights/ablation-front-end.toml --out ABLATION3"
)]
pub struct AblateArgs {
    /// What to compare (TOML): a cache, an encoder or an advisor run and the `[[variant]]` tables that change it, or front ends
    #[arg(long)]
    plan: PathBuf,
    /// Split to measure on; no run is trained on it
    #[arg(long, default_value_t = Split::Test)]
    split: Split,
    /// Folder of the runs and the table; runs that exist are resumed
    #[arg(long)]
    out: PathBuf,
    /// Prints the table as JSON
    #[arg(long)]
    json: bool,
}

/// Options of `tokenizer`.
#[derive(Args)]
pub struct TokenizerArgs {
    /// Tokens in total
    #[arg(long, default_value_t = 768)]
    vocabulary: usize,
    /// The tokenizer file
    #[arg(long)]
    out: PathBuf,
}

/// Options of `norms`.
#[derive(Args)]
pub struct NormsArgs {
    /// Table of stem levels
    csv: PathBuf,
    /// The summary
    #[arg(long)]
    out: PathBuf,
    /// Seed of the fit
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

pub(super) fn text(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
}

pub(super) fn train(command: &TrainCommand) -> Result<()> {
    match command {
        TrainCommand::Encoder { run, cache } => run.start(|start| train_encoder(start, cache)),
        TrainCommand::Decoder { run, tokenizer } => run.start(|start| {
            let json = std::fs::read(tokenizer)
                .with_context(|| format!("{} cannot be read", tokenizer.display()))?;
            train_decoder(start, AdviceTokenizer::from_bytes(&json)?)
        }),
        TrainCommand::Advisor { run, cache, encoder, decoder } => {
            let source = cache.as_deref().zip(encoder.as_deref());
            let source = source.map(|(cache, encoder)| MixSource { cache, encoder });
            run.start(|start| train_advisor(start, source, decoder))
        }
        TrainCommand::Dpo { run, source, advisor } => {
            run.start(|start| train_dpo(start, source.source(), advisor))
        }
        TrainCommand::Plan(args) => with_ranks(|ranks| {
            ensure!(
                ranks.count() == 1,
                "`train plan` runs in one process, but {} were started; start the stages one by one with all of them",
                ranks.count()
            );
            train_plan(args)
        }),
    }
}

impl RunArgs {
    fn start(&self, train: impl FnOnce(&RunStart<'_>) -> Result<()>) -> Result<()> {
        with_ranks(|ranks| {
            let (config, device) = (text(&self.config)?, open_device(&self.device.device)?);
            train(&RunStart { config: &config, out: &self.out, resume: self.resume, device: &device, ranks })
        })
    }
}

fn train_plan(args: &PlanArgs) -> Result<()> {
    let plan = Plan::from_toml(&text(&args.plan)?)?;
    let input = match (&args.songs, &args.cache) {
        (_, Some(cache)) => PlanInput::Cache(cache),
        (Some(songs), None) => PlanInput::Songs(songs),
        (None, None) => bail!("name a folder of songs (--songs) or of feature maps (--cache)"),
    };
    let device = open_device(&args.device.device)?;
    let options = PlanOptions { scale: args.scale, resume: args.resume, device: &device };
    let summary = run_plan(&plan, input, &args.out, options)?;
    note(summary.to_string().trim_end());
    Ok(())
}

pub(super) fn ablate(args: &AblateArgs) -> Result<()> {
    let table = crate::train::ablate::ablate(&text(&args.plan)?, &args.split, &args.out)?;
    if args.json {
        print_line(&serde_json::to_string(&table)?)?;
    } else {
        print_line(text(&args.out.join("ablation.md"))?.trim_end())?;
    }
    Ok(())
}

pub(super) fn tokenizer(args: &TokenizerArgs) -> Result<()> {
    let tokenizer = train_tokenizer(&TextSampler::shipped()?, args.vocabulary, &args.out)?;
    note(&format!("wrote {}, {} tokens", args.out.display(), tokenizer.vocabulary_size()));
    Ok(())
}

pub(super) fn norms(args: &NormsArgs) -> Result<()> {
    crate::oracle::fit::fit_norms(&args.csv, &args.out, args.seed)?;
    note(&format!("wrote {}", args.out.display()));
    Ok(())
}
