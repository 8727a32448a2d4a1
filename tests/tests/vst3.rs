//! The VST3 in a real host, pedalboard (JUCE), with `tests/vst3/host.py`, and in a host of our own for keys and playback in
//! real time, with `tests/vst3/editor.py`. `cargo xtask test` installs what both need.

use mixing_buddy_tests::{bundle, prerequisite};
use std::path::{Path, PathBuf};
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
    run_script("host.py", check, &bundle::vst3(), more);
}

fn run_script(script: &str, check: &str, plugin: &Path, more: &[PathBuf]) {
    let Some(python) = python() else { return };
    let script = bundle::workspace().join("tests/vst3").join(script);
    let output = Command::new(python)
        .arg(script)
        .arg(check)
        .arg(plugin)
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

/// A check of the VST3's editor, which needs a virtual screen.
fn edit(check: &str) {
    edit_in(check, &bundle::vst3());
}

/// A check of the editor in the host of the plugin's format.
fn edit_in(check: &str, plugin: &Path) {
    if !cfg!(target_os = "linux") {
        eprintln!("skipped: the test needs a virtual screen, which is available on Linux");
        return;
    }
    run_script("editor.py", check, plugin, &[]);
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

#[test]
fn a_host_reads_the_advice_as_parameters_and_never_writes_them() {
    run_script("editor.py", "readouts", &bundle::vst3(), &[]);
}

#[test]
fn the_track_is_shown() {
    edit("track");
    edit_in("track", &bundle::clap());
    edit_in("indications", &bundle::clap());
}

#[test]
fn the_editor_follows_the_scale_of_host_and_desktop_in_the_vst3() {
    edit("scale");
}

#[test]
fn the_editor_follows_the_scale_of_host_and_desktop_in_the_clap() {
    edit_in("scale", &bundle::clap());
}

#[test]
fn the_vst3s_editor_opens_a_hundred_times_and_leaves_nothing() {
    edit("hundred");
}

#[test]
fn the_claps_editor_opens_a_hundred_times_and_leaves_nothing() {
    edit_in("hundred", &bundle::clap());
}
