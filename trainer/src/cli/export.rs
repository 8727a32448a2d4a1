//! `bundle`, `export` and `import-adapter`: weights for the plugin and for other programs, and back.

use super::report::labelled;
use crate::evaluation::page::EvaluationJson;
use crate::train::calibrate::{BundleParts, CALIBRATION_MIXES, build_bundle};
use crate::weights::{
    AdvisorWeights, CardFacts, HubParts, Part, export_hub, export_peft, import_adapter, save_imported,
};
use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use mixing_buddy_core::output::note;
use std::path::{Path, PathBuf};

/// Options of `bundle`.
#[derive(Args)]
#[command(after_help = "Example:
  mixing-buddy-trainer bundle --encoder RUN1 --decoder RUN3 --cache CACHE --model-version 0.6.0 --out compact.mixbuddy")]
pub struct BundleArgs {
    /// Trained encoder (folder of its run, `encoder.safetensors`, or a bundle)
    #[arg(long)]
    encoder: PathBuf,
    /// Trained decoder (folder of its run, `decoder.safetensors`, `advisor.safetensors`, `dpo.safetensors`, or a bundle)
    #[arg(long)]
    decoder: PathBuf,
    /// Folder of feature maps with `calib` songs
    #[arg(long)]
    cache: PathBuf,
    /// Version of the weights, such as 0.6.0; the bundle states it wherever it is used, so there is no default
    #[arg(long)]
    model_version: String,
    /// Folder of the separator's networks, as for `prepare`; by default the project's own
    #[arg(long)]
    networks: Option<PathBuf>,
    /// The bundle
    #[arg(long)]
    out: PathBuf,
}

/// What `export` writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One file for the plugin: encoder, projector, decoder and adapter, matrices in 8 bits, calibrated
    Bundle,
    /// A folder for Hugging Face: the adapter in the layout of PEFT, the decoder in that of transformers, and a model card
    Peft,
    /// A repository for Hugging Face's hub: the bundle, its weights as of `peft`, and a card with the figures of evaluations
    Hub,
}

/// Options of `export`.
#[derive(Args)]
#[command(after_help = "Examples:
  mixing-buddy-trainer export RUN3 --format peft --model-version 0.6.0 --encoder RUN1 --out hub
  mixing-buddy-trainer export RUN3 --format bundle --model-version 0.6.0 --encoder RUN1 --cache CACHE --out model
  mixing-buddy-trainer export assets/compact.mixbuddy --format hub --model-version 0.6.0 --card assets/MODEL_CARD.md \\
    --evaluation 'real, anchor=assets/evaluation/real-anchor.json' --also assets/NOTICE --also LICENSE \\
    --also separator-LICENSE=assets/separator/LICENSE --out hub

`hf upload NAME hub` then publishes the folder; read its README.md first.")]
pub struct ExportArgs {
    /// Folder of an advisor run (or its advisor.safetensors, or a bundle)
    run: PathBuf,
    /// What is written
    #[arg(long)]
    format: Format,
    /// The folder; it is created if it is missing
    #[arg(long)]
    out: PathBuf,
    /// Trained encoder (folder of its run, encoder.safetensors, or a bundle); required for a bundle
    #[arg(long)]
    encoder: Option<PathBuf>,
    /// Folder of feature maps with `calib` songs; a bundle is calibrated on them
    #[arg(long)]
    cache: Option<PathBuf>,
    /// Name of the model
    #[arg(long, default_value = "compact")]
    name: String,
    /// Version of the weights, such as 0.6.0; bundle and model card state it, so there is no default
    #[arg(long)]
    model_version: String,
    /// Licence of the weights for the model card, in Hugging Face's short form; it depends on the training data
    #[arg(long, default_value = "other")]
    licence: String,
    /// Model card without metadata, for `hub`
    #[arg(long)]
    card: Option<PathBuf>,
    /// LABEL=REPORT: a report of `evaluate --out` and its name in the metadata, for `hub`
    #[arg(long = "evaluation", value_parser = labelled)]
    evaluations: Vec<(String, PathBuf)>,
    /// A file that `hub` copies into the repository, such as a licence, perhaps under another name
    #[arg(long = "also", value_name = "[NAME=]FILE", value_parser = named)]
    also: Vec<(String, PathBuf)>,
}

