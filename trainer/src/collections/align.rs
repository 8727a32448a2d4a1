//! Whether a stem is at its place in the finished mix: cross-correlation over one chunk, against what chance gives.

use anyhow::{Result, anyhow};
use realfft::RealFftPlanner;
use realfft::num_complex::Complex;

/// Longest shift that is searched, in seconds. Chosen, not tuned.
const REACH_S: f64 = 2.0;
/// Shifts up to this one, in seconds, come from plugins' latencies and codecs.
const HARMLESS_S: f64 = 0.003;
/// Width over which spectra are smoothed, in Hz: finer than a critical band, wider than a partial of a held note.
const SMOOTHING_HZ: f64 = 40.0;
/// A correlation is taken for more than chance where it is at least this many times the correlation's RMS over all shifts.
/// The largest of 200,000 normally distributed numbers is at 5 times; stems in one key and one rhythm, at -50 to 0 dB
/// against the rest and not in the mix, reach 9.9 times (excerpts of the demo song).
const CHANCE: f64 = 12.0;
/// A shift is accepted where the correlation there is at least this share of what the whole stem would give. Chosen, as
/// the next two.
const LEAST_SHARE: f64 = 0.4;
/// ...and at least this many times the correlation in place.
const LEAST_GAIN: f64 = 2.0;
/// A stem is absent where the correlation in place is below this share of what the whole stem would give.
const ABSENT_SHARE: f64 = 0.2;
/// Where the stem has less than this share of its mean power per bin, it counts little: files of other rates and codecs lack
/// their highest frequencies.
const LEAST_POWER: f64 = 1e-3;
/// Where the mix has less than this share of its mean power per bin, it was filtered: no stem can be found there.
const FILTERED_SHARE: f64 = 1e-7;
/// Gains of the finished mix over the stems' sum that are believed: less means that the stems are not those of the mix.
const LEAST_MIX_GAIN: f64 = 0.1;

/// Where a stem is in the finished mix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// At its place.
    Right,
    /// Late by so many frames, early where negative.
    Shifted(i64),
    /// Nowhere, though it is loud enough to be found.
    Absent,
    /// It is too faint, or too much like the rest, to tell.
    NotKnown,
}

