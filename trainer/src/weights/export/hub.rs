//! A model repository for Hugging Face: the bundle, its weights for other programs, and a card with the figures of evaluations.
//!
//! ```text
//! DIR/
//!   README.md                 the model card, with metadata
//!   compact.mixbuddy          the bundle, which the plugin and `--model hf://OWNER/NAME` take
//!   config.json               what the bundle says of itself
//!   peft/                     the same weights in the layout of PEFT and transformers
//!   evaluation/LABEL.json     reports of `evaluate`
//!   .gitattributes            weights are stored as large files
//! ```

use super::card::CardFacts;
use super::peft::{export_peft, write_json};
use crate::evaluation::page::EvaluationJson;
use crate::files;
use crate::weights::advisor::AdvisorWeights;
use anyhow::{Context, Result, bail, ensure};
use candle_core::Device;
use mixing_buddy_core::CancelFlag;
use mixing_buddy_core::bundle::{Bundle, BundleInfo};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Name of the bundle in a repository.
const BUNDLE: &str = "compact.mixbuddy";
/// Files that are written anyway.
const OWN: [&str; 4] = ["README.md", BUNDLE, "config.json", ".gitattributes"];
/// Large files, so that the hub knows their SHA-256.
const ATTRIBUTES: &str =
    "*.mixbuddy filter=lfs diff=lfs merge=lfs -text\n*.safetensors filter=lfs diff=lfs merge=lfs -text\n";

/// What a repository is made of.
pub struct HubParts<'a> {
    /// The bundle.
    pub bundle: &'a Path,
    /// The card, without metadata.
    pub card: &'a Path,
    /// Reports of `evaluate`, for the metadata.
    pub evaluations: &'a [EvaluationJson],
    /// Files that are copied, with their names in the repository: licences, credits.
    pub more: &'a [(String, PathBuf)],
    /// Version that the bundle must have.
    pub version: &'a str,
}

/// Writes the repository into `dir`.
///
/// # Errors
/// When `dir` holds other files, the bundle has another version, a report is of another model, or a file cannot be read or
/// written.
pub fn export_hub(parts: &HubParts<'_>, dir: &Path) -> Result<()> {
    let is_export = dir.join(BUNDLE).exists();
    let is_empty = std::fs::read_dir(dir).map(|mut entries| entries.next().is_none()).unwrap_or(true);
    ensure!(is_export || is_empty, "{} holds other files; choose another folder", dir.display());
    // Everything is read before anything is written.
    let name = parts.bundle.display();
    let bytes = read(parts.bundle)?;
    ensure!(
        Bundle::is_one(&bytes),
        "{name}: a repository needs a bundle, which is calibrated: make one with `bundle`"
    );
    let info = Bundle::read(parts.bundle, &bytes, &Device::Cpu, &CancelFlag::new())?.info;
    ensure!(
        info.version == parts.version,
        "{name} has version {}, not {} as --model-version says",
        info.version,
        parts.version
    );
    let card = String::from_utf8(read(parts.card)?)
        .with_context(|| format!("{} is not a text", parts.card.display()))?;
    let mut more = Vec::new();
    for (file, path) in parts.more {
        let is_name = Path::new(file).file_name().is_some_and(|name| name == file.as_str());
        ensure!(is_name, "'{file}' is no name of a file in the repository");
        let is_taken =
            OWN.contains(&file.as_str()) || more.iter().any(|(other, _): &(&String, _)| *other == file);
        ensure!(
            !is_taken,
            "{} cannot be copied: the repository has a file {file}; give it another name (NAME=FILE)",
            path.display()
        );
        more.push((file, read(path)?));
    }
    let metadata = metadata(&info, parts.evaluations)?;
    let weights = AdvisorWeights::load(parts.bundle)?;
    let facts =
        CardFacts { name: info.name.clone(), version: info.version.clone(), licence: licence_id(&info) };

    make_folder(dir)?;
    export_peft(&weights, Some(parts.bundle), &facts, &dir.join("peft"))?;
    for evaluation in parts.evaluations {
        make_folder(&dir.join("evaluation"))?;
        write_json(&dir.join("evaluation").join(file_name(&evaluation.label)), &evaluation.json)?;
    }
    for (file, bytes) in more {
        files::replace(&dir.join(file), bytes)?;
    }
    write_json(&dir.join("config.json"), &serde_json::to_value(&info)?)?;
    files::replace(&dir.join(".gitattributes"), ATTRIBUTES)?;
    files::replace(&dir.join("README.md"), format!("---\n{metadata}---\n\n{}", card.trim_start()))?;
    files::replace(&dir.join(BUNDLE), bytes)
}

fn make_folder(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path).with_context(|| format!("{} cannot be made", path.display()))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))
}

/// The licence in the form that the hub knows.
fn licence_id(info: &BundleInfo) -> String {
    info.licence.to_lowercase()
}

/// A file name for a label such as "real, anchor".
fn file_name(label: &str) -> String {
    let words: Vec<String> = label
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    format!("{}.json", words.join("-"))
}

/// The metadata of the card as YAML; values are JSON, which is YAML too.
fn metadata(info: &BundleInfo, evaluations: &[EvaluationJson]) -> Result<String> {
    let mut results = Vec::new();
    for evaluation in evaluations {
        let described = evaluation.json["model"].as_str().unwrap_or_default();
        let stated = format!("{} {}", info.name, info.version);
        if described != stated {
            bail!("the evaluation '{}' is of '{described}', not of {stated}", evaluation.label);
        }
        results.push(result(evaluation)?);
    }
    let lines = [
        ("license", json!(licence_id(info))),
        ("library_name", json!("mixing-buddy")),
        ("pipeline_tag", json!("audio-classification")),
        ("tags", json!(["music", "mixing", "audio", "qwen2", "lora", "candle"])),
        ("language", json!(["en"])),
        ("model-index", json!([{"name": format!("{} {}", info.name, info.version), "results": results}])),
    ];
    let lines = lines.iter().map(|(key, value)| format!("{key}: {value}\n"));
    Ok(lines.collect())
}

/// An evaluation as an entry of the metadata's `model-index`.
fn result(evaluation: &EvaluationJson) -> Result<Value> {
    let metrics: Vec<Value> = [
        ("joint", "Right stem and direction"),
        ("balanced_left_alone", "Balanced mixes left alone"),
        ("coverage_at_90", "Windows spoken on when 90 % are right"),
    ]
    .into_iter()
    .filter_map(|(key, name)| {
        let (value, interval) = evaluation.figure(key);
        let interval = interval.map(|[low, high]| json!({"confidence_interval_95": [low, high]}));
        Some(json!({"type": "accuracy", "name": name, "value": value?, "args": interval}))
    })
    .collect();
    ensure!(!metrics.is_empty(), "the evaluation '{}' states no figure", evaluation.label);
    Ok(json!({
        "task": {"type": "audio-classification", "name": "Advice on the balance of a mix"},
        "dataset": {"type": file_name(&evaluation.label).trim_end_matches(".json"), "name": evaluation.label},
        "metrics": metrics,
    }))
}
