//! The command line as a user runs it: answers, JSON lines, and error messages for bad input.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says why by panicking")]

use hound::{SampleFormat, WavSpec, WavWriter};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Runs the command line to its end and returns its output.
fn answer(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mixing-buddy")).args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Writes a float WAV file; `sample` gives the value at a time in seconds, the same for all channels.
fn write_wav(path: &Path, rate: u32, channels: u16, seconds: f32, sample: impl Fn(f32) -> f32) {
    let spec =
        WavSpec { channels, sample_rate: rate, bits_per_sample: 32, sample_format: SampleFormat::Float };
    let mut writer = WavWriter::create(path, spec).unwrap();
    for n in 0..(seconds * rate as f32) as u32 {
        for _ in 0..channels {
            writer.write_sample(sample(n as f32 / rate as f32)).unwrap();
        }
    }
    writer.finalize().unwrap();
}

/// Two tones and a click track.
fn music(t: f32) -> f32 {
    let tone = |hz: f32| (std::f32::consts::TAU * hz * t).sin();
    let click = if (t * 2.0).fract() < 0.02 { tone(3111.0) } else { 0.0 };
    0.2 * tone(82.4) + 0.1 * tone(440.0) + 0.3 * click
}

fn file(dir: &tempfile::TempDir, name: &str, seconds: f32) -> PathBuf {
    let path = dir.path().join(name);
    write_wav(&path, 44_100, 2, seconds, music);
    path
}

fn check_line(line: &Value, file: &str) {
    assert_eq!(line["file"], file);
    let verdict = line["verdict"].as_str().unwrap();
    let best = line["best"]["verdict"].as_str().unwrap();
    assert!(
        ["no_error", "quiet", "very_quiet", "loud", "very_loud", "abstain", "silence"].contains(&verdict)
    );
    assert_ne!(best, "abstain");
    assert!(verdict == best || verdict == "abstain", "{line}");
    assert!((0.0..=1.0).contains(&line["confidence"].as_f64().unwrap()));
    assert_eq!(line["levels_lu"].as_object().unwrap().len(), 4);
    let confident = ["quiet", "very_quiet", "loud", "very_loud"].contains(&verdict);
    assert_eq!(line["stem"].is_string(), confident);
    assert_eq!(line["gain_db"].is_number(), confident);
    if let Some(gain) = line["best"]["gain_db"].as_f64() {
        assert_eq!(gain < 0.0, best.ends_with("loud"), "{line}");
        assert_eq!(gain.abs() >= 6.0, best.starts_with("very"), "{line}");
    }
    assert!(!line["text"].as_str().unwrap().contains("<|"));
}

#[test]
fn json_lines_are_windows_and_then_the_song() {
    let dir = tempfile::tempdir().unwrap();
    let path = file(&dir, "tones.wav", 22.0);
    let name = path.to_str().unwrap();
    let output = answer(&["advise", name, "--json"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let lines: Vec<Value> = text(&output.stdout).lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    lines.iter().for_each(|line| check_line(line, name));
    let starts: Vec<f64> =
        lines.iter().filter(|l| l["kind"] == "window").map(|l| l["start_s"].as_f64().unwrap()).collect();
    assert_eq!(starts, [0.0, 5.0, 10.0, 12.0], "the last window is aligned to the end");
    assert_eq!(lines.iter().filter(|l| l["kind"] == "song").count(), 1);
    assert_eq!(lines.last().unwrap()["kind"], "song");
    assert_eq!(text(&answer(&["advise", name, "--json"]).stdout), text(&output.stdout), "the same twice");
}

#[test]
fn any_rate_and_channel_count_is_judged() {
    let dir = tempfile::tempdir().unwrap();
    for (name, rate, channels) in [("narrow.wav", 8_000, 1), ("wide.wav", 192_000, 6)] {
        let path = dir.path().join(name);
        write_wav(&path, rate, channels, 4.0, music);
        let output = answer(&["advise", path.to_str().unwrap(), "--json"]);
        assert!(output.status.success(), "{name}: {}", text(&output.stderr));
        assert_eq!(text(&output.stdout).lines().count(), 2);
    }
}

#[test]
fn a_silent_file_is_not_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("silence.wav");
    write_wav(&path, 44_100, 2, 11.0, |_| 0.0);
    let output = answer(&["advise", path.to_str().unwrap(), "--json"]);
    assert!(output.status.success());
    assert!(text(&output.stdout).lines().all(|l| l.contains("\"verdict\":\"silence\"")));
}

#[test]
fn bad_files_get_a_message_and_the_others_are_judged() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    std::fs::write(at("notes.wav"), "these are words and not sound").unwrap();
    std::fs::write(at("empty.wav"), "").unwrap();
    write_wav(&at("short.wav"), 44_100, 2, 0.5, music);
    write_wav(&at("nan.wav"), 44_100, 2, 5.0, |t| if t > 2.0 { f32::NAN } else { 0.1 });
    let whole = std::fs::read(file(&dir, "good.wav", 5.0)).unwrap();
    std::fs::write(at("cut.wav"), &whole[..whole.len() / 2]).unwrap();
    for name in ["notes.wav", "empty.wav", "short.wav", "nan.wav", "cut.wav", "missing.wav"] {
        let (bad, good) = (at(name), at("good.wav"));
        let output = answer(&["advise", bad.to_str().unwrap(), good.to_str().unwrap(), "--json"]);
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{name}");
        assert!(message.contains("Error: ") && message.contains(name), "{name}: {message}");
        assert!(!message.contains("panicked"), "{name}: {message}");
        let lines: Vec<Value> =
            text(&output.stdout).lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert!(lines.iter().any(|l| l["kind"] == "song" && l["file"] == good.to_str().unwrap()), "{name}");
        assert!(lines.iter().all(|l| l["file"] == good.to_str().unwrap()), "{name}: half-judged");
    }
}

#[test]
fn a_page_for_browsers_has_every_song_that_was_judged() {
    let dir = tempfile::tempdir().unwrap();
    let (song, reference) = (file(&dir, "a <song>.wav", 12.0), file(&dir, "reference.wav", 12.0));
    let missing = dir.path().join("missing.wav");
    let page = dir.path().join("report.html");
    let output = answer(&[
        "advise",
        song.to_str().unwrap(),
        missing.to_str().unwrap(),
        "--reference",
        reference.to_str().unwrap(),
        "--html",
        page.to_str().unwrap(),
    ]);
    assert_eq!(output.status.code(), Some(1), "one song is missing");
    let html = std::fs::read_to_string(&page).unwrap();
    for said in
        ["a &lt;song&gt;.wav", "reference: reference.wav", "All 2 windows", "class=\"timeline\"", "compact "]
    {
        assert!(html.contains(said), "{said}");
    }
    assert_eq!(html.matches("<article>").count(), 1);
    assert!(!html.contains("<script"));
    let nowhere = dir.path().join("no/such/folder.html");
    let output = answer(&["advise", song.to_str().unwrap(), "--html", nowhere.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("folder.html"), "{}", text(&output.stderr));
    let files = std::fs::read_dir(dir.path()).unwrap().count();
    assert_eq!(files, 3, "no temporary file is left");
}

#[test]
fn invalid_options_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = file(&dir, "tones.wav", 4.0);
    let name = path.to_str().unwrap();
    for (args, word) in [
        (vec!["advise", name, "--anchor", "other"], "--anchor"),
        (vec!["advise", name, "--anchor", "kazoo"], "not a stem"),
        (vec!["advise", name, "--hop", "0"], "--hop"),
        (vec!["advise", name, "--bundle", name], "not a MixingBuddy model"),
        (vec!["info", name], "not a MixingBuddy model"),
    ] {
        let output = answer(&args);
        assert!(!output.status.success(), "{args:?}");
        assert!(text(&output.stderr).contains(word), "{args:?}: {}", text(&output.stderr));
    }
}

#[test]
fn the_demo_runs_and_states_the_injected_error() {
    let output = answer(&["advise"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("Injected: drums +6.0 dB"));
    assert!(text(&output.stdout).contains("demo: "));
}

#[test]
fn info_describes_the_shipped_model() {
    let output = answer(&["info", "--json"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let info: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(info["name"], "compact");
    assert_eq!(info["licence"], "CC-BY-SA-4.0");
    assert!(
        text(&answer(&["info"]).stdout)
            .starts_with(&format!("compact {}", info["version"].as_str().unwrap()))
    );
}