/// Where `stem` is in `mix`. Both are mono, of one length; `gain` is the gain of the mix over the sum of all stems.
///
/// The correlation is that of a matched filter in coloured noise: each frequency counts by how far the stem stands out from
/// the mix there. A stem in the mix gives a peak of a known height at its place. What the rest of the mix gives by chance is
/// measured by the correlation over all shifts: a loud mix makes it large, a faint stem makes the expected peak small.
///
/// # Errors
/// As the Fourier transform's.
pub(super) fn place_of(stem: &[f32], mix: &[f32], rate_hz: u32, gain: f64) -> Result<Place> {
    let frames = stem.len().min(mix.len());
    if frames < 2 {
        return Ok(Place::NotKnown);
    }
    let reach = ((REACH_S * f64::from(rate_hz)) as usize).min(frames - 1);
    let size = (frames + reach).next_power_of_two();
    let mut planner = RealFftPlanner::<f32>::new();
    let (forward, inverse) = (planner.plan_fft_forward(size), planner.plan_fft_inverse(size));
    let spectrum = |signal: &[f32]| {
        let mut padded = vec![0.0f32; size];
        padded[..frames].copy_from_slice(&signal[..frames]);
        let mut bins = forward.make_output_vec();
        forward.process(&mut padded, &mut bins).map_err(|cause| anyhow!("{cause}"))?;
        anyhow::Ok(bins)
    };
    let (mut a, b) = (spectrum(stem)?, spectrum(mix)?);
    let width = ((SMOOTHING_HZ * size as f64 / f64::from(rate_hz)) as usize).max(1);
    let (stem_power, mix_power) = (smoothed_power(&a, width), smoothed_power(&b, width));
    let mean = |power: &[f64]| power.iter().sum::<f64>() / power.len() as f64;
    // What is 100 dB below the mix's mean is rounding.
    let mean_mix = mean(&mix_power);
    let floor = LEAST_POWER * mean(&stem_power) + 1e-10 * mean_mix;
    let known_gain = gain.abs().max(LEAST_MIX_GAIN);
    // The correlation of the stem with itself under the same weights, which is the peak of a stem in the mix.
    let mut whole = 0.0;
    for (bin, (a, b)) in a.iter_mut().zip(&b).enumerate() {
        let noise = mix_power[bin] + stem_power[bin] + floor;
        let is_filtered = mix_power[bin] < FILTERED_SHARE * mean_mix;
        let weight = if noise > 0.0 && !is_filtered { 1.0 / noise } else { 0.0 };
        // All bins but the first and the last stand for two.
        let count = if bin == 0 || 2 * bin == size { 1.0 } else { 2.0 };
        whole += count * weight * f64::from(a.norm_sqr());
        *a = *a * b.conj() * weight as f32;
        // The inverse transform refuses an imaginary part there, which is rounding.
        if count == 1.0 {
            a.im = 0.0;
        }
    }
    let mut correlation = vec![0.0f32; size];
    inverse.process(&mut a, &mut correlation).map_err(|cause| anyhow!("{cause}"))?;
    let at = |lag: i64| {
        let index = if lag >= 0 { lag as usize } else { size - lag.unsigned_abs() as usize };
        f64::from(correlation[index])
    };
    let reach = reach as i64;
    let rms = ((-reach..=reach).map(|lag| at(lag).powi(2)).sum::<f64>() / (2 * reach + 1) as f64).sqrt();
    if !rms.is_finite() || rms <= 0.0 {
        return Ok(Place::NotKnown);
    }
    let best = (-reach..=reach).max_by(|a, b| at(*a).total_cmp(&at(*b))).unwrap_or(0);
    let harmless = (HARMLESS_S * f64::from(rate_hz)) as i64;
    let in_place = (-harmless..=harmless).map(|lag| at(lag).abs()).fold(0.0, f64::max);
    // The peak of a stem that is in the mix at the mix's gain.
    let expected = whole * gain.abs();
    let is_gain_known = gain.abs() >= LEAST_MIX_GAIN;
    let is_shifted = best.abs() > harmless
        && at(best) > CHANCE * rms
        && at(best) > LEAST_GAIN * in_place
        && at(best) > LEAST_SHARE * whole * known_gain.min(1.0);
    Ok(if is_shifted {
        Place::Shifted(best)
    } else if !is_gain_known || expected < CHANCE * rms {
        Place::NotKnown
    } else if in_place < ABSENT_SHARE * expected
        && plain_in_place(stem, mix, harmless) < ABSENT_SHARE * known_gain * plain_power(stem)
    {
        Place::Absent
    } else {
        Place::Right
    })
}

/// The largest correlation without weights at shifts up to `reach` frames: a stem that was processed in the mix, so that its
/// faint parts differ, is found by its loud ones.
fn plain_in_place(stem: &[f32], mix: &[f32], reach: i64) -> f64 {
    let product = |lag: i64| {
        let (ahead, behind) = (lag.max(0) as usize, (-lag).max(0) as usize);
        let pairs = stem.iter().skip(ahead).zip(mix.iter().skip(behind));
        pairs.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>().abs()
    };
    (-reach..=reach).map(product).fold(0.0, f64::max)
}

fn plain_power(stem: &[f32]) -> f64 {
    stem.iter().map(|x| f64::from(*x) * f64::from(*x)).sum()
}

