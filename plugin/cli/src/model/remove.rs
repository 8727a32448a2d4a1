//! `model remove`: frees the disk of a model that was fetched.

use super::catalogue::{Named, named, size_text};
use super::settings::HubSettings;
use super::store::Store;
use anyhow::{Result, bail};
use clap::Args;
use mixing_buddy_core::ModelChoice;
use mixing_buddy_core::output::{note, print_line};
use serde_json::json;

/// Options of `model remove`.
#[derive(Args)]
#[command(after_help = "Examples:\n  mixing-buddy model remove qwen2-0.5b")]
pub struct RemoveArgs {
    /// A model of `model list`, a file on the hub as OWNER/REPOSITORY/FILE.gguf, or hf://OWNER/REPOSITORY
    name: String,
}

/// Removes a fetched file; of a known model also what is not whole. If it was the chosen model, the compact one is chosen.
///
/// # Errors
/// When the name is not known, the file was not fetched, another program fetches it, or it cannot be removed.
pub(super) fn run(args: &RemoveArgs, json: bool) -> Result<()> {
    let Named::Hub(address) = named(&args.name)? else { bail!("the compact model is built in and stays") };
    let store = Store::at(HubSettings::from_environment(true)?.cache);
    let found = store.find(&address).and_then(|path| std::path::absolute(path).ok());
    let Some(freed_bytes) = store.remove(&address)? else {
        bail!("{} is not here: nothing to remove in {}", address.name, store.folder().display());
    };
    let path = ModelChoice::path_of_user()?;
    let was_chosen =
        matches!(ModelChoice::read(&path)?, ModelChoice::Large(large) if Some(&large.file) == found.as_ref());
    if was_chosen {
        ModelChoice::Compact.write(&path)?;
        note("It was the chosen model; now the compact one is.");
    }
    if json {
        let value = json!({ "removed": address.name, "freed_bytes": freed_bytes, "was_chosen": was_chosen });
        print_line(&value.to_string())?;
    } else {
        print_line(&format!("Removed: {} ({} freed)", address.name, size_text(freed_bytes)))?;
    }
    Ok(())
}
