//! Decoding of plain WAV files: rates, channels, and the error message for every kind of bad file.

#![allow(clippy::unwrap_used)]

use mixing_buddy_core::audio::{FileStream, MODEL_RATE_HZ, ModelRateStream, decode_at_rate, decode_file};
use mixing_buddy_core::{CancelFlag, Error};
use std::path::{Path, PathBuf};

/// A sine in each channel, each of another frequency; 16 bit.
fn write_wav(path: &Path, rate_hz: u32, channels: u16, seconds: f64) {
    let spec = hound::WavSpec {
        channels,
        sample_rate: rate_hz,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path, spec).unwrap();
    for n in 0..(seconds * f64::from(rate_hz)) as usize {
        for channel in 0..channels {
            writer.write_sample((sample(n, rate_hz, channel) * 32_768.0) as i16).unwrap();
        }
    }
    writer.finalize().unwrap();
}

fn sample(n: usize, rate_hz: u32, channel: u16) -> f32 {
    let angle = n as f64 / f64::from(rate_hz) * 100.0 * f64::from(channel + 1) * std::f64::consts::TAU;
    0.2 * angle.sin() as f32
}

fn message(path: &Path) -> String {
    let error = decode_file(path, &CancelFlag::new()).unwrap_err();
    assert!(matches!(error, Error::Audio { .. } | Error::Io { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.starts_with(&path.display().to_string()), "{text}");
    text
}

fn file(dir: &tempfile::TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = dir.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn any_rate_and_channel_count() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.wav");
    for (rate_hz, channels) in [(8_000, 1), (44_100, 2), (96_000, 3), (192_000, 6)] {
        write_wav(&path, rate_hz, channels, 0.3);
        let pcm = decode_file(&path, &CancelFlag::new()).unwrap();
        assert_eq!(pcm.sample_rate_hz, rate_hz);
        assert_eq!(pcm.len(), (0.3 * f64::from(rate_hz)) as usize);
        assert!((pcm.duration_s() - 0.3).abs() < 1e-3);
        for n in (0..pcm.len()).step_by(97) {
            let s = |channel| sample(n, rate_hz, channel);
            let half = std::f32::consts::FRAC_1_SQRT_2;
            let (left, right) = match channels {
                1 => (s(0), s(0)),
                2 => (s(0), s(1)),
                3 => (s(0) + half * s(2), s(1) + half * s(2)),
                _ => (s(0) + half * (s(2) + s(4)), s(1) + half * (s(2) + s(5))),
            };
            let off = (pcm.left[n] - left).abs().max((pcm.right[n] - right).abs());
            assert!(off < 2e-4, "{channels} channels, frame {n}: off by {off}");
        }
        let stream = FileStream::open(&path).unwrap();
        assert_eq!(stream.stated_frames(), Some(pcm.len() as u64));
    }
}

#[test]
fn the_model_rate_stream_is_the_whole_in_pieces() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.wav");
    write_wav(&path, 48_000, 2, 1.0);
    let whole = decode_at_rate(&path, MODEL_RATE_HZ, &CancelFlag::new()).unwrap();
    assert_eq!((whole.len(), whole.sample_rate_hz), (32_000, MODEL_RATE_HZ));
    for n in 1000..31_000 {
        assert!((whole.left[n] - sample(n, MODEL_RATE_HZ, 0)).abs() < 1e-3);
    }
    let mut stream = ModelRateStream::open(&path, MODEL_RATE_HZ).unwrap();
    let (mut left, mut right) = (vec![], vec![]);
    let mut largest = 0;
    loop {
        let before = left.len();
        if !stream.next_chunk(&mut left, &mut right).unwrap() {
            break;
        }
        largest = largest.max(left.len() - before);
    }
    assert!(left == whole.left && right == whole.right);
    assert!(largest < 4096, "{largest}");
}

#[test]
fn files_that_are_not_audio_get_a_message() {
    let dir = tempfile::tempdir().unwrap();
    let text = file(&dir, "notes.wav", "These are notes on a song, no sound.\n".repeat(50).as_bytes());
    assert!(message(&text).contains("is not an audio file that can be read"));
    let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    let mut state = 1u32;
    png.extend((0..50_000).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    }));
    message(&file(&dir, "cover.png", &png));
    assert!(message(&file(&dir, "empty.wav", b"")).contains("is empty"));
    message(&file(&dir, "one.wav", b"R"));
    message(&file(&dir, "four.wav", b"RIFF"));
    assert!(message(dir.path()).contains("is a folder"));
    let missing = dir.path().join("missing.wav");
    assert!(matches!(decode_file(&missing, &CancelFlag::new()), Err(Error::Io { .. })));
    message(&missing);
}

