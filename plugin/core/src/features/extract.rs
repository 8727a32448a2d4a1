//! From samples to band power, and from band power to the encoder's input.

use super::bands::BandBank;
use super::settings::FeatureSettings;
use crate::error::{Error, Result};
use crate::stft::Stft;

/// Band power of the mid and side channel, `[frames, bands]` each, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct BandPower {
    /// Number of frames, a whole number of patches.
    pub frames: usize,
    /// Number of bands.
    pub bands: usize,
    /// Power of `(L + R) / 2`.
    pub mid: Vec<f32>,
    /// Power of `(L - R) / 2`.
    pub side: Vec<f32>,
    /// Share of the power that a separator gives each of its stems, 0 to 1: one map per separated stem.
    pub shares: Vec<Vec<f32>>,
}

impl BandPower {
    /// Features from the rows of a [`FeatureStream`](super::FeatureStream).
    pub fn from_rows(rows: &[f32], settings: &FeatureSettings) -> Self {
        let (bands, values) = (settings.bands, settings.row_values());
        let frames = rows.len() / values;
        let map = |part: usize| {
            rows.chunks_exact(values)
                .flat_map(|row| &row[part * bands..(part + 1) * bands])
                .copied()
                .collect()
        };
        let shares = (0..settings.separated.len()).map(|stem| map(2 + stem)).collect();
        BandPower { frames, bands, mid: map(0), side: map(1), shares }
    }
}

/// Turns sound into [`BandPower`]. It holds the planned transform, so make one and reuse it.
pub struct FeatureExtractor {
    settings: FeatureSettings,
    bank: BandBank,
    stft: Stft,
}

impl FeatureExtractor {
    /// Plans the transform and the bands.
    pub fn new(settings: &FeatureSettings) -> Self {
        FeatureExtractor {
            bank: BandBank::new(settings),
            stft: Stft::new(settings.fft_samples, settings.hop_samples),
            settings: settings.clone(),
        }
    }

    /// The bands in use.
    pub fn bank(&self) -> &BandBank {
        &self.bank
    }

    /// The transform in use.
    pub fn stft(&mut self) -> &mut Stft {
        &mut self.stft
    }

    /// Refuses a window that has no features.
    ///
    /// # Errors
    /// When the channels differ in length, when a sample is not finite, or when the window is shorter than a patch.
    pub fn check(&self, left: &[f32], right: &[f32]) -> Result<()> {
        if left.len() != right.len() {
            return Err(Error::Samples(format!(
                "its channels differ in length ({} and {} samples)",
                left.len(),
                right.len()
            )));
        }
        if let Some(at) = left.iter().zip(right).position(|(l, r)| !l.is_finite() || !r.is_finite()) {
            let seconds = at as f32 / self.settings.sample_rate_hz as f32;
            return Err(Error::Samples(format!("a sample at {seconds:.2} s is not a number")));
        }
        if self.settings.frames(left.len()) == 0 {
            return Err(Error::Samples(format!("{} samples are too few", left.len())));
        }
        Ok(())
    }

    /// Band power of a window, without shares.
    ///
    /// # Errors
    /// As [`FeatureExtractor::check`].
    pub fn band_power(&mut self, left: &[f32], right: &[f32]) -> Result<BandPower> {
        self.check(left, right)?;
        let frames = self.settings.frames(left.len());
        let mid: Vec<f32> = left.iter().zip(right).map(|(l, r)| 0.5 * (l + r)).collect();
        let side: Vec<f32> = left.iter().zip(right).map(|(l, r)| 0.5 * (l - r)).collect();
        Ok(BandPower {
            frames,
            bands: self.settings.bands,
            mid: self.channel_power(&mid, frames),
            side: self.channel_power(&side, frames),
            shares: Vec::new(),
        })
    }

    /// Band power of the one frame that begins at `start` of one channel's `samples`; outside them is silence.
    pub(crate) fn frame_power(&mut self, samples: &[f32], start: isize, out: &mut [f32]) {
        out.fill(0.0);
        let bank = &self.bank;
        self.stft.for_each_frame_from(samples, start, 1, |_, spectrum| {
            bank.pool(spectrum, |bin| bin.norm_sqr(), out);
        });
    }

    fn channel_power(&mut self, samples: &[f32], frames: usize) -> Vec<f32> {
        let bands = self.settings.bands;
        let mut power = vec![0.0; frames * bands];
        let bank = &self.bank;
        self.stft.for_each_frame(samples, frames, |frame, spectrum| {
            bank.pool(spectrum, |bin| bin.norm_sqr(), &mut power[frame * bands..(frame + 1) * bands]);
        });
        power
    }
}

/// Floor of the logarithm, relative to the window's mean power per cell (-70 dB): below it sound is inaudible in the mix.
/// Chosen, not tuned.
const RELATIVE_FLOOR: f32 = 1e-7;
/// Shares nearer than this to 0 or 1 are not told apart: 40 dB. Chosen, not tuned.
pub const SHARE_FLOOR: f32 = 1e-4;

