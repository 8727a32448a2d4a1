//! `model use`: chooses the model for all projects.

use super::catalogue::Purpose;
use super::file::{Fit, Opened, Place, place};
use super::settings::HubSettings;
use super::store::Store;
use anyhow::{Context, Result, bail};
use clap::Args;
use mixing_buddy_core::ModelChoice;
use mixing_buddy_core::large::LargeModel;
use mixing_buddy_core::model_choice::{COMPACT, LargeChoice};
use mixing_buddy_core::output::print_line;
use serde_json::json;
use std::path::PathBuf;

/// Options of `model use`.
#[derive(Args)]
#[command(after_help = "Examples:\n  mixing-buddy model use qwen2-0.5b\n  \
    mixing-buddy model use ~/Downloads/qwen2.5-coder-0.5b-instruct-q8_0.gguf\n  \
    mixing-buddy model use my-base.gguf --adapter my-adapter.safetensors\n  mixing-buddy model use compact")]
pub struct UseArgs {
    /// `compact`, a model that was fetched, a GGUF file or a folder with safetensors
    model: String,
    /// An adapter of your own for this model
    #[arg(long, value_name = "FILE")]
    adapter: Option<PathBuf>,
}

/// Remembers the choice, after the file was opened and checked.
///
/// # Errors
/// When the model is not there, cannot be used, or no adapter fits it; when the choice cannot be written.
pub(super) fn run(args: &UseArgs, json: bool) -> Result<()> {
    let store = Store::at(HubSettings::from_environment(true)?.cache);
    let choice = match place(&args.model, &store)? {
        Place::Compact if args.adapter.is_some() => bail!("the compact model takes no adapter of your own"),
        Place::Compact => ModelChoice::Compact,
        Place::File { name, path, known } => {
            let adapter = args.adapter.as_ref().map(std::path::absolute).transpose();
            let adapter = adapter.context("the adapter's path cannot be used")?;
            let purpose = known.map(|known| known.purpose);
            match Opened::open(&path)?.fit(adapter.as_deref())? {
                Fit::Fits { .. } => {}
                Fit::Other(_) if adapter.is_none() && purpose == Some(Purpose::Training) => bail!(
                    "{name} cannot be used without an adapter that was trained on it: give one with --adapter FILE"
                ),
                Fit::Other(reason) => bail!("{name} cannot be used: {reason}"),
            }
            let choice = LargeChoice { name, file: path, adapter };
            // As the plugin will open it: with its projector and the words of its decisions.
            LargeModel::of_choice(&choice).with_context(|| format!("{} cannot be used", choice.name))?;
            ModelChoice::Large(choice)
        }
    };
    choice.write(&ModelChoice::path_of_user()?)?;
    let (name, file) = match &choice {
        ModelChoice::Compact => (COMPACT, None),
        ModelChoice::Large(large) => (large.name.as_str(), Some(large.file.display().to_string())),
    };
    match (json, &file) {
        (true, _) => print_line(&json!({ "chosen": name, "chosen_file": file }).to_string())?,
        (false, None) => print_line(&format!("Chosen: {name}"))?,
        (false, Some(file)) => print_line(&format!("Chosen: {name} ({file})"))?,
    }
    Ok(())
}