#[test]
fn damaged_wav_files_get_a_message() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("whole.wav");
    write_wav(&path, 8_000, 2, 60.0);
    let whole = std::fs::read(&path).unwrap();
    let cut = file(&dir, "cut.wav", &whole[..44 + 4 * 98_400]);
    assert!(message(&cut).contains("is cut off after 12.3 s of 60.0 s"), "{}", message(&cut));
    // The last packet may be missing.
    let nearly = file(&dir, "nearly.wav", &whole[..whole.len() - 1000]);
    assert_eq!(decode_file(&nearly, &CancelFlag::new()).unwrap().len(), 480_000 - 250);
    // Within the header, and directly after it.
    for len in [10, 20, 30, 40, 43, 44] {
        message(&file(&dir, "header.wav", &whole[..len]));
    }
    // No channels, no rate, an absurd rate, an unknown codec.
    for (at, bytes) in [(22, vec![0, 0]), (24, vec![0; 4]), (24, vec![0xff; 4]), (20, vec![0x22, 0x22])] {
        let mut bent = whole.clone();
        bent[at..at + bytes.len()].copy_from_slice(&bytes);
        let text = message(&file(&dir, "bent.wav", &bent));
        assert!(text.len() < 200, "{text}");
    }
    // The length of a file from a pipe means "unknown".
    let mut piped = whole[..44 + 4 * 8000].to_vec();
    piped[4..8].copy_from_slice(&[0xff; 4]);
    piped[40..44].copy_from_slice(&[0xff; 4]);
    assert_eq!(decode_file(&file(&dir, "pipe.wav", &piped), &CancelFlag::new()).unwrap().len(), 8000);
    piped[4..8].copy_from_slice(&0x7fff_f024u32.to_le_bytes());
    piped[40..44].copy_from_slice(&0x7fff_f000u32.to_le_bytes());
    assert_eq!(decode_file(&file(&dir, "sox.wav", &piped), &CancelFlag::new()).unwrap().len(), 8000);
}

#[test]
fn samples_that_are_not_finite_are_reported_and_do_not_reach_the_model() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("nan.wav");
    let spec = hound::WavSpec {
        channels: 2,
        sample_rate: 44_100,
        bits_per_sample: 32,
        sample_format: hound::SampleFormat::Float,
    };
    let mut writer = hound::WavWriter::create(&path, spec).unwrap();
    for n in 0..44_100 {
        writer.write_sample(if n == 22_050 { f32::NAN } else { 2.5 }).unwrap();
        writer.write_sample(if n == 33_075 { f32::INFINITY } else { -0.5 }).unwrap();
    }
    writer.finalize().unwrap();
    let pcm = decode_file(&path, &CancelFlag::new()).unwrap();
    assert!(pcm.left[22_050].is_nan() && pcm.right[33_075].is_infinite());
    assert_eq!(pcm.left[0], 2.5);
    assert!(pcm.check_finite().unwrap_err().to_string().contains("0.500 s"));
    let error = decode_at_rate(&path, MODEL_RATE_HZ, &CancelFlag::new()).unwrap_err().to_string();
    assert!(error.contains("nan.wav") && error.contains("NaN") && error.contains("0.500 s"), "{error}");
    let mut stream = ModelRateStream::open(&path, MODEL_RATE_HZ).unwrap();
    let (mut left, mut right) = (vec![], vec![]);
    while stream.next_chunk(&mut left, &mut right).is_ok_and(|more| more) {}
    assert!(left.len() > 30_000 && left.iter().chain(&right).all(|x| x.is_finite()));
}

#[test]
fn a_raised_flag_stops_the_work() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.wav");
    write_wav(&path, 48_000, 2, 0.5);
    let cancel = CancelFlag::new();
    cancel.cancel();
    assert!(matches!(decode_file(&path, &cancel), Err(Error::Cancelled)));
    assert!(matches!(decode_at_rate(&path, MODEL_RATE_HZ, &cancel), Err(Error::Cancelled)));
}
