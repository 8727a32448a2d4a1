//! The models in the panel, with a shell in place of the command line.
#![cfg(unix)]

use crate::stage::scenes::models::{FILE, list};
use crate::stage::{Stage, scenes, stage};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use mixing_buddy::panel::models::Models;
use mixing_buddy::panel::program::Program;
use mixing_buddy::view::Command;
use mixing_buddy_core::ModelChoice;
use mixing_buddy_core::model_choice::LargeChoice;
use std::time::{Duration, Instant};

/// The panel with a script as the command line. It gets the arguments "model list --json" and the like.
fn panel(fetch: &str) -> Harness<'static, Stage> {
    let list = serde_json::json!({ "models": list(false).models.iter().map(|model| serde_json::json!({
        "name": model.name, "purpose": model.purpose, "size_bytes": model.size_bytes,
        "licence": model.licence, "path": null,
    })).collect::<Vec<_>>() });
    let script = format!("case \"$2\" in list) echo '{list}';; fetch) {fetch};; esac");
    let mut scene = scenes::advice();
    let program = Program::This("/bin/sh".into(), vec!["-c".into(), script.into(), "sh".into()]);
    scene.state.models = Models::new(program, None);
    let mut harness = stage(scene);
    harness.get_by_label("Choose model…").click();
    wait_for(&mut harness, "Fetch 491 MB");
    harness
}

/// Draws until a widget with these words is there.
fn wait_for(harness: &mut Harness<'static, Stage>, words: &str) {
    let started = Instant::now();
    loop {
        harness.step();
        if harness.query_by_label_contains(words).is_some() {
            return;
        }
        assert!(started.elapsed() < Duration::from_secs(20), "'{words}' never came");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn click(harness: &mut Harness<'static, Stage>, label: &str) {
    harness.get_by_label(label).click();
    harness.run_steps(2);
}

#[test]
fn a_fetched_model_is_used() {
    let mut harness = panel(&format!(
        r#"test "$3 $4 $5" = "qwen2-0.5b --yes --json" || exit 1
        echo '{{"event": "progress", "bytes": 100000000, "size_bytes": 491400064, "seconds_left": 38}}'
        sleep 0.3; echo '{{"event": "done", "path": "{FILE}", "was_present": false}}'"#
    ));
    let started = Instant::now();
    harness.get_by_label("Fetch 491 MB").click();
    harness.run_steps(3);
    assert!(started.elapsed() < Duration::from_millis(300), "the frame waited: {:?}", started.elapsed());
    wait_for(&mut harness, "100 of 491 MB, 38 s left");
    wait_for(&mut harness, "on this computer");
    let choice = LargeChoice { name: "qwen2-0.5b".into(), file: FILE.into(), adapter: None };
    assert_eq!(harness.state().sent(), [Command::ChooseLanguage(ModelChoice::Large(choice))]);
}

#[test]
fn a_fetch_is_cancelled_and_goes_on_later() {
    let mut harness = panel(
        r#"echo '{"event": "progress", "bytes": 1000000, "size_bytes": 491400064, "seconds_left": null}'
        read -r _; echo '{"event": "stopped", "bytes": 1000000, "size_bytes": 491400064}'; exit 1"#,
    );
    click(&mut harness, "Fetch 491 MB");
    wait_for(&mut harness, "1 of 491 MB");
    click(&mut harness, "Cancel");
    wait_for(&mut harness, "The next fetch goes on from there");
    harness.get_by_label("Fetch 491 MB");
    assert_eq!(harness.state().sent(), []);
}

#[test]
fn what_goes_wrong_is_told() {
    let mut harness = panel(r#"echo '{"event": "failed", "reason": "the disk is full"}'; exit 1"#);
    click(&mut harness, "Fetch 491 MB");
    wait_for(&mut harness, "the disk is full");
    harness.get_by_label("Fetch 491 MB");
    // Without the command line the panel says so, and a file can still be chosen.
    let mut harness = stage(scenes::advice());
    click(&mut harness, "Choose model…");
    wait_for(&mut harness, "was not found. Install it beside the plugin");
    click(&mut harness, "Choose…");
    assert!(harness.state().state.path_box.is_some());
    harness.event(egui::Event::Text(FILE.to_string()));
    harness.run_ok();
    click(&mut harness, "Use");
    let name = "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf";
    let choice = LargeChoice { name: name.into(), file: FILE.into(), adapter: None };
    assert_eq!(harness.state().sent(), [Command::ChooseLanguage(ModelChoice::Large(choice))]);
}