/// FILE under its own name, or NAME=FILE.
fn named(text: &str) -> Result<(String, PathBuf), String> {
    if let Some((name, path)) = text.split_once('=') {
        return Ok((name.to_string(), path.into()));
    }
    let name = Path::new(text).file_name().ok_or(format!("'{text}' is no file"))?;
    Ok((name.to_string_lossy().into_owned(), text.into()))
}

/// Options of `import-adapter`.
#[derive(Args)]
#[command(after_help = "Examples:
  mixing-buddy-trainer import-adapter hub --out advisor.safetensors
  mixing-buddy-trainer import-adapter my-adapter --base RUN2/decoder.safetensors --out advisor.safetensors")]
pub struct ImportAdapterArgs {
    /// Folder with adapter_config.json and adapter_model.safetensors
    dir: PathBuf,
    /// The decoder that the adapter belongs to (folder of its run, the weights in it, or a bundle); by default the one in the
    /// folder
    #[arg(long)]
    base: Option<PathBuf>,
    /// The tuned decoder, in the form in which an advisor run writes it
    #[arg(long)]
    out: PathBuf,
}

pub(super) fn bundle(args: &BundleArgs) -> Result<()> {
    let BundleArgs { encoder, decoder, cache, model_version, networks, out } = args;
    let parts = BundleParts {
        encoder,
        decoder,
        cache,
        version: model_version,
        mixes: CALIBRATION_MIXES,
        networks: networks.as_deref(),
    };
    write_bundle(&parts, out)
}

fn write_bundle(parts: &BundleParts<'_>, out: &Path) -> Result<()> {
    build_bundle(parts, out)?;
    note(&format!("wrote {}, version {}", out.display(), parts.version));
    Ok(())
}

pub(super) fn export(args: &ExportArgs) -> Result<()> {
    match args.format {
        Format::Peft => {
            let weights = AdvisorWeights::load(&args.run)?;
            let facts = CardFacts {
                name: args.name.clone(),
                version: args.model_version.clone(),
                licence: args.licence.clone(),
            };
            export_peft(&weights, args.encoder.as_deref(), &facts, &args.out)?;
            note(&format!("wrote {}", args.out.display()));
        }
        Format::Hub => {
            let card = args.card.as_deref().context("a repository has a model card: name it with --card")?;
            let evaluations: Vec<EvaluationJson> = (args.evaluations.iter())
                .map(|(label, path)| EvaluationJson::read(label, path))
                .collect::<Result<_>>()?;
            let parts = HubParts {
                bundle: &args.run,
                card,
                evaluations: &evaluations,
                more: &args.also,
                version: &args.model_version,
            };
            export_hub(&parts, &args.out)?;
            note(&format!("wrote {}", args.out.display()));
        }
        Format::Bundle => {
            let encoder =
                args.encoder.as_deref().context("a bundle needs the encoder: name it with --encoder")?;
            let cache = args
                .cache
                .as_deref()
                .context("a bundle is calibrated on feature maps: name their folder with --cache")?;
            let decoder = Part::LanguageModel.file(&args.run)?;
            let out = args.out.join(format!("{}.mixbuddy", args.name));
            let parts = BundleParts {
                encoder,
                decoder: &decoder,
                cache,
                version: &args.model_version,
                mixes: CALIBRATION_MIXES,
                networks: None,
            };
            write_bundle(&parts, &out)?;
        }
    }
    Ok(())
}

pub(super) fn import(args: &ImportAdapterArgs) -> Result<()> {
    let weights = import_adapter(&args.dir, args.base.as_deref())?;
    save_imported(&weights, &args.out)?;
    note(&format!(
        "wrote {}: rank {} on {}",
        args.out.display(),
        weights.lora.rank,
        weights.lora.target_modules.join(", ")
    ));
    Ok(())
}
