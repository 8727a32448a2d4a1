//! Damaged heads of every kind of file: no panic, no memory without bound, no reading without end.
//!
//! The ordinary test tries [`SHORT_CASES`] inputs. `cargo xtask test --full heads` tries as many as the variable
//! `MIXING_BUDDY_FUZZ_CASES` says.

#![allow(clippy::unwrap_used)]

use counting::{ALONE, IN_USE, PEAK};
use mixing_buddy_core::audio::{FileStream, hide_caught_panics};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

#[path = "../../../tests/src/counting.rs"]
mod counting;
#[path = "../../../tests/src/prerequisite.rs"]
mod prerequisite;

/// Inputs of the ordinary test.
const SHORT_CASES: u32 = 3_000;
/// Inputs have at most this many bytes, so that a head is a large part of them.
const SEED_BYTES: usize = 6_000;
/// Most memory in bytes that an input of a few kilobytes may take. A packet may hold 2^16 frames of 32 channels, which are
/// copied three times; the rest is tables of the decoders.
const MEMORY_LIMIT: usize = 64 << 20;
/// Longest time for one input, on a busy machine.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// The starts of whole files, one or more of each kind.
fn seeds(dir: &Path) -> Vec<Vec<u8>> {
    let mut seeds = vec![
        b"PK\x03\x04".to_vec(),
        [b"ID3\x04\0\0\0\0\x01\0".as_slice(), &[0; 200], b"fLaC"].concat(),
        // A silent MP3: 128 kbit/s at 44.1 kHz, and side information of zeros.
        [b"\xff\xfb\x90\x64".as_slice(), &[0; 413]].concat().repeat(8),
    ];
    let ogg = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/demo/vocals.ogg");
    seeds.push(std::fs::read(ogg).unwrap());
    for (name, options) in [
        ("a.wav", &[][..]),
        ("a.wav", &["-c:a", "pcm_f32le"]),
        ("a.wav", &["-c:a", "adpcm_ms"]),
        ("a.wav", &["-c:a", "adpcm_ima_wav"]),
        ("a.wav", &["-c:a", "pcm_mulaw"]),
        ("a.wav", &["-rf64", "always"]),
        ("a.wav", &["-ac", "6"]),
        ("a.w64", &[]),
        ("a.aiff", &[]),
        ("a.caf", &["-c:a", "pcm_s16be"]),
        ("alac.caf", &["-c:a", "alac"]),
        ("a.flac", &[]),
        ("a.mp3", &["-c:a", "libmp3lame"]),
        ("a.mp2", &[]),
        ("a.aac", &["-c:a", "aac"]),
        ("a.m4a", &["-c:a", "aac", "-movflags", "+faststart"]),
        ("alac.m4a", &["-c:a", "alac", "-movflags", "+faststart"]),
        ("parts.m4a", &["-c:a", "aac", "-movflags", "+frag_keyframe+empty_moov"]),
        ("a.mka", &["-c:a", "libvorbis"]),
        ("flac.mka", &["-c:a", "flac"]),
        ("flac.ogg", &["-c:a", "flac"]),
        ("a.opus", &["-c:a", "libopus"]),
    ] {
        let path = dir.join(name);
        if make(&path, options) {
            seeds.push(std::fs::read(&path).unwrap());
        } else {
            prerequisite::missing(&format!("ffmpeg, or its encoder for {name}"));
        }
    }
    seeds.iter_mut().for_each(|seed| seed.truncate(SEED_BYTES));
    seeds
}

/// Writes a fifth of a second of noise with ffmpeg; false if that fails.
fn make(path: &Path, options: &[&str]) -> bool {
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-y", "-f", "lavfi", "-i", "anoisesrc=d=0.2:r=48000:a=0.3"])
        .args(options)
        .arg(path)
        .status();
    made.is_ok_and(|status| status.success())
}

/// One change of a file.
#[derive(Clone, Debug)]
enum Change {
    Byte(Index, u8),
    Word(Index, u32),
    Remove(Index, u8),
    Insert(Index, Vec<u8>),
    Cut(Index),
}

fn change() -> impl Strategy<Value = Change> {
    let word = prop_oneof![
        any::<u32>(),
        Just(0),
        Just(1),
        Just(0x7fff_ffff),
        Just(u32::MAX),
        Just(0xff00_0000),
        (0..256u32).prop_map(|n| n << 8)
    ];
    prop_oneof![
        8 => (any::<Index>(), any::<u8>()).prop_map(|(at, value)| Change::Byte(at, value)),
        8 => (any::<Index>(), word).prop_map(|(at, value)| Change::Word(at, value)),
        1 => (any::<Index>(), any::<u8>()).prop_map(|(at, count)| Change::Remove(at, count)),
        1 => (any::<Index>(), vec(any::<u8>(), 1..40)).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        1 => any::<Index>().prop_map(Change::Cut),
    ]
}

