//! Commands that make weights.

use super::data::IndexOptions;
use crate::collections::songs::{songs_below, songs_of_index};
use crate::mixing::prepare::{PrepareOptions, prepare};
use crate::protocol::Split;
use crate::text::{TextSampler, train_tokenizer};
use crate::train::calibrate::build_bundle;
use crate::train::device::open_device;
use crate::train::run::RunStart;
use crate::train::runs::advisor::train_advisor;
use crate::train::runs::decoder::train_decoder;
use crate::train::runs::dpo::train_dpo;
use crate::train::runs::encoder::train_encoder;
use anyhow::{Context, Result, bail, ensure};
use clap::{Args, Subcommand};
use mixing_buddy_core::features::FeatureSettings;
use std::path::{Path, PathBuf};

/// Options of `prepare`.
#[derive(Args)]
#[command(after_help = "Examples:
  mixing-buddy-trainer prepare --songs corpus --out cache --threads 2
  mixing-buddy-trainer data import MUSDB18-HQ --layout musdb --out musdb.json
  mixing-buddy-trainer prepare --index musdb.json --out cache

The splits of an index are kept: `train` songs train, `test` songs are left for measuring, and `valid` songs are for
calibration (`calib`). So is a share of the `train` songs, chosen by the artist's name, since calibration and the advisor
need songs that the encoder never hears. Songs without a split count as `train`.")]
pub struct PrepareArgs {
    /// Folder of songs, one folder a song with one file a stem, at any depth
    #[arg(long, conflicts_with_all = ["index", "calib_share", "root", "trust_index"])]
    songs: Option<PathBuf>,
    /// Index that `data import` wrote, in place of a folder; files of one class are added up
    #[arg(long)]
    index: Option<PathBuf>,
    /// Share of the index's `train` songs that are kept for calibration, 0 to 1
    #[arg(long, default_value_t = 0.1)]
    calib_share: f64,
    #[command(flatten)]
    index_options: IndexOptions,
    /// Where the feature maps go
    #[arg(long)]
    out: PathBuf,
    /// Pitch-shifted variants of real songs and voices
    #[arg(long, default_value_t = 3)]
    variants: usize,
    /// Most windows kept a song and variant
    #[arg(long, default_value_t = 12)]
    windows: usize,
    /// Feature settings other than the standard ones (TOML)
    #[arg(long)]
    features: Option<PathBuf>,
    /// Threads
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Seed of the variants
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// What `train` trains.
#[derive(Subcommand)]
pub enum TrainCommand {
    /// The encoder, on the `train` songs of a cache
    #[command(after_help = "Examples:
  mixing-buddy-trainer train encoder --config encoder.toml --cache cache --out run1
  mixing-buddy-trainer train encoder --config encoder.toml --cache cache --out run1 --resume --device cuda

Of the configuration's keys, these fit a run to the machine:
  batch = 24       # windows in memory at a time
  accumulate = 1   # such micro-batches a step
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
  mixing-buddy-trainer train decoder --config decoder.toml --tokenizer assets/tokenizer.json --out run2")]
    Decoder {
        #[command(flatten)]
        run: RunArgs,
        /// The tokenizer
        #[arg(long)]
        tokenizer: PathBuf,
    },
    /// The decoder's adapter and the projector, on flawed mixes as the encoder hears them
    #[command(after_help = "Example:
  mixing-buddy-trainer train advisor --config advisor.toml --cache cache --encoder run1/encoder.safetensors \\
    --decoder run2/decoder.safetensors --out run3")]
    Advisor {
        #[command(flatten)]
        run: RunArgs,
        #[command(flatten)]
        reader: CacheArgs,
        /// Pretrained decoder (`decoder.safetensors`, or a bundle's)
        #[arg(long)]
        decoder: PathBuf,
    },
    /// An advisor's adapter and projector, on pairs of right and wrong advice (direct preference optimisation)
    #[command(
        after_help = "Example:\n  mixing-buddy-trainer train dpo --config assets/weights/dpo.toml --cache CACHE \\\n    \
        --encoder RUN1/encoder.safetensors --advisor RUN3/advisor.safetensors --out RUN4\n\n\
        RUN4/dpo.safetensors then takes the advisor's place in `bundle`."
    )]
    Dpo {
        #[command(flatten)]
        run: RunArgs,
        #[command(flatten)]
        reader: CacheArgs,
        /// Tuned advisor (`advisor.safetensors`), where the run begins and what it is held against
        #[arg(long)]
        advisor: PathBuf,
    },
}

/// What a run hears, and through what.
#[derive(Args)]
pub struct CacheArgs {
    /// Folder of feature maps
    #[arg(long)]
    cache: PathBuf,
    /// Trained encoder (`encoder.safetensors`, or a bundle's)
    #[arg(long)]
    encoder: PathBuf,
}

/// Options of every run.
#[derive(Args)]
pub struct RunArgs {
    /// The run's configuration (TOML); it is copied beside the weights
    #[arg(long)]
    config: PathBuf,
    /// The run's folder
    #[arg(long)]
    out: PathBuf,
    /// Go on from the last checkpoint in the run's folder
    #[arg(long)]
    resume: bool,
    /// Where to compute: `cpu`, `cuda` or `metal` (builds with the feature of that name), or one of several GPUs, as in
    /// `cuda:1`
    #[arg(long, default_value = "cpu")]
    device: String,
}

