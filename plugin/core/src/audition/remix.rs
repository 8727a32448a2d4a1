//! Gains of stems, applied to a mix whose stems are known by their shares only.

use super::masks::StemMasks;
use crate::audio::StereoPcm;
use crate::cancel::CancelFlag;
use crate::error::{Error, Result};
use crate::features::{BandBank, FeatureSettings};
use crate::stem::{PerStem, Stem};
use realfft::num_complex::Complex32;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};
use std::sync::Arc;

/// Frames of a transform overlap so many times. Squared Hann windows then sum to a constant.
const OVERLAP: usize = 4;
/// The sum of squared Hann windows at this overlap.
const WINDOW_SUM: f32 = 1.5;
/// Transforms are a multiple of this long, so that they are fast at every sample rate.
const LENGTH_STEP: usize = 128;

/// Applies gains of stems to a window of sound. It holds the planned transform, so make one and reuse it.
///
/// A cell in which a stem has the share `m` of the power gets the gain `1 + Σ m (g - 1)` over the stems: with shares of power
/// this is Wiener's filter, the best estimate of the remix in the sense of least squares. What is computed is the difference
/// to the original, which is then added to it. So gains of 0 dB give the original bit for bit.
pub struct Remixer {
    settings: FeatureSettings,
    sample_rate_hz: u32,
    bank: BandBank,
    window: Vec<f32>,
    forward: Arc<dyn RealToComplex<f32>>,
    inverse: Arc<dyn ComplexToReal<f32>>,
    frame: Vec<f32>,
    spectrum: Vec<Complex32>,
    scratch: Vec<Complex32>,
    band_gains: Vec<f32>,
    bin_gains: Vec<f32>,
}

impl Remixer {
    /// A remixer for sound at a rate, with masks of these features. Its transform is as long in seconds as that of the
    /// features.
    pub fn new(settings: &FeatureSettings, sample_rate_hz: u32) -> Self {
        let seconds = settings.fft_samples as f64 / f64::from(settings.sample_rate_hz);
        Self::with_length(settings, sample_rate_hz, seconds)
    }

    /// As [`Remixer::new`], with a transform of another length in seconds.
    pub fn with_length(settings: &FeatureSettings, sample_rate_hz: u32, seconds: f64) -> Self {
        let steps = (seconds * f64::from(sample_rate_hz) / LENGTH_STEP as f64).round().max(1.0);
        let length = steps as usize * LENGTH_STEP;
        let mut planner = RealFftPlanner::<f32>::new();
        let (forward, inverse) = (planner.plan_fft_forward(length), planner.plan_fft_inverse(length));
        let scratch = forward.get_scratch_len().max(inverse.get_scratch_len());
        let hann = |n: usize| 0.5 - 0.5 * (std::f64::consts::TAU * n as f64 / length as f64).cos();
        Remixer {
            bank: BandBank::for_transform(settings, sample_rate_hz, length),
            window: (0..length).map(|n| hann(n) as f32).collect(),
            frame: forward.make_input_vec(),
            spectrum: forward.make_output_vec(),
            scratch: vec![Complex32::default(); scratch],
            band_gains: vec![0.0; settings.bands],
            bin_gains: vec![0.0; length / 2 + 1],
            forward,
            inverse,
            settings: settings.clone(),
            sample_rate_hz,
        }
    }

    /// The sound with these gains of its stems. The centre of the masks' first frame is the first sample.
    ///
    /// # Errors
    /// When sound or masks do not fit this remixer, or when cancelled.
    pub fn remix(
        &mut self,
        sound: &StereoPcm,
        masks: &StemMasks,
        gains_db: &PerStem<f32>,
        cancel: &CancelFlag,
    ) -> Result<StereoPcm> {
        if sound.sample_rate_hz != self.sample_rate_hz {
            let (rate, ours) = (sound.sample_rate_hz, self.sample_rate_hz);
            return Err(Error::Samples(format!("it is at {rate} Hz, the remixer works at {ours} Hz")));
        }
        if masks.bands != self.settings.bands || masks.frames == 0 {
            let (frames, bands) = (masks.frames, masks.bands);
            return Err(Error::Samples(format!("masks of {frames} frames and {bands} bands do not fit")));
        }
        // The difference that each stem's gain makes; nothing for 0 dB.
        let changes = gains_db.map(|gain_db| 10f32.powf(gain_db / 20.0) - 1.0);
        let mut out = sound.clone();
        if changes.iter().all(|(_, change)| *change == 0.0) {
            return Ok(out);
        }
        let mid: Vec<f32> = sound.left.iter().zip(&sound.right).map(|(l, r)| 0.5 * (l + r)).collect();
        let side: Vec<f32> = sound.left.iter().zip(&sound.right).map(|(l, r)| 0.5 * (l - r)).collect();
        let mid = self.difference(&mid, &masks.mid, masks.frames, &changes, cancel)?;
        let side = self.difference(&side, &masks.side, masks.frames, &changes, cancel)?;
        for (at, (mid, side)) in mid.into_iter().zip(side).enumerate() {
            out.left[at] += mid + side;
            out.right[at] += mid - side;
        }
        Ok(out)
    }

