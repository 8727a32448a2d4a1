//! `mixing-buddy profile` as a user runs it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says why by panicking")]

use hound::{SampleFormat, WavSpec, WavWriter};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

fn write_wav(path: &Path, seconds: f32, hz: f32) {
    let spec =
        WavSpec { channels: 2, sample_rate: 44_100, bits_per_sample: 32, sample_format: SampleFormat::Float };
    let mut writer = WavWriter::create(path, spec).unwrap();
    for n in 0..(seconds * 44_100.0) as u32 {
        let t = n as f32 / 44_100.0;
        let tone = |hz: f32| (std::f32::consts::TAU * hz * t).sin();
        let click = if (t * 2.0).fract() < 0.02 { tone(3111.0) } else { 0.0 };
        for _ in 0..2 {
            writer.write_sample(0.2 * tone(82.4) + 0.1 * tone(hz) + 0.3 * click).unwrap();
        }
    }
    writer.finalize().unwrap();
}

/// Runs the command line with a library of its own.
fn profile(library: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mixing-buddy"));
    command.arg("profile").args(args).env("MIXING_BUDDY_DATA", library).output().unwrap()
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn songs_are_measured_once_listed_shown_and_used() {
    let dir = tempfile::tempdir().unwrap();
    let (data, songs) = (dir.path().join("data"), dir.path().join("songs"));
    std::fs::create_dir(&songs).unwrap();
    write_wav(&songs.join("one.wav"), 21.0, 440.0);
    write_wav(&songs.join("two.wav"), 5.0, 554.4);
    std::fs::write(songs.join("cover.jpg"), "a picture").unwrap();
    assert!(text(&profile(&data, &["list"])).contains("empty"));

    let folder = songs.to_str().unwrap();
    let made = text(&profile(&data, &["make", folder, "--group", "My Records", "--json"]));
    let lines: Vec<Value> = made.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert!(lines.iter().all(|line| line["is_new"] == true && line["windows"].as_u64().unwrap() > 0));
    let again = text(&profile(&data, &["make", folder]));
    assert_eq!(again.matches("is in the library already").count(), 2, "{again}");

    let list: Value = serde_json::from_str(&text(&profile(&data, &["list", "--json"]))).unwrap();
    assert_eq!(
        (list["songs"].as_array().unwrap().len(), &list["groups"][0]["name"]),
        (2, &"My Records".into())
    );
    let shown = text(&profile(&data, &["show", "records"]));
    assert!(shown.starts_with("My Records: 2 songs") && shown.contains("Levels against the rest"), "{shown}");
    let song: Value = serde_json::from_str(&text(&profile(&data, &["show", "one", "--json"]))).unwrap();
    assert_eq!(
        song["windows"].as_array().unwrap().len() as u64,
        song["balance"]["windows"].as_u64().unwrap()
    );

    let advised = Command::new(env!("CARGO_BIN_EXE_mixing-buddy"))
        .args(["advise", songs.join("two.wav").to_str().unwrap(), "--json"])
        .args(["--profile", "my records=2", "--profile", "one.wav"])
        .env("MIXING_BUDDY_DATA", &data)
        .output()
        .unwrap();
    assert!(text(&advised).contains("\"kind\":\"song\""));
}

#[test]
fn a_profile_travels_in_one_file() {
    let dir = tempfile::tempdir().unwrap();
    let (here, there) = (dir.path().join("here"), dir.path().join("there"));
    let song = dir.path().join("song.wav");
    write_wav(&song, 4.0, 440.0);
    text(&profile(&here, &["make", song.to_str().unwrap(), "--group", "one song", "--weight", "2"]));
    let file = dir.path().join("pop.json");
    text(&profile(&here, &["export", "one song", "--output", file.to_str().unwrap()]));
    let added = text(&profile(&there, &["import", file.to_str().unwrap(), "--json"]));
    assert_eq!(added.trim(), r#"{"groups":1,"known":0,"songs":1}"#);
    let show = |library: &Path| text(&profile(library, &["show", "one song", "--json"]));
    assert_eq!(show(&here), show(&there));
    text(&profile(&there, &["remove", "one song"]));
    assert!(text(&profile(&there, &["list"])).contains("song.wav"), "the songs of a group stay");
}

#[test]
fn what_cannot_be_done_is_told_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let good = dir.path().join("good.wav");
    write_wav(&good, 4.0, 440.0);
    std::fs::write(dir.path().join("words.wav"), "these are words").unwrap();
    let bad = dir.path().join("words.wav");
    let both = profile(&data, &["make", bad.to_str().unwrap(), good.to_str().unwrap()]);
    assert!(!both.status.success() && String::from_utf8_lossy(&both.stdout).contains("good.wav: measured"));
    assert!(String::from_utf8_lossy(&both.stderr).contains("words.wav"));
    let empty = dir.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    for (args, word) in [
        (vec!["show", "nobody"], "no song and no group 'nobody'"),
        (vec!["import", bad.to_str().unwrap()], "not a file of `profile export`"),
        (vec!["import", "/no/such/file"], "cannot be read"),
        (vec!["make", empty.to_str().unwrap()], "there is no song in"),
        (vec!["make", good.to_str().unwrap(), "--group", "x", "--weight", "0"], "--weight"),
    ] {
        let output = profile(&data, &args);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && message.contains(word), "{args:?}: {message}");
    }
}
