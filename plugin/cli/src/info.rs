//! `info`: name, version, licence and sizes of a model file.

use anyhow::Result;
use clap::Args;
use mixing_buddy_core::bundle::BundleInfo;
use mixing_buddy_core::output::print_line;
use mixing_buddy_core::{CancelFlag, Engine};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Options of `info`.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  mixing-buddy info\n  mixing-buddy info my.mixbuddy\n  mixing-buddy info my.mixbuddy --json"
)]
pub struct InfoArgs {
    /// A model file; the built-in model if none is given
    bundle: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Prints the facts about a model. The whole model is loaded, so that a damaged file is detected.
///
/// # Errors
/// When the file cannot be read, the bundle is damaged, or the output cannot be written.
pub fn run(args: &InfoArgs) -> Result<()> {
    show_bundle(args.bundle.as_deref(), args.json)
}

/// As [`run`], for a bundle or the built-in model.
///
/// # Errors
/// As [`run`].
pub fn show_bundle(bundle: Option<&Path>, json: bool) -> Result<()> {
    let engine = Engine::open(bundle, &CancelFlag::new())?;
    let info = engine.info();
    if json {
        print_line(&as_json(info).to_string())?;
    } else {
        print_line(&as_text(info).join("\n"))?;
    }
    Ok(())
}

fn as_json(info: &BundleInfo) -> serde_json::Value {
    json!({
        "name": info.name,
        "version": info.version,
        "licence": info.licence,
        "sample_rate_hz": info.features.sample_rate_hz,
        "bands": info.features.bands,
        "encoder_layers": info.encoder.layers,
        "decoder_layers": info.decoder.num_hidden_layers,
        "lora_rank": info.lora.as_ref().map(|lora| lora.rank),
        "threshold": info.calibration.threshold,
        "meter_sd_db": info.calibration.meter_sd_db,
    })
}

fn as_text(info: &BundleInfo) -> Vec<String> {
    let meter: Vec<String> =
        info.calibration.meter_sd_db.iter().map(|(stem, sd_db)| format!("{stem} {sd_db:.1}")).collect();
    let adapter = info
        .lora
        .as_ref()
        .map_or("without an adapter".into(), |lora| format!("with LoRA of rank {}", lora.rank));
    vec![
        format!("{} {}, {}", info.name, info.version, info.licence),
        format!(
            "Encoder: {} layers over {} bands at {} Hz",
            info.encoder.layers, info.features.bands, info.features.sample_rate_hz
        ),
        format!("Decoder: {} layers, {adapter}", info.decoder.num_hidden_layers),
        format!("Answers from a confidence of {:.0} %", 100.0 * info.calibration.threshold),
        format!("Meter error on held-out songs (standard deviation): {} dB", meter.join(", ")),
    ]
}
