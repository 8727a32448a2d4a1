//! A GPU computes what the CPU computes, and how long a window takes on both. Runs in builds for a GPU, on a machine that has one:
//!
//!     cargo test --release --workspace --features mixing-buddy-core/cuda --test gpu -- --nocapture
#![cfg(any(feature = "cuda", feature = "metal"))]

use mixing_buddy_core::audio::StereoPcm;
use mixing_buddy_core::bundle::SHIPPED_BUNDLE;
use mixing_buddy_core::device::best_device;
use mixing_buddy_core::{CancelFlag, Direction, Engine, Request, Stem};
use std::path::Path;
use std::time::Instant;

/// Windows that are timed; the first ones load the kernels.
const WINDOWS: usize = 12;
const WARM_UP: usize = 2;

/// Ten seconds of pulses, a low tone and a voice-like tone over noise.
fn window(seed: u32) -> StereoPcm {
    let rate = 44_100;
    let mut state = seed;
    let samples: Vec<f32> = (0..10 * rate)
        .map(|n| {
            let t = n as f32 / rate as f32;
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = (state >> 9) as f32 / (1 << 22) as f32 - 1.0;
            let beat = (-(t * 4.0).fract() * 30.0).exp() * noise;
            let bass = (t * std::f32::consts::TAU * 55.0).sin();
            let voice = (t * std::f32::consts::TAU * 220.0 + 2.0 * (t * 30.0).sin()).sin();
            0.3 * beat + 0.2 * bass + 0.1 * voice + 0.02 * noise
        })
        .collect();
    StereoPcm::new(samples.clone(), samples, rate).expect("both channels are as long")
}

#[test]
fn a_gpu_gives_the_numbers_of_the_cpu() {
    let device = best_device();
    assert!(!device.is_cpu(), "this build is for a GPU, and the machine has none that it can use");
    let cancel = CancelFlag::new();
    let name = Path::new("compact.mixbuddy");
    let cpu = Engine::from_bytes(name, SHIPPED_BUNDLE, &cancel).unwrap();
    let gpu = Engine::from_bytes_on(device, name, SHIPPED_BUNDLE, &cancel).unwrap();
    let (mut worst_db, mut worst_log) = (0.0f32, 0.0f32);
    for seed in 0..4 {
        let pcm = window(seed);
        let [of_cpu, of_gpu] = [&cpu, &gpu].map(|engine| engine.analyze(&pcm, &cancel).unwrap());
        for stem in Stem::ALL {
            worst_db = worst_db.max((of_cpu.reading[stem].level_db - of_gpu.reading[stem].level_db).abs());
        }
        for anchor in [None, Some(Stem::Vocals)] {
            let request = Request { anchor, ..Request::default() };
            // The same reading, so that the decoders are compared.
            let [a, b] = [&cpu, &gpu].map(|engine| engine.generate(&of_cpu, &request, &cancel).unwrap());
            assert_eq!(a.answer.decision, b.answer.decision);
            let mut compare = |a: f32, b: f32| {
                if a > 1e-6 {
                    worst_log = worst_log.max((a.ln() - b.ln()).abs());
                }
            };
            compare(a.outcomes.none, b.outcomes.none);
            for stem in Stem::TARGETS {
                for direction in Direction::ALL {
                    compare(a.outcomes.errors[stem][direction], b.outcomes.errors[stem][direction]);
                }
            }
        }
    }
    println!("largest difference: levels {worst_db:.5} dB, logarithms of probabilities {worst_log:.5}");
    assert!(worst_db < 1e-2 && worst_log < 1e-2);

    let pcm = window(7);
    for engine in [&cpu, &gpu] {
        let mut seconds = Vec::new();
        for _ in 0..WINDOWS {
            let began = Instant::now();
            engine.advise(&pcm, &Request::default(), &cancel).unwrap();
            seconds.push(began.elapsed().as_secs_f64());
        }
        let mut timed = seconds[WARM_UP..].to_vec();
        timed.sort_by(f64::total_cmp);
        println!(
            "{}: {:.3} s per window (median; first one {:.3} s)",
            engine.device_kind(),
            timed[timed.len() / 2],
            seconds[0]
        );
    }
}
