//! `export` and `import-adapter`: weights out to others' programs, and back.

use crate::train::calibrate::build_bundle;
use crate::weights::{AdvisorWeights, CardFacts, export_peft, import_adapter, run_file, save_imported};
use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// What `export` writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One file for the plugin: encoder, projector, decoder and adapter, matrices in 8 bits, calibrated
    Bundle,
    /// A folder for Hugging Face: the adapter as PEFT lays it out, the decoder as transformers does, and a model card
    Peft,
}

/// Options of `export`.
#[derive(Args)]
#[command(after_help = "Examples:
  mixing-buddy-trainer export RUN3 --format peft --encoder RUN1/encoder.safetensors --out hub
  mixing-buddy-trainer export RUN3 --format bundle --encoder RUN1/encoder.safetensors --cache CACHE --out model

`hf upload NAME hub` then publishes the folder; read its README.md first.")]
pub struct ExportArgs {
    /// Folder of an advisor run (or its advisor.safetensors)
    run: PathBuf,
    /// What is written
    #[arg(long)]
    format: Format,
    /// The folder; it is made where it is missing
    #[arg(long)]
    out: PathBuf,
    /// Trained encoder (encoder.safetensors, or another bundle's); a bundle needs it
    #[arg(long)]
    encoder: Option<PathBuf>,
    /// Folder of feature maps with `calib` songs, on which a bundle is calibrated
    #[arg(long)]
    cache: Option<PathBuf>,
    /// Name of the model
    #[arg(long, default_value = "compact")]
    name: String,
    /// Version of a bundle's weights
    #[arg(long, default_value = "0.1.0")]
    model_version: String,
    /// Licence of the weights for the model card, as Hugging Face abbreviates it; it follows from what they were
    /// trained on
    #[arg(long, default_value = "other")]
    licence: String,
}

/// Options of `import-adapter`.
#[derive(Args)]
#[command(after_help = "Examples:
  mixing-buddy-trainer import-adapter hub --out advisor.safetensors
  mixing-buddy-trainer import-adapter my-adapter --base RUN2/decoder.safetensors --out advisor.safetensors")]
pub struct ImportAdapterArgs {
    /// Folder with adapter_config.json and adapter_model.safetensors
    dir: PathBuf,
    /// The decoder that the adapter goes on (decoder.safetensors or advisor.safetensors of a run); the folder's own
    /// without it
    #[arg(long)]
    base: Option<PathBuf>,
    /// The tuned decoder, as an advisor run writes it
    #[arg(long)]
    out: PathBuf,
}

pub(super) fn export(args: &ExportArgs) -> Result<()> {
    match args.format {
        Format::Peft => {
            let weights = AdvisorWeights::load(&args.run)?;
            let facts = CardFacts { name: args.name.clone(), licence: args.licence.clone() };
            export_peft(&weights, args.encoder.as_deref(), &facts, &args.out)?;
            eprintln!("{} is written", args.out.display());
        }
        Format::Bundle => {
            let encoder =
                args.encoder.as_deref().context("a bundle needs the encoder: name it with --encoder")?;
            let cache = args
                .cache
                .as_deref()
                .context("a bundle is calibrated on feature maps: name them with --cache")?;
            let decoder = run_file(&args.run, "advisor.safetensors")?;
            std::fs::create_dir_all(&args.out)
                .with_context(|| format!("{} cannot be made", args.out.display()))?;
            let out = args.out.join(format!("{}.mixbuddy", args.name));
            let calibration = build_bundle(encoder, &decoder, cache, &args.model_version, &out)?;
            eprintln!("{} is written\n{calibration:#?}", out.display());
        }
    }
    Ok(())
}

pub(super) fn import(args: &ImportAdapterArgs) -> Result<()> {
    let weights = import_adapter(&args.dir, args.base.as_deref())?;
    save_imported(&weights, &args.out)?;
    eprintln!(
        "{} is written: rank {} on {}",
        args.out.display(),
        weights.lora.rank,
        weights.lora.target_modules.join(", ")
    );
    Ok(())
}
