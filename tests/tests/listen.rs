//! The command `listen`: the advice of the plugin as JSON lines, the same each time.

use mixing_buddy_tests::bundle;
use serde_json::Value;
use std::fs::File;
use std::path::Path;
use std::process::{Command, Output};

fn listen_command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mixing-buddy-listen"));
    command.arg("--plugin").arg(bundle::clap()).args(args);
    command
}

fn listen(args: &[&str]) -> Output {
    listen_command(args).output().unwrap_or_else(|error| panic!("listen cannot be started: {error}"))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The JSON lines of an output.
fn lines(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

#[test]
fn the_demo_gives_json_lines_with_the_song_last_and_the_same_each_time() {
    let first = listen(&["--json"]);
    let all = lines(&first);
    let kinds: Vec<&str> = all.iter().filter_map(|line| line["kind"].as_str()).collect();
    assert_eq!(kinds, ["window", "window", "window", "song"]);
    let starts: Vec<f64> = all.iter().filter_map(|line| line["start_s"].as_f64()).collect();
    assert_eq!(starts, [0.0, 5.0, 10.0, 0.0]);
    for line in &all {
        assert_eq!(line["file"], "demo");
        let mut keys: Vec<&str> =
            line.as_object().map_or(vec![], |line| line.keys().map(String::as_str).collect());
        keys.sort_unstable();
        assert_eq!(
            keys,
            [
                "best",
                "confidence",
                "end_s",
                "file",
                "gain_db",
                "gain_db_sd",
                "kind",
                "levels_lu",
                "start_s",
                "stem",
                "text",
                "verdict"
            ]
        );
        assert_eq!(line["levels_lu"].as_object().map(serde_json::Map::len), Some(4));
        let silent = ["no_error", "abstain", "silence"].iter().any(|verdict| line["verdict"] == *verdict);
        assert_eq!(line["stem"].is_null(), silent, "{line}");
        assert_eq!(line["gain_db"].is_null(), silent, "{line}");
    }
    for line in &all {
        assert_eq!(line["stem"], "drums", "{line}");
    }
    assert!(text(&first.stderr).contains("Found:"), "{}", text(&first.stderr));
    assert_eq!(text(&listen(&["--json"]).stdout), text(&first.stdout), "another time");
}

#[test]
fn standard_input_is_played_at_a_rate_that_the_plugin_does_not_take() {
    let folder = tempfile::tempdir().unwrap();
    let song = folder.path().join("song.wav");
    let (rate_hz, seconds) = (6_000u32, 12u32);
    let bytes = rate_hz * seconds * 2;
    let mut wav =
        [b"RIFF".as_slice(), &(36 + bytes).to_le_bytes(), b"WAVEfmt \x10\0\0\0\x01\0\x01\0"].concat();
    wav.extend([rate_hz, rate_hz * 2].into_iter().flat_map(u32::to_le_bytes));
    wav.extend([b"\x02\0\x10\0data".as_slice(), &bytes.to_le_bytes()].concat());
    wav.extend((0..bytes / 2).flat_map(|n| ((n % 40) as i16 * 200).to_le_bytes()));
    std::fs::write(&song, wav).unwrap();
    let mut command = listen_command(&["-", "--json"]);
    let output = command.stdin(File::open(&song).unwrap()).output().unwrap();
    assert_eq!(lines(&output).last().map(|line| line["kind"].clone()), Some("song".into()));
    assert!(text(&output.stderr).contains("at 32000 Hz"), "{}", text(&output.stderr));
}

#[test]
fn files_are_played_at_their_own_rate_and_errors_name_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/demo/vocals.ogg");
    let out = listen(&[&demo.display().to_string()]);
    assert!(out.status.success(), "{}", text(&out.stderr));
    assert!(text(&out.stdout).contains("0:05 to 0:15"), "{}", text(&out.stdout));
    let broken = folder.path().join("broken.wav");
    std::fs::write(&broken, b"not a song").unwrap();
    let missing = folder.path().join("missing.wav");
    for file in [&broken, &missing] {
        let name = file.display().to_string();
        let output = listen(&[&name, "--json"]);
        assert_eq!(output.status.code(), Some(1));
        assert!(output.stdout.is_empty());
        let said = text(&output.stderr);
        assert!(said.contains("Error: ") && said.contains(&name), "{said}");
    }
}
