//! `model info`: what a model is.

use super::file::{Fit, Opened, Place, place};
use super::settings::HubSettings;
use super::store::Store;
use crate::info::show_bundle;
use anyhow::Result;
use clap::Args;
use mixing_buddy_core::ModelChoice;
use mixing_buddy_core::output::print_line;
use mixing_buddy_core::qwen2::files::config::ARCHITECTURE;
use serde_json::json;
use std::path::{Path, PathBuf};

/// Options of `model info`.
#[derive(Args)]
#[command(after_help = "Examples:\n  mixing-buddy model info\n  mixing-buddy model info qwen2-0.5b\n  \
    mixing-buddy model info my-base.gguf --adapter my-adapter.safetensors --json")]
pub struct InfoArgs {
    /// A model that was fetched, a GGUF file or a folder with safetensors; the chosen model if none is given
    model: Option<String>,
    /// An adapter of your own; else the shipped one
    #[arg(long, value_name = "FILE")]
    adapter: Option<PathBuf>,
}

/// Describes a model.
///
/// # Errors
/// When it cannot be found, opened or used, or the output cannot be written.
pub(super) fn run(args: &InfoArgs, json: bool) -> Result<()> {
    let store = Store::at(HubSettings::from_environment(true)?.cache);
    let mut adapter = args.adapter.clone();
    let place = match (&args.model, ModelChoice::read(&ModelChoice::path_of_user()?)?) {
        (Some(text), _) => place(text, &store)?,
        (None, ModelChoice::Compact) => Place::Compact,
        (None, ModelChoice::Large(large)) => {
            adapter = adapter.or(large.adapter);
            place(&large.file.display().to_string(), &store)?
        }
    };
    let Place::File { name, path, known } = place else {
        return show_bundle(None, json);
    };
    let mut opened = Opened::open(&path)?;
    let fit = opened.fit(adapter.as_deref())?;
    let stated = || opened.stated_licence();
    let licence = known.map(|known| known.licence.to_string()).or_else(stated);
    let config = &opened.checkpoint.config;
    let formats = opened.checkpoint.weights.formats();
    if json {
        let formats: serde_json::Map<String, serde_json::Value> = formats
            .iter()
            .map(|(format, (tensors, bytes))| {
                (format.to_string(), json!({ "tensors": tensors, "bytes": bytes }))
            })
            .collect();
        let value = json!({
            "name": name,
            "own_name": opened.checkpoint.name,
            "architecture": ARCHITECTURE,
            "layers": config.num_hidden_layers,
            "hidden": config.hidden_size,
            "intermediate": config.intermediate_size,
            "heads": config.num_attention_heads,
            "key_value_heads": config.num_key_value_heads,
            "vocabulary": config.vocab_size,
            "context": config.max_position_embeddings,
            "weights": formats,
            "weights_bytes": opened.weights_bytes(),
            "licence": licence,
            "path": path.display().to_string(),
            "adapter": adapter.as_deref().map(|path| path.display().to_string()),
            "adapter_fits": matches!(&fit, Fit::Fits { .. }),
            "adapter_decides": match &fit { Fit::Fits { decides } => Some(decides), Fit::Other(_) => None },
            "adapter_reason": match &fit { Fit::Other(reason) => Some(reason), Fit::Fits { .. } => None },
        });
        return Ok(print_line(&value.to_string())?);
    }
    let formats: Vec<String> = formats
        .iter()
        .map(|(format, (tensors, bytes))| {
            format!("{format} ({tensors} tensors, {:.1} MB)", *bytes as f64 / 1e6)
        })
        .collect();
    print_line(&format!("{name}: \"{}\", {}", opened.checkpoint.name, licence_text(licence.as_deref())))?;
    print_line(&format!(
        "Architecture: {ARCHITECTURE}, {} layers of {} with {} heads ({} for keys and values), {} tokens, context {}",
        config.num_hidden_layers,
        config.hidden_size,
        config.num_attention_heads,
        config.num_key_value_heads,
        config.vocab_size,
        config.max_position_embeddings
    ))?;
    print_line(&format!("Weights: {:.1} MB: {}", opened.weights_bytes() as f64 / 1e6, formats.join(", ")))?;
    print_line(&format!("Place: {}", path.display()))?;
    print_line(&format!("Adapter: {}", fit_text(&fit, adapter.as_deref())))?;
    Ok(())
}

fn licence_text(licence: Option<&str>) -> String {
    licence.map_or_else(|| "the file states no licence".into(), |licence| format!("licence {licence}"))
}

fn fit_text(fit: &Fit, adapter: Option<&Path>) -> String {
    let name = adapter.map_or("the shipped one".into(), |path| path.display().to_string());
    match fit {
        Fit::Fits { decides: true } => format!("{name} fits; it decides what is off, and talks about it"),
        Fit::Fits { decides: false } => format!("{name} fits; it talks about what the compact model decides"),
        Fit::Other(reason) => format!("does not fit: {reason}"),
    }
}
