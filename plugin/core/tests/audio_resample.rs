//! The resampler against mathematics: frequency, level, position, length, and rejected frequencies.

#![allow(clippy::unwrap_used)]

use mixing_buddy_core::audio::{MODEL_RATE_HZ, StereoPcm, StreamResampler, resample};
use std::f64::consts::TAU;

const RATES_HZ: [u32; 12] =
    [8_000, 11_025, 16_000, 22_050, 32_000, 37_800, 44_099, 44_100, 48_000, 88_200, 96_000, 192_000];

fn sine(rate_hz: u32, frequency_hz: f64, seconds: f64) -> StereoPcm {
    let frames = (seconds * f64::from(rate_hz)) as usize;
    let at = |n: usize| (TAU * frequency_hz * n as f64 / f64::from(rate_hz)).sin();
    StereoPcm {
        left: (0..frames).map(|n| (0.5 * at(n)) as f32).collect(),
        right: (0..frames).map(|n| (-0.25 * at(n)) as f32).collect(),
        sample_rate_hz: rate_hz,
    }
}

/// Amplitude and phase (against a sine that starts at frame 0) of one frequency, and the RMS of what remains without
/// it; edges left out.
fn tone(samples: &[f32], rate_hz: u32, frequency_hz: f64) -> (f64, f64, f64) {
    let edge = samples.len() / 5;
    let inner = samples.len() - 2 * edge;
    let window = |n: usize| (TAU * (n as f64 + 0.5) / inner as f64).cos().mul_add(-0.5, 0.5);
    let angle = |n: usize| TAU * frequency_hz * (n + edge) as f64 / f64::from(rate_hz);
    // Least squares, weighted: at low frequencies sine and cosine are not quite orthogonal.
    let (mut ss, mut cc, mut sc, mut xs, mut xc, mut weight) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0);
    for n in 0..inner {
        let (w, (s, c), x) = (window(n), angle(n).sin_cos(), f64::from(samples[n + edge]));
        ss += w * s * s;
        cc += w * c * c;
        sc += w * s * c;
        xs += w * x * s;
        xc += w * x * c;
        weight += w;
    }
    let determinant = ss * cc - sc * sc;
    let (a, b) = ((xs * cc - xc * sc) / determinant, (xc * ss - xs * sc) / determinant);
    let rest: f64 = (0..inner)
        .map(|n| {
            let (s, c) = angle(n).sin_cos();
            window(n) * (f64::from(samples[n + edge]) - a * s - b * c).powi(2)
        })
        .sum();
    (a.hypot(b), b.atan2(a), (rest / weight).sqrt())
}

fn rms(samples: &[f32]) -> f64 {
    let edge = samples.len() / 5;
    let inner = &samples[edge..samples.len() - edge];
    (inner.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / inner.len() as f64).sqrt()
}

fn db(ratio: f64) -> f64 {
    20.0 * ratio.log10()
}

#[test]
fn a_tone_keeps_frequency_level_position_and_length() {
    for rate_hz in RATES_HZ {
        let nyquist_hz = f64::from(rate_hz.min(MODEL_RATE_HZ)) / 2.0;
        for share in [0.02, 0.3, 0.9] {
            let frequency_hz = share * nyquist_hz;
            let pcm = sine(rate_hz, frequency_hz, 1.5);
            let out = resample(&pcm, MODEL_RATE_HZ).unwrap();
            let expected =
                (pcm.len() as f64 * f64::from(MODEL_RATE_HZ) / f64::from(rate_hz)).round() as usize;
            assert_eq!(out.sample_rate_hz, MODEL_RATE_HZ);
            assert_eq!((out.left.len(), out.right.len()), (expected, expected), "{rate_hz} Hz");
            for (channel, amplitude) in [(&out.left, 0.5), (&out.right, 0.25)] {
                let (found, phase, rest) = tone(channel, MODEL_RATE_HZ, frequency_hz);
                let level_db = db(found / amplitude);
                assert!(level_db.abs() < 0.1, "{rate_hz} Hz, tone {frequency_hz} Hz: {level_db} dB");
                // All the energy is at this frequency: it was kept, and nothing was added.
                let rest_db = db(rest / amplitude);
                assert!(
                    rest_db < -80.0,
                    "{rate_hz} Hz, tone {frequency_hz} Hz: {rest_db} dB of other frequencies"
                );
                let phase = if amplitude == 0.25 {
                    (phase + std::f64::consts::PI + 3.0).rem_euclid(TAU) - 3.0
                } else {
                    phase
                };
                let shift_frames = phase / TAU * f64::from(MODEL_RATE_HZ) / frequency_hz;
                assert!(shift_frames.abs() < 0.01, "{rate_hz} Hz: moved by {shift_frames} frames");
            }
        }
    }
}

