//! Whether a stem is at its place in the finished mix: cross-correlation over one chunk.

use anyhow::{Result, anyhow};
use realfft::RealFftPlanner;

/// Longest shift that is searched, in seconds. Chosen, not tuned, as the other limits here.
const REACH_S: f64 = 2.0;
/// Shifts up to this one, in seconds, come from plugins' latencies and codecs.
const HARMLESS_S: f64 = 0.003;
/// A shift is accepted where the correlation there is at least this share of the stem's power...
const LEAST_SHARE: f64 = 0.4;
/// ...and at least this many times the correlation in place.
const LEAST_GAIN: f64 = 2.0;

/// By how many frames `stem` is late against `mix` (early where negative); none where it is in place, or where no shift
/// is found. Both are mono, of one length.
///
/// A stem in place correlates with the mix at 0 with its own power; a shifted one does at its shift.
///
/// # Errors
/// As the Fourier transform's.
pub fn shift_of(stem: &[f32], mix: &[f32], rate_hz: u32) -> Result<Option<i64>> {
    let frames = stem.len().min(mix.len());
    let power: f64 = stem.iter().map(|x| f64::from(*x) * f64::from(*x)).sum();
    if frames == 0 || power <= 0.0 {
        return Ok(None);
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
    a.iter_mut().zip(&b).for_each(|(a, b)| *a *= b.conj());
    let mut correlation = vec![0.0f32; size];
    inverse.process(&mut a, &mut correlation).map_err(|cause| anyhow!("{cause}"))?;
    let at = |lag: i64| {
        let index = if lag >= 0 { lag as usize } else { size - lag.unsigned_abs() as usize };
        f64::from(correlation[index]) / size as f64
    };
    let reach = reach as i64;
    let best = (-reach..=reach).max_by(|a, b| at(*a).total_cmp(&at(*b))).unwrap_or(0);
    let harmless = (HARMLESS_S * f64::from(rate_hz)) as i64;
    let in_place = (-harmless..=harmless).map(at).fold(0.0, f64::max);
    let is_shifted =
        best.abs() > harmless && at(best) > LEAST_SHARE * power && at(best) > LEAST_GAIN * in_place;
    Ok(is_shifted.then_some(best))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};

    #[test]
    fn shifts_are_found_and_stems_in_place_are_not_shifted() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
        let mut noise = |n: usize| -> Vec<f32> { (0..n).map(|_| rng.random_range(-0.3..0.3)).collect() };
        let (drums, voice) = (noise(16_000), noise(16_000));
        let mix: Vec<f32> = drums.iter().zip(&voice).map(|(a, b)| a + 0.5 * b).collect();
        assert_eq!(shift_of(&drums, &mix, 8000).unwrap(), None);
        assert_eq!(shift_of(&vec![0.0; 16_000], &mix, 8000).unwrap(), None);
        let mut late = vec![0.0; 160];
        late.extend_from_slice(&drums[..16_000 - 160]);
        assert_eq!(shift_of(&late, &mix, 8000).unwrap(), Some(160));
        let mut early = drums[160..].to_vec();
        early.resize(16_000, 0.0);
        assert_eq!(shift_of(&early, &mix, 8000).unwrap(), Some(-160));
    }
}
