//! Small songs for tests: tones and noise, written as WAV.

#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics with the reason")]

use mixing_buddy_core::Stem;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::path::Path;

#[path = "../../../tests/src/prerequisite.rs"]
mod prerequisite;

pub const RATE_HZ: u32 = 8000;

/// Noise for drums, tones for the others: loud enough for the gate, each channel a little different.
pub fn stem_samples(stem: Stem, seed: u64, seconds: f64, rate_hz: u32) -> Vec<[f32; 2]> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed * 4 + stem.index() as u64);
    let pitch_hz = match stem {
        Stem::Vocals => 440.0,
        Stem::Drums => 0.0,
        Stem::Bass => 80.0,
        Stem::Other => 270.0,
    } * (1.0 + 0.03 * seed as f64);
    let frames = (seconds * f64::from(rate_hz)).round() as usize;
    let mut held = [0.0f32; 2];
    (0..frames)
        .map(|n| {
            let t = n as f64 / f64::from(rate_hz);
            // A slow random walk makes every moment different.
            for side in &mut held {
                *side = 0.999 * *side + 0.02 * rng.random_range(-1.0f32..1.0);
            }
            let noise = rng.random_range(-1.0f32..1.0);
            let tone = (std::f64::consts::TAU * pitch_hz * t + f64::from(held[0])).sin() as f32;
            let body = if stem == Stem::Drums { noise } else { tone };
            [0.1 * body * (1.0 + held[0]), 0.1 * body * (1.0 + held[1])]
        })
        .collect()
}

/// The sum of all four stems.
pub fn mixture(seed: u64, seconds: f64, rate_hz: u32) -> Vec<[f32; 2]> {
    let mut sum = stem_samples(Stem::Vocals, seed, seconds, rate_hz);
    for stem in [Stem::Drums, Stem::Bass, Stem::Other] {
        for (to, from) in sum.iter_mut().zip(stem_samples(stem, seed, seconds, rate_hz)) {
            to[0] += from[0];
            to[1] += from[1];
        }
    }
    sum
}

pub fn write_wav(path: &Path, frames: &[[f32; 2]], rate_hz: u32) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let spec = hound::WavSpec {
        channels: 2,
        sample_rate: rate_hz,
        bits_per_sample: 32,
        sample_format: hound::SampleFormat::Float,
    };
    let mut writer = hound::WavWriter::create(path, spec).unwrap();
    for sample in frames.iter().flatten() {
        writer.write_sample(*sample).unwrap();
    }
    writer.finalize().unwrap();
}

/// A song of MUSDB18-HQ in `dir`.
pub fn musdb_song(dir: &Path, seed: u64, seconds: f64) {
    for stem in Stem::ALL {
        write_wav(&dir.join(format!("{stem}.wav")), &stem_samples(stem, seed, seconds, RATE_HZ), RATE_HZ);
    }
    write_wav(&dir.join("mixture.wav"), &mixture(seed, seconds, RATE_HZ), RATE_HZ);
}

/// Five AAC streams in one file, as in MUSDB18.
pub fn stem_mp4(to: &Path, work: &Path, seed: u64, streams: usize) {
    let seconds = 12.0;
    let order = [Stem::Drums, Stem::Bass, Stem::Other, Stem::Vocals];
    let mut command = std::process::Command::new("ffmpeg");
    command.args(["-y", "-v", "error"]);
    for number in 0..streams {
        let path = work.join(format!("{number}.wav"));
        let frames = match number {
            0 => mixture(seed, seconds, 44_100),
            number => stem_samples(order[number - 1], seed, seconds, 44_100),
        };
        write_wav(&path, &frames, 44_100);
        command.arg("-i").arg(path);
    }
    (0..streams).for_each(|number| _ = command.args(["-map", &number.to_string()]));
    std::fs::create_dir_all(to.parent().unwrap()).unwrap();
    let done = command.args(["-c:a", "aac", "-b:a", "256k", "-f", "mp4"]).arg(to).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// Whether ffmpeg is installed. See [`prerequisite::missing`] for what happens if it is not.
pub fn has_ffmpeg() -> bool {
    let found = std::process::Command::new("ffmpeg").arg("-version").output().is_ok();
    if !found {
        prerequisite::missing("ffmpeg");
    }
    found
}

/// See [`prerequisite::missing`].
pub fn is_missing(what: &str) {
    prerequisite::missing(what);
}