fn apply(bytes: &mut Vec<u8>, change: &Change, head_only: bool) {
    // Most of what can go wrong is stated in the first bytes.
    let reach = if head_only { bytes.len().min(256) } else { bytes.len() };
    if reach < 5 {
        return;
    }
    match change {
        Change::Byte(at, value) => bytes[at.index(reach)] = *value,
        Change::Word(at, value) => {
            let at = at.index(reach - 4);
            bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        }
        Change::Remove(at, count) => {
            let at = at.index(reach);
            bytes.drain(at..(at + usize::from(*count)).min(reach));
        }
        Change::Insert(at, more) => {
            let at = at.index(reach);
            bytes.splice(at..at, more.iter().copied());
        }
        Change::Cut(at) => bytes.truncate(at.index(bytes.len())),
    }
}

fn try_file(path: &Path, bytes: &[u8]) -> Result<(), TestCaseError> {
    std::fs::write(path, bytes).unwrap();
    let before = IN_USE.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let start = Instant::now();
    let mut frames = 0;
    if let Ok(mut stream) = FileStream::open(path) {
        let (mut left, mut right) = (Vec::new(), Vec::new());
        while stream.next_chunk(&mut left, &mut right).is_ok_and(|more| more) {
            frames += left.len();
            left.clear();
            right.clear();
            prop_assert!(start.elapsed() < TIME_LIMIT, "{frames} frames and no end");
        }
        stream.warnings();
    }
    let peak = PEAK.load(Ordering::Relaxed).saturating_sub(before);
    prop_assert!(peak < MEMORY_LIMIT, "{peak} bytes in use");
    prop_assert!(start.elapsed() < TIME_LIMIT, "it took {:?}", start.elapsed());
    Ok(())
}

fn run(cases: u32, rng_seed: RngSeed) {
    let _alone = ALONE.lock();
    // A panic that is printed with its backtrace takes 80 MB for the names of functions.
    hide_caught_panics();
    let dir = tempfile::tempdir().unwrap();
    let seeds = seeds(dir.path());
    let path = dir.path().join("input");
    let config =
        Config { cases, rng_seed, failure_persistence: None, max_shrink_iters: 200, ..Config::default() };
    let input = (any::<Index>(), vec(change(), 0..6), any::<bool>());
    let damaged = |(seed, changes, head_only): &(Index, Vec<Change>, bool)| {
        let mut bytes = seeds[seed.index(seeds.len())].clone();
        changes.iter().for_each(|change| apply(&mut bytes, change, *head_only));
        bytes
    };
    match TestRunner::new(config).run(&input, |input| try_file(&path, &damaged(&input))) {
        Ok(()) => {}
        Err(TestError::Fail(reason, input)) => {
            let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("audio_fuzz_failed");
            std::fs::write(&kept, damaged(&input)).unwrap();
            panic!("{reason}; the smallest such file is kept as {}", kept.display());
        }
        Err(cause) => panic!("{cause}"),
    }
}

#[test]
fn damaged_heads_are_survived() {
    // The same inputs in every run: what is found at random belongs to the long run.
    run(SHORT_CASES, RngSeed::Fixed(1));
}

#[test]
#[ignore = "runs for minutes: cargo xtask test --full heads"]
fn very_many_damaged_heads_are_survived() {
    let cases = std::env::var("MIXING_BUDDY_FUZZ_CASES").ok().and_then(|text| text.parse().ok());
    run(cases.expect("MIXING_BUDDY_FUZZ_CASES is a number of inputs, such as 1000000"), RngSeed::Random);
}

#[test]
fn silence_in_place_of_lost_packets_is_given_in_pieces() {
    let _alone = ALONE.lock();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("parts.m4a");
    if !make(&path, &["-c:a", "aac", "-movflags", "+frag_keyframe+empty_moov"]) {
        return prerequisite::missing("ffmpeg with its AAC encoder");
    }
    let mut bytes = std::fs::read(&path).unwrap();
    // Version and flags, count, offset of the data; then each packet's duration and size.
    let durations = bytes.windows(4).position(|name| name == b"trun").unwrap() + 16;
    bytes[durations..durations + 4].copy_from_slice(&4_000_000u32.to_be_bytes());
    bytes[durations + 8..durations + 12].copy_from_slice(&65_536u32.to_be_bytes());
    std::fs::write(&path, &bytes).unwrap();
    let mut stream = FileStream::open(&path).unwrap();
    let before = IN_USE.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let (mut left, mut right) = (Vec::new(), Vec::new());
    let mut frames = 0;
    while stream.next_chunk(&mut left, &mut right).is_ok_and(|more| more) {
        frames += left.len();
        left.clear();
        right.clear();
    }
    assert!(frames > 4_000_000, "{frames} frames");
    let peak = PEAK.load(Ordering::Relaxed).saturating_sub(before);
    assert!(peak < 4 << 20, "{peak} bytes in use");
}