/// The power of each bin, averaged over `width` bins to either side.
fn smoothed_power(bins: &[Complex<f32>], width: usize) -> Vec<f64> {
    let mut sums = Vec::with_capacity(bins.len() + 1);
    let mut sum = 0.0;
    sums.push(sum);
    for bin in bins {
        sum += f64::from(bin.norm_sqr());
        sums.push(sum);
    }
    (0..bins.len())
        .map(|bin| {
            let (from, to) = (bin.saturating_sub(width), (bin + width + 1).min(bins.len()));
            (sums[to] - sums[from]) / (to - from) as f64
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    const RATE_HZ: u32 = 8000;

    fn noise(seed: u64, level: f32) -> Vec<f32> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        (0..4 * RATE_HZ).map(|_| level * rng.random_range(-1.0f32..1.0)).collect()
    }

    /// Notes of a scale, half a second each.
    fn notes(seed: u64, level: f32) -> Vec<f32> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut tone = Vec::new();
        for _ in 0..8 {
            let pitch_hz = 110.0 * 2f64.powf(f64::from(rng.random_range(0..24)) / 12.0);
            for n in 0..RATE_HZ / 2 {
                let t = std::f64::consts::TAU * pitch_hz * f64::from(n) / f64::from(RATE_HZ);
                let decay = (-4.0 * f64::from(n) / f64::from(RATE_HZ)).exp();
                tone.push(level * (decay * (t.sin() + 0.5 * (2.0 * t).sin() + 0.3 * (5.0 * t).sin())) as f32);
            }
        }
        tone
    }

    fn sum(parts: &[&[f32]]) -> Vec<f32> {
        (0..parts[0].len()).map(|at| parts.iter().map(|part| part[at]).sum()).collect()
    }

    fn moved(signal: &[f32], frames: i64) -> Vec<f32> {
        let at = |n: usize| usize::try_from(n as i64 - frames).ok().and_then(|n| signal.get(n));
        (0..signal.len()).map(|n| at(n).copied().unwrap_or(0.0)).collect()
    }

    fn place(stem: &[f32], mix: &[f32]) -> Place {
        place_of(stem, mix, RATE_HZ, 1.0).unwrap()
    }

    #[test]
    fn shifts_are_found_and_stems_in_place_are_not_shifted() {
        let (drums, voice) = (noise(1, 0.3), noise(2, 0.15));
        let mix = sum(&[&drums, &voice]);
        assert_eq!(place(&drums, &mix), Place::Right);
        assert_eq!(place(&vec![0.0; drums.len()], &mix), Place::NotKnown);
        for shift in [160, -160, 4000] {
            assert_eq!(place(&moved(&drums, shift), &mix), Place::Shifted(shift));
        }
        assert_eq!(place(&moved(&drums, 10), &mix), Place::Right, "a codec's delay");
    }

    #[test]
    fn a_stem_in_place_is_never_called_shifted_however_faint_it_is() {
        for seed in 0..12 {
            let (drums, lead) = (noise(100 + seed, 0.2), notes(200 + seed, 0.3));
            for level_db in [0.0f32, -20.0, -30.0, -40.0, -50.0, -60.0] {
                let gain = 10f32.powf(level_db / 20.0);
                for stem in [noise(300 + seed, gain), notes(400 + seed, gain)] {
                    let found = place(&stem, &sum(&[&drums, &lead, &stem]));
                    assert!(
                        matches!(found, Place::Right | Place::NotKnown),
                        "{seed}, {level_db} dB: {found:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_stem_that_is_not_in_the_mix_is_absent_not_shifted() {
        for seed in 0..12 {
            let mix = sum(&[&noise(100 + seed, 0.2), &notes(200 + seed, 0.3)]);
            assert_eq!(place(&noise(300 + seed, 0.2), &mix), Place::Absent, "{seed}");
            for level in [0.3, 0.003] {
                let found = place(&notes(400 + seed, level), &mix);
                assert!(matches!(found, Place::Absent | Place::NotKnown), "{seed}: {found:?}");
            }
        }
    }

    #[test]
    fn a_quieter_or_louder_master_does_not_hide_a_stem() {
        let (drums, voice) = (noise(1, 0.3), noise(2, 0.15));
        for gain in [0.25f32, 4.0] {
            let mix: Vec<f32> = sum(&[&drums, &voice]).iter().map(|x| gain * x).collect();
            assert_eq!(place_of(&drums, &mix, RATE_HZ, f64::from(gain)).unwrap(), Place::Right);
        }
    }
}