/// The encoder's input: `[tokens, patch values + patch shares]`, row-major: patches of frames × (mid, side) × bands, each
/// followed by its shares, stems × frames × bands.
///
/// Each cell of power is `log10(power / mean + floor)`, shifted and scaled to about unit size. The mean is that of mid plus
/// side over the window, so any gain on the sound cancels. A share is given as the logarithm of its odds.
pub fn encoder_input(power: &BandPower, settings: &FeatureSettings) -> Vec<f32> {
    let cells = power.frames * power.bands;
    let total: f64 = power.mid.iter().chain(&power.side).map(|&p| f64::from(p)).sum();
    let mean = (total / cells.max(1) as f64).max(1e-30) as f32;
    let (bands, patch) = (power.bands, settings.patch_frames);
    let mut input = Vec::with_capacity((2 + power.shares.len()) * cells);
    debug_assert_eq!(power.frames % patch, 0);
    for first in (0..power.frames).step_by(patch) {
        for frame in first..first + patch {
            for map in [&power.mid, &power.side] {
                let row = &map[frame * bands..(frame + 1) * bands];
                input.extend(row.iter().map(|&p| ((p.max(0.0) / mean + RELATIVE_FLOOR).log10() + 2.0) / 1.5));
            }
        }
        for map in &power.shares {
            let rows = &map[first * bands..(first + patch) * bands];
            input.extend(rows.iter().map(|share| share_log_odds(*share) / 4.0));
        }
    }
    input
}

/// `ln(share / (1 - share))`, bounded by [`SHARE_FLOOR`].
pub fn share_log_odds(share: f32) -> f32 {
    let share = share.clamp(SHARE_FLOOR, 1.0 - SHARE_FLOOR);
    (share / (1.0 - share)).ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::{Rng, SeedableRng};

    fn noise(seconds: f32, seed: u64) -> Vec<f32> {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        (0..(seconds * 32_000.0) as usize).map(|_| rng.random_range(-0.5..0.5)).collect()
    }

    #[test]
    fn map_sums_are_powers_of_the_sound() {
        let settings = FeatureSettings::default();
        let (left, right) = (noise(10.0, 1), noise(10.0, 2));
        let power = FeatureExtractor::new(&settings).band_power(&left, &right).unwrap();
        let of_maps: f64 = power.mid.iter().chain(&power.side).map(|&p| f64::from(p)).sum();
        let of_samples: f64 = left.iter().chain(&right).map(|&x| f64::from(x) * f64::from(x) / 2.0).sum();
        let ratio_db = 10.0 * (of_maps / of_samples).log10();
        // The transform is scaled so that a frame's bins sum to the power of one hop of samples.
        assert!(ratio_db.abs() < 0.1, "{ratio_db} dB");
    }

    #[test]
    fn input_does_not_depend_on_level() {
        let settings = FeatureSettings::default();
        let mut extractor = FeatureExtractor::new(&settings);
        let (left, right) = (noise(4.0, 3), noise(4.0, 4));
        let loud = encoder_input(&extractor.band_power(&left, &right).unwrap(), &settings);
        let scale = |x: &[f32]| x.iter().map(|v| v * 0.003).collect::<Vec<_>>();
        let soft = encoder_input(&extractor.band_power(&scale(&left), &scale(&right)).unwrap(), &settings);
        let worst = loud.iter().zip(&soft).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 1e-3, "{worst}");
    }

    #[test]
    fn refuses_what_cannot_be_analyzed() {
        let mut extractor = FeatureExtractor::new(&FeatureSettings::default());
        let sentence =
            |l: &[f32], r: &[f32], e: &mut FeatureExtractor| e.band_power(l, r).unwrap_err().to_string();
        assert!(sentence(&[0.0; 10], &[0.0; 9], &mut extractor).contains("differ in length"));
        assert!(sentence(&[0.0; 10], &[0.0; 10], &mut extractor).contains("too few"));
        let mut bad = vec![0.0; 64_000];
        bad[32_000] = f32::NAN;
        assert!(sentence(&bad, &vec![0.0; 64_000], &mut extractor).contains("1.00 s"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn any_finite_window_gives_finite_bounded_input(seed in 0u64..1000, gain in -8.0f32..3.0, hops in 8usize..200) {
            let settings = FeatureSettings::default();
            let samples: Vec<f32> = noise(hops as f32 * 0.02, seed).iter().map(|x| x * 10f32.powf(gain)).collect();
            let power = FeatureExtractor::new(&settings).band_power(&samples, &samples).unwrap();
            let input = encoder_input(&power, &settings);
            prop_assert_eq!(input.len(), power.frames * settings.bands * 2);
            prop_assert!(input.iter().all(|v| v.is_finite() && v.abs() < 10.0));
        }
    }
}