/// A Gaussian burst of a low tone, whose value is known at every time.
fn burst(rate_hz: u32, frames: usize, centre_s: f64) -> Vec<f32> {
    (0..frames)
        .map(|n| {
            let t = n as f64 / f64::from(rate_hz) - centre_s;
            ((-0.5 * (t / 0.002).powi(2)).exp() * (TAU * 700.0 * t).cos()) as f32
        })
        .collect()
}

#[test]
fn a_burst_keeps_its_position_even_at_the_edges() {
    for rate_hz in RATES_HZ {
        let frames = rate_hz as usize;
        // In the middle, right at the start and right at the end.
        for centre_s in [0.5, 0.012, 0.988] {
            let left = burst(rate_hz, frames, centre_s);
            let pcm = StereoPcm { right: vec![0.0; frames], left, sample_rate_hz: rate_hz };
            let out = resample(&pcm, MODEL_RATE_HZ).unwrap();
            let expected = burst(MODEL_RATE_HZ, MODEL_RATE_HZ as usize, centre_s);
            let worst = out.left.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst < 1e-3, "{rate_hz} Hz, burst at {centre_s} s: off by {worst}");
            assert!(out.right.iter().all(|x| *x == 0.0));
        }
    }
}

#[test]
fn frequencies_above_the_model_rate_are_attenuated_by_60_db() {
    for rate_hz in [44_100, 48_000, 88_200, 96_000, 192_000] {
        let above = [16_050.0, 16_500.0, 18_000.0, 21_000.0, 0.45 * f64::from(rate_hz)];
        for frequency_hz in above.into_iter().filter(|f| *f < f64::from(rate_hz) / 2.0) {
            let out = resample(&sine(rate_hz, frequency_hz, 1.0), MODEL_RATE_HZ).unwrap();
            let level_db = db(rms(&out.left) / (0.5 / 2f64.sqrt()));
            assert!(level_db < -60.0, "{rate_hz} Hz, tone {frequency_hz} Hz comes through at {level_db} dB");
        }
    }
}

#[test]
fn pieces_and_the_whole_agree_and_an_unchanged_rate_is_exact() {
    let pcm = sine(44_100, 997.0, 0.7);
    let whole = resample(&pcm, MODEL_RATE_HZ).unwrap();
    let mut resampler = StreamResampler::new(44_100, MODEL_RATE_HZ).unwrap();
    // Twice, because a flushed resampler restarts.
    for piece in [1, 1000] {
        let (mut left, mut right) = (vec![], vec![]);
        for (l, r) in pcm.left.chunks(piece).zip(pcm.right.chunks(piece)) {
            resampler.push(l, r, &mut left, &mut right).unwrap();
        }
        resampler.flush(&mut left, &mut right).unwrap();
        assert!(left == whole.left && right == whole.right, "pieces of {piece}");
    }
    assert_eq!(resample(&pcm, 44_100).unwrap(), pcm);
}

#[test]
fn tiny_and_impossible_sounds() {
    for frames in [0, 1, 2, 700] {
        let out = resample(&StereoPcm::silence(frames, 96_000), MODEL_RATE_HZ).unwrap();
        assert_eq!(out.len(), (frames as f64 / 3.0).round() as usize);
    }
    assert!(resample(&StereoPcm::silence(10, 0), MODEL_RATE_HZ).is_err());
    assert!(resample(&StereoPcm::silence(10, 4_000_000), MODEL_RATE_HZ).is_err());
    let mut broken = StereoPcm::silence(100, 96_000);
    broken.left[50] = f32::NAN;
    assert!(resample(&broken, MODEL_RATE_HZ).unwrap_err().to_string().contains("NaN"));
}