    /// What the gains add to one channel.
    fn difference(
        &mut self,
        samples: &[f32],
        masks: &PerStem<Vec<f32>>,
        mask_frames: usize,
        changes: &PerStem<f32>,
        cancel: &CancelFlag,
    ) -> Result<Vec<f32>> {
        let length = self.window.len();
        let hop = length / OVERLAP;
        let scale = 1.0 / (WINDOW_SUM * length as f32);
        let mut sum = vec![0.0f32; samples.len()];
        if samples.iter().all(|sample| *sample == 0.0) {
            return Ok(sum);
        }
        // The first frame ends one hop after the first sample, so that as many frames cover it as any other.
        let mut start = -((length - hop) as isize);
        while start < samples.len() as isize {
            cancel.check()?;
            for (offset, (slot, weight)) in self.frame.iter_mut().zip(&self.window).enumerate() {
                let at = start + offset as isize;
                let sample = usize::try_from(at).ok().and_then(|at| samples.get(at));
                *slot = sample.map_or(0.0, |sample| sample * weight);
            }
            self.gains_at(start + (length / 2) as isize, masks, mask_frames, changes);
            let fits = "buffers were made by the plan itself";
            self.forward
                .process_with_scratch(&mut self.frame, &mut self.spectrum, &mut self.scratch)
                .expect(fits);
            for (bin, gain) in self.spectrum.iter_mut().zip(&self.bin_gains) {
                *bin *= gain * scale;
            }
            // The first and the last bin of a real signal are real; rounding must not make them otherwise.
            self.spectrum[0].im = 0.0;
            if let Some(last) = self.spectrum.last_mut() {
                last.im = 0.0;
            }
            self.inverse
                .process_with_scratch(&mut self.spectrum, &mut self.frame, &mut self.scratch)
                .expect(fits);
            for (offset, (sample, weight)) in self.frame.iter().zip(&self.window).enumerate() {
                if let Some(to) = usize::try_from(start + offset as isize).ok().and_then(|at| sum.get_mut(at))
                {
                    *to += sample * weight;
                }
            }
            start += hop as isize;
        }
        Ok(sum)
    }

    /// The gains minus one of all bins in a frame that is centred at a sample.
    fn gains_at(
        &mut self,
        centre: isize,
        masks: &PerStem<Vec<f32>>,
        mask_frames: usize,
        changes: &PerStem<f32>,
    ) {
        let bands = self.settings.bands;
        let frame_samples = self.settings.hop_samples as f64 * f64::from(self.sample_rate_hz)
            / f64::from(self.settings.sample_rate_hz);
        let at = (centre as f64 / frame_samples).clamp(0.0, (mask_frames - 1) as f64);
        let below = at as usize;
        let above = (below + 1).min(mask_frames - 1);
        let part = (at - below as f64) as f32;
        self.band_gains.fill(0.0);
        for stem in Stem::ALL {
            let change = changes[stem];
            if change == 0.0 {
                continue;
            }
            let low = &masks[stem][below * bands..(below + 1) * bands];
            let high = &masks[stem][above * bands..(above + 1) * bands];
            for (gain, (low, high)) in self.band_gains.iter_mut().zip(low.iter().zip(high)) {
                *gain += change * (low + part * (high - low));
            }
        }
        self.bank.spread(&self.band_gains, &mut self.bin_gains);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};

    fn noise(frames: usize, rate: u32) -> StereoPcm {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(7);
        let mut channel = || (0..frames).map(|_| rng.random_range(-0.5..0.5)).collect::<Vec<f32>>();
        StereoPcm::new(channel(), channel(), rate).unwrap()
    }

