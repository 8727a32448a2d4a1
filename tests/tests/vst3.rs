//! The VST3 in a real host, pedalboard (JUCE), with `tests/vst3/host.py`, and in a host of our own for keys and playback in
//! real time, with `tests/vst3/editor.py`. `cargo xtask test` installs what both need.

use mixing_buddy_tests::{bundle, prerequisite};
use std::path::PathBuf;
use std::process::Command;

/// The Python with the host; none if it is not installed.
fn python() -> Option<PathBuf> {
    let environment = bundle::target().join("python");
    let program = environment.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    if !environment.join("installed.txt").exists() {
        prerequisite::missing("the VST3 host");
        return None;
    }
    Some(program)
}

fn run(check: &str, more: &[PathBuf]) {
    run_script("host.py", check, more);
}

fn run_script(script: &str, check: &str, more: &[PathBuf]) {
    let Some(python) = python() else { return };
    let script = bundle::workspace().join("tests/vst3").join(script);
    let output = Command::new(python)
        .arg(script)
        .arg(check)
        .arg(bundle::vst3())
        .args(more)
        // The host must not find settings of the user or of other plugins.
        .env("HOME", bundle::target())
        .output()
        .unwrap_or_else(|error| panic!("Python cannot be started: {error}"));
    let said =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    eprintln!("{said}");
    assert!(output.status.success(), "{check}: {}\n{said}", output.status);
}

#[test]
fn it_loads_without_latency_and_passes_audio_bit_for_bit() {
    run("audio", &[]);
}

#[test]
fn its_state_is_restored_and_garbage_does_no_harm() {
    run("state", &[]);
}

#[test]
fn a_hundred_instances_leave_no_thread() {
    run("lives", &[]);
}

#[test]
fn it_finds_the_error_in_the_demo() {
    run("advice", &[]);
}

#[test]
fn resets_between_pieces_are_no_break_in_the_song() {
    run("resets", &[]);
}

#[test]
fn its_window_opens_twice_and_draws_the_panel() {
    if !cfg!(target_os = "linux") {
        eprintln!("skipped: the test needs a virtual screen, which is available on Linux");
        return;
    }
    run("window", &[bundle::target().join("shots")]);
}

/// A check of the editor, which needs a virtual screen.
fn edit(check: &str) {
    if !cfg!(target_os = "linux") {
        eprintln!("skipped: the test needs a virtual screen, which is available on Linux");
        return;
    }
    run_script("editor.py", check, &[]);
}

#[test]
fn text_fields_take_the_hosts_keys_and_give_them_back() {
    edit("keys");
}

#[test]
fn a_changed_choice_marks_the_project_as_modified() {
    edit("modified");
}

#[test]
fn an_audition_never_sounds_in_a_render_and_ends_with_the_editor() {
    edit("audition");
}