/// Options of `bundle`.
#[derive(Args)]
pub struct BundleArgs {
    /// Trained encoder (`encoder.safetensors`, or a bundle's)
    #[arg(long)]
    encoder: PathBuf,
    /// Trained decoder (`decoder.safetensors`, `advisor.safetensors` or `dpo.safetensors`)
    #[arg(long)]
    decoder: PathBuf,
    /// Folder of feature maps with `calib` songs
    #[arg(long)]
    cache: PathBuf,
    /// Version of the weights
    #[arg(long, default_value = "0.1.0")]
    model_version: String,
    /// The bundle
    #[arg(long)]
    out: PathBuf,
}

/// Options of `ablate`.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  mixing-buddy-trainer ablate --plan assets/weights/ablation.toml --out ABLATION\n  \
    mixing-buddy-trainer ablate --plan assets/weights/ablation-advisor.toml --out ABLATION2\n  \
    mixing-buddy-trainer ablate --plan assets/weights/ablation-front-end.toml --out ABLATION3"
)]
pub struct AblateArgs {
    /// What to compare (TOML): a cache, an encoder or an advisor run and [[variant]]s that change it, or front ends
    #[arg(long)]
    plan: PathBuf,
    /// Split that is measured on; no run learns from it
    #[arg(long, default_value_t = Split::Test)]
    split: Split,
    /// Folder of the runs and the table; runs that are there go on
    #[arg(long)]
    out: PathBuf,
    /// The table as JSON on standard output
    #[arg(long)]
    json: bool,
}

/// Options of `tokenizer`.
#[derive(Args)]
pub struct TokenizerArgs {
    /// Tokens in all
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

pub(super) fn prepare_songs(args: &PrepareArgs) -> Result<()> {
    let options = PrepareOptions {
        features: match &args.features {
            Some(path) => toml::from_str(&text(path)?)
                .with_context(|| format!("{} holds no feature settings", path.display()))?,
            None => FeatureSettings::default(),
        },
        variants: args.variants,
        windows: args.windows,
        threads: args.threads,
        seed: args.seed,
    };
    let songs = match (&args.songs, &args.index) {
        (Some(root), _) => songs_below(root)?,
        (None, Some(path)) => {
            ensure!((0.0..=1.0).contains(&args.calib_share), "--calib-share is a share, from 0 to 1");
            songs_of_index(&args.index_options.load(path)?, args.calib_share)
        }
        (None, None) => bail!("give a folder of songs (--songs) or an index (--index)"),
    };
    let (count, failures) = prepare(&songs, &args.out, &options)?;
    ensure!(
        count > 0,
        "none of the {} songs can be used; the first is left out because of: {}",
        songs.len(),
        failures.first().map_or("", String::as_str)
    );
    eprintln!("{count} songs are prepared in {}", args.out.display());
    failures.iter().for_each(|failure| eprintln!("left out: {failure}"));
    Ok(())
}

fn text(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
}

pub(super) fn train(command: &TrainCommand) -> Result<()> {
    let (TrainCommand::Encoder { run, .. }
    | TrainCommand::Decoder { run, .. }
    | TrainCommand::Advisor { run, .. }
    | TrainCommand::Dpo { run, .. }) = command;
    let (config, device) = (text(&run.config)?, open_device(&run.device)?);
    let begin = RunStart { config: &config, out: &run.out, resume: run.resume, device: &device };
    match command {
        TrainCommand::Encoder { cache, .. } => train_encoder(&begin, cache),
        TrainCommand::Decoder { tokenizer, .. } => train_decoder(&begin, tokenizer),
        TrainCommand::Advisor { reader, decoder, .. } => {
            train_advisor(&begin, &reader.cache, &reader.encoder, decoder)
        }
        TrainCommand::Dpo { reader, advisor, .. } => {
            train_dpo(&begin, &reader.cache, &reader.encoder, advisor)
        }
    }
}

pub(super) fn bundle(args: &BundleArgs) -> Result<()> {
    let calibration =
        build_bundle(&args.encoder, &args.decoder, &args.cache, &args.model_version, &args.out)?;
    eprintln!("{} is written\n{calibration:#?}", args.out.display());
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the table is the command's output")]
pub(super) fn ablate(args: &AblateArgs) -> Result<()> {
    let table = crate::train::ablate::ablate(&text(&args.plan)?, &args.split, &args.out)?;
    if args.json {
        println!("{}", serde_json::to_string(&table)?);
    } else {
        print!("{}", text(&args.out.join("ablation.md"))?);
    }
    Ok(())
}

pub(super) fn tokenizer(args: &TokenizerArgs) -> Result<()> {
    let tokenizer = train_tokenizer(&TextSampler::shipped()?, args.vocabulary, &args.out)?;
    eprintln!("{} has {} tokens", args.out.display(), tokenizer.vocabulary_size());
    Ok(())
}

pub(super) fn norms(args: &NormsArgs) -> Result<()> {
    crate::oracle::fit::fit_norms(&args.csv, &args.out, args.seed)?;
    eprintln!("{} is written", args.out.display());
    Ok(())
}
