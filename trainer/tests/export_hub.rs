//! A repository for Hugging Face's hub, made of what ships: it is complete, its figures are those of the reports, and what does not
//! belong together is refused.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says why by panicking")]

#[path = "common/cli.rs"]
mod cli;

use cli::Place;
use mixing_buddy_core::bundle::SHIPPED_BUNDLE;
use mixing_buddy_core::{CancelFlag, Engine};
use serde_json::Value;
use std::path::{Path, PathBuf};

fn asset(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets").join(name)
}

/// The version of the shipped weights.
fn version() -> String {
    Engine::open(None, &CancelFlag::new()).unwrap().info().version.clone()
}

fn export(place: &Place, version: &str, report: &Path, out: &str) -> Result<(), String> {
    export_with(place, version, report, out, &asset("NOTICE"))
}

fn export_with(place: &Place, version: &str, report: &Path, out: &str, also: &Path) -> Result<(), String> {
    cli::run(&[
        "export".to_string(),
        asset("compact.mixbuddy").display().to_string(),
        "--format=hub".to_string(),
        format!("--model-version={version}"),
        format!("--card={}", asset("MODEL_CARD.md").display()),
        format!("--evaluation=real, anchor={}", report.display()),
        format!("--also={}", also.display()),
        format!("--also=separator-LICENSE={}", asset("separator/LICENSE").display()),
        format!("--out={}", place.text(out)),
    ])
}

#[test]
fn the_repository_is_complete_and_its_figures_are_those_of_the_reports() {
    let place = Place::new();
    let report = asset("evaluation/real-anchor.json");
    export(&place, &version(), &report, "hub").unwrap();
    let hub = place.path("hub");
    assert_eq!(std::fs::read(hub.join("compact.mixbuddy")).unwrap(), SHIPPED_BUNDLE);
    for file in [
        "NOTICE",
        "separator-LICENSE",
        ".gitattributes",
        "peft/adapter_config.json",
        "peft/adapter_model.safetensors",
        "peft/base/model.safetensors",
        "peft/encoder.safetensors",
    ] {
        assert!(hub.join(file).exists(), "{file}");
    }
    let json = |path: &Path| -> Value { serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap() };
    let config = json(&hub.join("config.json"));
    assert_eq!(config["version"], version().as_str());

    let card = std::fs::read_to_string(hub.join("README.md")).unwrap();
    let (metadata, text) = card.strip_prefix("---\n").unwrap().split_once("---\n").unwrap();
    assert!(text.trim_start().starts_with("# Model card"), "{text}");
    let line = |key: &str| -> Value {
        let line = metadata.lines().find_map(|line| line.strip_prefix(&format!("{key}: "))).unwrap();
        serde_json::from_str(line).unwrap()
    };
    assert_eq!(line("license"), "cc-by-sa-4.0");
    let figures = json(&report);
    let metric = &line("model-index")[0]["results"][0]["metrics"][0];
    assert_eq!(metric["value"], figures["joint"]);
    assert_eq!(metric["args"]["confidence_interval_95"], figures["joint_ci95"]);
    assert_eq!(json(&hub.join("evaluation/real-anchor.json")), figures);
    // Made again, it takes the place of the first.
    export(&place, &version(), &report, "hub").unwrap();
}

#[test]
fn what_does_not_belong_together_is_refused_and_nothing_is_written() {
    let place = Place::new();
    let report = asset("evaluation/real-anchor.json");
    let sentence = export(&place, "9.9.9", &report, "hub").unwrap_err();
    assert!(sentence.contains(&version()) && sentence.contains("9.9.9"), "{sentence}");

    let sentence = export_with(&place, &version(), &report, "hub", &asset("demo/README.md")).unwrap_err();
    assert!(sentence.contains("has a file README.md"), "{sentence}");

    let mut other: Value = serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap();
    other["model"] = "another 1.0".into();
    std::fs::write(place.path("other.json"), other.to_string()).unwrap();
    let sentence = export(&place, &version(), &place.path("other.json"), "hub").unwrap_err();
    assert!(sentence.contains("'real, anchor' is of 'another 1.0'"), "{sentence}");
    assert!(!place.path("hub").exists());

    std::fs::create_dir(place.path("mine")).unwrap();
    std::fs::write(place.path("mine/thesis.tex"), "years of work").unwrap();
    let sentence = export(&place, &version(), &report, "mine").unwrap_err();
    assert!(sentence.contains("holds other files"), "{sentence}");
    assert_eq!(std::fs::read_dir(place.path("mine")).unwrap().count(), 1);
}
