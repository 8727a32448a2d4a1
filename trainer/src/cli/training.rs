//! Commands that make weights.

use crate::data::prepare::{PrepareOptions, prepare};
use crate::text::{TextSampler, train_tokenizer};
use crate::train::advisor::train_advisor;
use crate::train::calibrate::build_bundle;
use crate::train::decoder::train_decoder;
use crate::train::dpo::train_dpo;
use crate::train::encoder::train_encoder;
use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use mixing_buddy_core::features::FeatureSettings;
use std::path::{Path, PathBuf};

/// Options of `prepare`.
#[derive(Args)]
#[command(after_help = "Example:\n  mixing-buddy-trainer prepare --songs corpus --out cache --threads 2")]
pub struct PrepareArgs {
    /// Folder of songs, one folder a song with one file a stem, at any depth
    #[arg(long)]
    songs: PathBuf,
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
    Encoder {
        #[command(flatten)]
        run: RunArgs,
        /// Folder of feature maps
        #[arg(long)]
        cache: PathBuf,
    },
    /// The decoder and the projector, on advice text over simulated readings
    Decoder {
        #[command(flatten)]
        run: RunArgs,
        /// The tokenizer
        #[arg(long)]
        tokenizer: PathBuf,
    },
    /// The decoder's adapter and the projector, on flawed mixes as the encoder hears them
    Advisor {
        #[command(flatten)]
        run: RunArgs,
        /// Folder of feature maps
        #[arg(long)]
        cache: PathBuf,
        /// Trained encoder (`encoder.safetensors`)
        #[arg(long)]
        encoder: PathBuf,
        /// Pretrained decoder (`decoder.safetensors`)
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
        /// Folder of feature maps
        #[arg(long)]
        cache: PathBuf,
        /// Trained encoder (`encoder.safetensors`)
        #[arg(long)]
        encoder: PathBuf,
        /// Tuned advisor (`advisor.safetensors`), where the run begins and what it is held against
        #[arg(long)]
        advisor: PathBuf,
    },
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
}

/// Options of `bundle`.
#[derive(Args)]
pub struct BundleArgs {
    /// Trained encoder (`encoder.safetensors`)
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
    mixing-buddy-trainer ablate --plan assets/weights/ablation-advisor.toml --out ABLATION2"
)]
pub struct AblateArgs {
    /// What to compare (TOML): a cache, an encoder or an advisor run, and [[variant]]s that change it
    #[arg(long)]
    plan: PathBuf,
    /// Split that is measured on; no run learns from it
    #[arg(long, default_value = "test")]
    split: String,
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
    let (count, failures) = prepare(&args.songs, &args.out, &options)?;
    eprintln!("{count} songs are prepared in {}", args.out.display());
    failures.iter().for_each(|failure| eprintln!("left out: {failure}"));
    Ok(())
}

fn text(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
}

pub(super) fn train(command: &TrainCommand) -> Result<()> {
    match command {
        TrainCommand::Encoder { run, cache } => {
            train_encoder(&text(&run.config)?, cache, &run.out, run.resume)
        }
        TrainCommand::Decoder { run, tokenizer } => {
            train_decoder(&text(&run.config)?, tokenizer, &run.out, run.resume)
        }
        TrainCommand::Advisor { run, cache, encoder, decoder } => {
            train_advisor(&text(&run.config)?, cache, encoder, decoder, &run.out, run.resume)
        }
        TrainCommand::Dpo { run, cache, encoder, advisor } => {
            train_dpo(&text(&run.config)?, cache, encoder, advisor, &run.out, run.resume)
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
    crate::norms_fit::fit_norms(&args.csv, &args.out, args.seed)?;
    eprintln!("{} is written", args.out.display());
    Ok(())
}
