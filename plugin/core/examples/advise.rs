//! Advice on one window with the shipped model.
//!
//! ```text
//! cargo run --release --workspace --example advise -- song.wav    the first ten seconds of a file
//! cargo run --release --workspace --example advise                a made sound: tones and clicks
//! ```
#![expect(clippy::print_stdout, reason = "the output of a program")]

use mixing_buddy_core::audio::{MODEL_RATE_HZ, StereoPcm, decode_at_rate};
use mixing_buddy_core::features::FeatureSettings;
use mixing_buddy_core::{CancelFlag, Engine, Request, Result};
use std::path::Path;

fn main() -> Result<()> {
    // Another thread can raise the flag: every call below then returns `Error::Cancelled`.
    let cancel = CancelFlag::new();

    // The model that is built into the crate; `Engine::load` takes a `.mixbuddy` file.
    let engine = Engine::open(None, &cancel)?;
    println!("{} {} on {}", engine.info().name, engine.info().version, engine.device_kind());

    let mut sound = match std::env::args().nth(1) {
        Some(path) => decode_at_rate(Path::new(&path), MODEL_RATE_HZ, &cancel)?,
        None => tones_and_clicks()?,
    };
    // A window is 3 to 10 seconds long.
    let longest = (FeatureSettings::WINDOW_S * MODEL_RATE_HZ as f32) as usize;
    sound.left.truncate(longest);
    sound.right.truncate(longest);

    // First the measurement, then the answer: one analysis can answer several questions.
    let analysis = engine.analyze(&sound, &cancel)?;
    for (stem, level) in analysis.levels_lu.iter() {
        match level {
            Some(level) => println!("{stem}: {level:+.1} LU against the rest"),
            None => println!("{stem}: absent"),
        }
    }
    for question in ["how is my mix", "is the bass too loud"] {
        let request = Request { question: question.into(), ..Request::default() };
        let advice = engine.answer(&analysis, &request, &cancel)?;
        println!("\n{question}? {} ({:.0} % sure)", advice.text, 100.0 * advice.confidence);
    }
    Ok(())
}

/// Six seconds of a low tone, a middle tone and two clicks per second.
fn tones_and_clicks() -> Result<StereoPcm> {
    let samples: Vec<f32> = (0..6 * MODEL_RATE_HZ)
        .map(|n| {
            let t = n as f32 / MODEL_RATE_HZ as f32;
            let tone = |hz: f32| (std::f32::consts::TAU * hz * t).sin();
            let click = if (t * 2.0).fract() < 0.02 { tone(3111.0) } else { 0.0 };
            0.2 * tone(82.4) + 0.1 * tone(440.0) + 0.3 * click
        })
        .collect();
    StereoPcm::new(samples.clone(), samples, MODEL_RATE_HZ)
}
