//! The worker's logic, driven step by step with a model that follows a script.
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;
mod hearing;
mod interruptions;
mod library;
mod metering;
mod models;
mod references;
mod song;
mod undo;
mod windows;

use common::{Bench, RATE_HZ};

/// An amplitude at which the fake model finds the vocals too loud.
const LOUD: f32 = 0.5;
/// An amplitude at which the fake model finds the mix balanced.
const SOFT: f32 = 0.01;

/// The errors that the user sees.
fn errors(bench: &Bench) -> Vec<String> {
    bench.session.view().notices.iter().filter(|n| n.is_error).map(|n| n.text.clone()).collect()
}

/// Writes seconds of noise at the model's sample rate.
fn write_wav(path: &std::path::Path, seconds: f64) {
    let samples = (seconds * f64::from(RATE_HZ)) as u32;
    let mut bytes = b"RIFF".to_vec();
    bytes.extend((36 + 2 * samples).to_le_bytes());
    bytes.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    bytes.extend(RATE_HZ.to_le_bytes());
    bytes.extend((2 * RATE_HZ).to_le_bytes());
    bytes.extend(b"\x02\0\x10\0data");
    bytes.extend((2 * samples).to_le_bytes());
    bytes.extend((0..samples).flat_map(|n| ((n * 7919 % 20011) as i16 - 10_000).to_le_bytes()));
    std::fs::write(path, bytes).unwrap();
}