    /// Masks in which a stem has all power of the frames in a range, and "other" the rest.
    fn only(
        settings: &FeatureSettings,
        stem: Stem,
        frames: usize,
        from: std::ops::Range<usize>,
    ) -> StemMasks {
        let bands = settings.bands;
        let own: Vec<f32> =
            (0..frames * bands).map(|cell| f32::from(u8::from(from.contains(&(cell / bands))))).collect();
        let rest: Vec<f32> = own.iter().map(|share| 1.0 - share).collect();
        let maps = PerStem::from_fn(|one| match one {
            one if one == stem => own.clone(),
            Stem::Other => rest.clone(),
            _ => vec![0.0; frames * bands],
        });
        StemMasks { frames, bands, mid: maps.clone(), side: maps }
    }

    fn worst(a: &StereoPcm, b: &StereoPcm, gain: f32, frames: std::ops::Range<usize>) -> f32 {
        let channel =
            |a: &[f32], b: &[f32]| frames.clone().map(|at| (a[at] * gain - b[at]).abs()).fold(0.0, f32::max);
        channel(&a.left, &b.left).max(channel(&a.right, &b.right))
    }

    #[test]
    fn no_gain_gives_the_original_bit_for_bit() {
        let settings = FeatureSettings::default();
        let sound = noise(96_000, 48_000);
        let masks = only(&settings, Stem::Vocals, 100, 20..60);
        let mut remixer = Remixer::new(&settings, 48_000);
        let gains = PerStem::all(0.0);
        assert_eq!(remixer.remix(&sound, &masks, &gains, &CancelFlag::new()).unwrap(), sound);
        // A gain of a stem that is nowhere changes nothing either.
        let gains = PerStem::all(0.0).with(Stem::Bass, 6.0);
        assert_eq!(remixer.remix(&sound, &masks, &gains, &CancelFlag::new()).unwrap(), sound);
    }

    #[test]
    fn equal_gains_reconstruct_the_sound_exactly_from_end_to_end() {
        let settings = FeatureSettings::default();
        let cancel = CancelFlag::new();
        for rate in [8_000, 32_000, 44_100, 48_000, 96_000] {
            let sound = noise(rate as usize * 3 + 17, rate);
            let masks = only(&settings, Stem::Drums, 150, 30..70);
            let gains = PerStem::all(-6.0);
            let out = Remixer::new(&settings, rate).remix(&sound, &masks, &gains, &cancel).unwrap();
            let worst = worst(&sound, &out, 10f32.powf(-0.3), 0..sound.len());
            assert!(worst < 2e-6, "{rate} Hz: {worst}");
        }
    }

    #[test]
    fn a_gain_acts_where_its_stem_is() {
        let settings = FeatureSettings::default();
        let rate = 48_000u32;
        let sound = noise(3 * rate as usize, rate);
        // The vocals are all there is between one and two seconds.
        let masks = only(&settings, Stem::Vocals, 150, 50..100);
        let gains = PerStem::all(0.0).with(Stem::Vocals, 6.0);
        let out = Remixer::new(&settings, rate).remix(&sound, &masks, &gains, &CancelFlag::new()).unwrap();
        let at = |s: f64| (s * f64::from(rate)) as usize;
        assert!(worst(&sound, &out, 1.0, 0..at(0.8)) < 1e-6);
        assert!(worst(&sound, &out, 10f32.powf(0.3), at(1.2)..at(1.8)) < 2e-6);
        assert!(worst(&sound, &out, 1.0, at(2.2)..at(3.0)) < 1e-6);
    }

    #[test]
    fn refuses_what_does_not_fit_and_can_be_cancelled() {
        let settings = FeatureSettings::default();
        let masks = only(&settings, Stem::Vocals, 50, 0..50);
        let mut remixer = Remixer::new(&settings, 48_000);
        let (cancel, gains) = (CancelFlag::new(), PerStem::all(3.0));
        assert!(remixer.remix(&noise(1000, 44_100), &masks, &gains, &cancel).is_err());
        let other = FeatureSettings { bands: 40, ..settings };
        let masks_of_other = only(&other, Stem::Vocals, 50, 0..50);
        assert!(remixer.remix(&noise(1000, 48_000), &masks_of_other, &gains, &cancel).is_err());
        cancel.cancel();
        let ended = remixer.remix(&noise(1000, 48_000), &masks, &gains, &cancel);
        assert!(matches!(ended, Err(Error::Cancelled)));
    }
}
