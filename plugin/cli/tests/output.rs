//! Standard input and output: songs through a pipe, a reader that stops, a full disk.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says why by panicking")]

#[cfg(target_os = "linux")]
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

#[path = "../../../tests/src/prerequisite.rs"]
mod prerequisite;

fn command() -> Command {
    Command::new(env!("CARGO_BIN_EXE_mixing-buddy"))
}

/// A tone of some seconds at 8 kHz.
fn tone(dir: &Path, seconds: u32) -> PathBuf {
    let path = dir.join("tone.wav");
    let spec = hound::WavSpec {
        channels: 2,
        sample_rate: 8_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(&path, spec).unwrap();
    for n in 0..8_000 * seconds {
        let value = ((n as f32 * 0.3).sin() * 8_000.0) as i16;
        (0..2).for_each(|_| writer.write_sample(value).unwrap());
    }
    writer.finalize().unwrap();
    path
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs `advise -` with these bytes as standard input.
fn through_a_pipe(bytes: &[u8]) -> Output {
    let mut child = command()
        .args(["advise", "-", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = child.stdin.take().unwrap();
    // What is refused early is not read to its end.
    let _is_refused_early = pipe.write_all(bytes);
    drop(pipe);
    child.wait_with_output().unwrap()
}

#[test]
fn a_song_through_standard_input_is_judged_as_the_file_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = tone(dir.path(), 4);
    let of_file = command().arg("advise").arg(&path).arg("--json").output().unwrap();
    let of_pipe = through_a_pipe(&std::fs::read(&path).unwrap());
    assert!(of_pipe.status.success(), "{}", text(&of_pipe.stderr));
    let named = text(&of_file.stdout).replace(path.to_str().unwrap(), "-");
    assert_eq!(text(&of_pipe.stdout), named);
    for (bytes, word) in [(b"".as_slice(), "is empty"), (&[b'P', b'K', 3, 4].repeat(100_000), "ZIP archive")]
    {
        let refused = through_a_pipe(bytes);
        let message = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(1));
        assert!(message.contains("standard input: ") && message.contains(word), "{message}");
    }
}

#[test]
fn a_reader_that_stops_ends_the_program_quietly() {
    let dir = tempfile::tempdir().unwrap();
    let path = tone(dir.path(), 20);
    for args in [vec!["info"], vec!["info", "--json"], vec!["advise", path.to_str().unwrap(), "--hop", "0.5"]]
    {
        // A pipe that nobody reads from any longer.
        let mut child = command().args(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let mut message = String::new();
        child.stderr.take().unwrap().read_to_string(&mut message).unwrap();
        assert!(child.wait().unwrap().success(), "{args:?}: {message}");
        assert_eq!(message, "", "{args:?}");
    }
}

#[test]
fn nobody_reads_the_messages_either() {
    let mut child = command().arg("advise").arg("/missing.wav").stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stderr.take());
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_a_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let path = tone(dir.path(), 4);
    for args in [vec!["info"], vec!["advise", path.to_str().unwrap()]] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = command().args(&args).stdout(full).stderr(Stdio::piped()).output().unwrap();
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {message}");
        assert!(message.starts_with("Error: standard output cannot be written: "), "{message}");
    }
}

#[test]
fn the_cause_of_an_error_is_said_once() {
    let output = command().args(["advise", "/missing/song.wav"]).output().unwrap();
    let message = text(&output.stderr);
    assert_eq!(message.matches("No such file").count(), 1, "{message}");
}

#[test]
fn a_damaged_file_prints_no_panic() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("parts.m4a");
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-f", "lavfi", "-i", "anoisesrc=d=4:r=48000:a=0.3", "-c:a", "aac"])
        .args(["-movflags", "+frag_keyframe+empty_moov"])
        .arg(&path)
        .status();
    if !made.is_ok_and(|status| status.success()) {
        return prerequisite::missing("ffmpeg with its AAC encoder");
    }
    let mut bytes = std::fs::read(&path).unwrap();
    // Version and flags, and the track's number; then the place that packets are counted from.
    let place = bytes.windows(4).position(|name| name == b"tfhd").unwrap() + 12;
    bytes[place..place + 8].copy_from_slice(&(u64::MAX - 1000).to_be_bytes());
    std::fs::write(&path, &bytes).unwrap();
    let output = command().arg("advise").arg(&path).output().unwrap();
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.starts_with("Error: ") && message.lines().count() == 1, "{message}");
}
