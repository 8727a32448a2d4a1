//! MP3 files that were joined, cut or damaged after they were encoded: the frames count, not the number in the first one.
//!
//! Without ffmpeg these tests are skipped with a message; with the variable `CI` set they fail.

#![allow(clippy::unwrap_used)]

use mixing_buddy_core::CancelFlag;
use mixing_buddy_core::audio::{FileStream, decode_file};
use std::path::Path;
use std::process::Command;

#[path = "../../../tests/src/prerequisite.rs"]
mod prerequisite;

const RATE_HZ: usize = 22_050;
const SECONDS: usize = 4;
/// Samples in a frame of MPEG 2 layer 3.
const FRAME: usize = 576;

/// The frames of an MP3 at 64 kbit/s and 22,050 Hz, the first with the encoder's count; none without ffmpeg.
fn frames(dir: &Path, channels: &str) -> Option<Vec<Vec<u8>>> {
    let path = dir.join("whole.mp3");
    let tone = format!("sine=440:sample_rate={RATE_HZ}:duration={SECONDS}");
    let run = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-y", "-f", "lavfi", "-i", &tone, "-ac", channels])
        .args(["-c:a", "libmp3lame", "-b:a", "64k", "-id3v2_version", "0"])
        .arg(&path)
        .status();
    if !run.is_ok_and(|status| status.success()) {
        prerequisite::missing("ffmpeg");
        return None;
    }
    let bytes = std::fs::read(&path).unwrap();
    let (mut frames, mut at) = (Vec::new(), 0);
    while at + 4 < bytes.len() {
        let len = 72 * 64_000 / RATE_HZ + usize::from(bytes[at + 2] >> 1 & 1);
        frames.push(bytes[at..at + len].to_vec());
        at += len;
    }
    Some(frames)
}

/// Length in frames, and the warnings.
fn read(path: &Path) -> (usize, Vec<String>) {
    let mut stream = FileStream::open(path).unwrap();
    let (mut left, mut right) = (Vec::new(), Vec::new());
    while stream.next_chunk(&mut left, &mut right).unwrap() {}
    let stated = stream.stated_frames().unwrap();
    assert!(stated.abs_diff(left.len() as u64) <= FRAME as u64, "{stated} stated, {} read", left.len());
    (left.len(), stream.warnings())
}

#[test]
fn joined_and_cut_mp3_files_are_read_whole() {
    let dir = tempfile::tempdir().unwrap();
    let Some(frames) = frames(dir.path(), "1") else { return };
    let path = dir.path().join("made.mp3");
    let sound = frames.len() - 1;
    let whole = frames.concat();
    let id3v1 = [b"TAG".as_slice(), &[0; 125]].concat();
    let id3v2 = [b"ID3\x04\0\0\0\0\x02\0".as_slice(), &[0xff; 256]].concat();
    let ape = [b"APETAGEX\xd0\x07\0\0\x20\0\0\0\0\0\0\0\0\0\0\x80".as_slice(), &[0; 8]].concat();
    for (name, bytes, expected, warned) in [
        ("whole", whole.clone(), None, ""),
        ("tags around it", [&id3v2[..], &whole, &ape, &id3v1].concat(), None, ""),
        ("zeros before it", [&[0; 3000][..], &whole].concat(), None, ""),
        ("zeros after it", [&whole[..], &[0; 3000]].concat(), None, ""),
        ("joined", [&whole[..], &whole].concat(), Some(2 * sound), "was joined"),
        ("joined with tags between", [&whole[..], &id3v2, &whole].concat(), Some(2 * sound), "was joined"),
        ("a part joined", [&whole[..], &frames[1..61].concat()].concat(), Some(sound + 60), "was joined"),
        ("its start cut", [&frames[0][..], &frames[60..].concat()].concat(), Some(sound - 59), "was cut"),
        ("its end cut", frames[..100].concat(), Some(99), "was cut"),
        ("no count", frames[1..].concat(), Some(sound), ""),
        (
            "a start within a frame",
            [&frames[50][30..], &frames[51..].concat()].concat(),
            Some(sound - 50),
            "",
        ),
    ] {
        std::fs::write(&path, bytes).unwrap();
        let (len, warnings) = read(&path);
        match expected {
            None => assert_eq!(len, SECONDS * RATE_HZ, "{name}"),
            Some(count) => assert!((count * FRAME).abs_diff(len) <= 3 * FRAME, "{name}: {len}"),
        }
        assert_eq!(warnings.is_empty(), warned.is_empty(), "{name}: {warnings:?}");
        assert!(warnings.iter().all(|text| text.contains(warned)), "{name}: {warnings:?}");
    }
    // A download that was interrupted is an error, as for other formats.
    std::fs::write(&path, &whole[..whole.len() / 2 + 13]).unwrap();
    let error = decode_file(&path, &CancelFlag::new()).unwrap_err().to_string();
    assert!(error.contains("is cut off after 2.0 s of 4.0 s"), "{error}");
}

#[test]
fn a_lost_frame_is_silent_in_its_place_and_told() {
    let dir = tempfile::tempdir().unwrap();
    let Some(mut frames) = frames(dir.path(), "1") else { return };
    // Under 1 % of all.
    frames[77].fill(0x55);
    let path = dir.path().join("torn.mp3");
    std::fs::write(&path, frames.concat()).unwrap();
    let (len, warnings) = read(&path);
    assert_eq!(len, SECONDS * RATE_HZ);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("is damaged at 1.9 s: 0.03 s of it became silence"), "{warnings:?}");
}

#[test]
fn mono_and_stereo_may_follow_one_another() {
    let dir = tempfile::tempdir().unwrap();
    let (Some(mono), Some(stereo)) = (frames(dir.path(), "1"), frames(dir.path(), "2")) else { return };
    let path = dir.path().join("both.mp3");
    std::fs::write(&path, [mono.concat(), stereo.concat()].concat()).unwrap();
    let (len, _) = read(&path);
    assert!(((mono.len() + stereo.len() - 2) * FRAME).abs_diff(len) <= 3 * FRAME, "{len}");
}
