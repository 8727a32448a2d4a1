//! `model list`: what is there, what can be fetched, which one is chosen.

use super::catalogue::{Address, KNOWN, Known, Purpose, size_text};
use super::settings::HubSettings;
use super::store::Store;
use anyhow::Result;
use mixing_buddy_core::ModelChoice;
use mixing_buddy_core::model_choice::COMPACT;
use mixing_buddy_core::output::print_line;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Lists the models. Sends nothing.
///
/// # Errors
/// When the stored choice or the folder's name cannot be read, or the output cannot be written.
pub(super) fn run(json: bool) -> Result<()> {
    let choice = ModelChoice::read(&ModelChoice::path_of_user()?)?;
    let settings = HubSettings::from_environment(false)?;
    let store = Store::at(settings.cache.clone());
    let models: Vec<(&'static Known, Option<PathBuf>)> =
        KNOWN.iter().map(|known| (known, store.find(&Address::from(known)))).collect();
    let chosen = match &choice {
        ModelChoice::Compact => COMPACT,
        ModelChoice::Large(large) => &large.name,
    };
    if json {
        let compact = json!({ "name": COMPACT, "purpose": "advice", "chosen": chosen == COMPACT });
        let known = models.iter().map(|(known, path)| value(known, path.as_ref(), chosen));
        let value = json!({
            "models": std::iter::once(compact).chain(known).collect::<Vec<_>>(),
            "chosen": chosen,
            "chosen_file": match &choice {
                ModelChoice::Compact => None,
                ModelChoice::Large(large) => Some(large.file.display().to_string()),
            },
            "folder": store.folder().display().to_string(),
            "hub": settings.endpoint.as_str(),
        });
        return Ok(print_line(&value.to_string())?);
    }
    let mark = |name: &str| if name == chosen { "*" } else { " " };
    print_line(&format!("{} {COMPACT}: built in", mark(COMPACT)))?;
    for (known, path) in &models {
        let purpose = match known.purpose {
            Purpose::Advice => "",
            Purpose::Training => "; for who trains an adapter",
        };
        let state = match path {
            Some(path) => path.display().to_string(),
            None => format!("not here; fetched from https://{}/{}", settings.host(), known.repository),
        };
        let size = known.tested.map_or_else(|| "the hub says its size".into(), |(bytes, _)| size_text(bytes));
        print_line(&format!(
            "{} {}: {}\n    {size}, {}{purpose}\n    {state}",
            mark(known.name),
            known.name,
            known.file,
            known.licence
        ))?;
    }
    if let ModelChoice::Large(large) = &choice
        && !KNOWN.iter().any(|known| known.name == large.name)
    {
        print_line(&format!("* {}: your own\n    {}", large.name, large.file.display()))?;
    }
    print_line(&format!("Fetched files lie in {}; * is the chosen model.", store.folder().display()))?;
    Ok(())
}

fn value(known: &Known, path: Option<&PathBuf>, chosen: &str) -> Value {
    json!({
        "name": known.name,
        "purpose": match known.purpose { Purpose::Advice => "advice", Purpose::Training => "training" },
        "repository": known.repository,
        "file": known.file,
        "size_bytes": known.tested.map(|(bytes, _)| bytes),
        "sha256": known.tested.map(|(_, sha256)| sha256),
        "licence": known.licence,
        "path": path.map(|path| path.display().to_string()),
        "chosen": known.name == chosen,
    })
}
