//! What is not a plain file: named pipes, devices, folders.

#![cfg(unix)]
#![allow(clippy::unwrap_used)]

use mixing_buddy_core::CancelFlag;
use mixing_buddy_core::audio::decode_file;
use std::error::Error as _;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

fn fifo(dir: &Path) -> PathBuf {
    let path = dir.join("song.wav");
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    path
}

fn wav(frames: usize) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let spec = hound::WavSpec {
        channels: 2,
        sample_rate: 8_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::new(&mut bytes, spec).unwrap();
    (0..frames * 2).for_each(|n| writer.write_sample((n % 1000) as i16).unwrap());
    writer.finalize().unwrap();
    bytes.into_inner()
}

fn message(path: &Path) -> String {
    decode_file(path, &CancelFlag::new()).unwrap_err().to_string()
}

#[test]
fn a_song_comes_through_a_pipe_at_any_pace() {
    let dir = tempfile::tempdir().unwrap();
    let path = fifo(dir.path());
    let bytes = wav(100_000);
    let writer = {
        let (path, bytes) = (path.clone(), bytes.clone());
        std::thread::spawn(move || {
            // Comes late, and in pieces with pauses.
            std::thread::sleep(Duration::from_millis(200));
            let mut pipe = std::fs::OpenOptions::new().write(true).open(path).unwrap();
            for piece in bytes.chunks(100_000) {
                pipe.write_all(piece).unwrap();
                std::thread::sleep(Duration::from_millis(30));
            }
        })
    };
    let pcm = decode_file(&path, &CancelFlag::new()).unwrap();
    writer.join().unwrap();
    let plain = dir.path().join("plain.wav");
    std::fs::write(&plain, bytes).unwrap();
    assert_eq!(pcm, decode_file(&plain, &CancelFlag::new()).unwrap());
}

#[test]
fn a_pipe_that_nobody_writes_to_times_out() {
    let dir = tempfile::tempdir().unwrap();
    let start = Instant::now();
    let text = message(&fifo(dir.path()));
    assert!(text.contains("is a pipe through which nothing comes"), "{text}");
    assert!(start.elapsed() < Duration::from_secs(30));
}

#[test]
fn a_pipe_of_something_else_is_refused_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = fifo(dir.path());
    let to = path.clone();
    // Endless: the writer stops because nobody reads any longer.
    let writer = std::thread::spawn(move || {
        let mut pipe = std::fs::OpenOptions::new().write(true).open(to).unwrap();
        while pipe.write_all(&[b'P', b'K', 3, 4, 0, 0, 0, 0]).is_ok() {}
    });
    assert!(message(&path).contains("ZIP archive"));
    writer.join().unwrap();
}

#[test]
fn devices_and_folders_are_refused() {
    assert!(message(Path::new("/dev/zero")).contains("is a device"));
    assert!(message(Path::new("/dev/null")).contains("is a device"));
    assert!(message(tempfile::tempdir().unwrap().path()).contains("is a folder"));
}

#[test]
fn the_cause_of_an_error_is_said_once() {
    let error = decode_file(Path::new("/missing/song.wav"), &CancelFlag::new()).unwrap_err();
    assert!(error.to_string().contains("No such file"), "{error}");
    assert!(error.source().is_none(), "a chain of errors would repeat it");
}
