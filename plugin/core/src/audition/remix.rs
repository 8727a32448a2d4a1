//! Gains of stems, applied to a mix whose stems are known by estimates only.

use super::filter::Filter;
use super::unmixed::Unmixed;
use crate::audio::StereoPcm;
use crate::cancel::CancelFlag;
use crate::error::{Error, Result};
use crate::features::{BandBank, FeatureSettings};
use crate::stem::{PerStem, Stem};

/// Applies gains of stems to a window of sound. It holds the planned transform, so make one and reuse it.
///
/// Each stem but "other" has an estimate: its separated sound, or the mix with its masks, which is Wiener's filter, the best
/// estimate in the sense of least squares. "Other" is what remains, so that the estimates sum to the mix. The gains make a
/// difference to the original, which is then added to it: gains of 0 dB give the original bit for bit.
pub struct Remixer {
    settings: FeatureSettings,
    sample_rate_hz: u32,
    bank: BandBank,
    filter: Filter,
    band_gains: Vec<f32>,
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
        let filter = Filter::new(seconds, sample_rate_hz);
        Remixer {
            bank: BandBank::for_transform(settings, sample_rate_hz, filter.length()),
            filter,
            band_gains: vec![0.0; settings.bands],
            settings: settings.clone(),
            sample_rate_hz,
        }
    }

    /// The sound with these gains of its stems.
    ///
    /// # Errors
    /// When the window does not fit this remixer, or when cancelled.
    pub fn remix(
        &mut self,
        window: &Unmixed,
        gains_db: &PerStem<f32>,
        cancel: &CancelFlag,
    ) -> Result<StereoPcm> {
        let (sound, masks) = (window.sound(), window.masks());
        if sound.sample_rate_hz != self.sample_rate_hz {
            let (rate, ours) = (sound.sample_rate_hz, self.sample_rate_hz);
            return Err(Error::Samples(format!("it is at {rate} Hz, the remixer works at {ours} Hz")));
        }
        if masks.bands != self.settings.bands || masks.frames == 0 {
            let (frames, bands) = (masks.frames, masks.bands);
            return Err(Error::Samples(format!("masks of {frames} frames and {bands} bands do not fit")));
        }
        cancel.check()?;
        // The difference that each stem's gain makes; nothing for 0 dB.
        let changes = gains_db.map(|gain_db| 10f32.powf(gain_db / 20.0) - 1.0);
        let mut out = sound.clone();
        // All stems change as "other" does, and each one by how much its own change differs from that.
        let common = changes.other;
        let mut changes = changes.map(|change| change - common);
        if common != 0.0 {
            add(&mut out.left, sound.left.iter().map(|sample| common * sample));
            add(&mut out.right, sound.right.iter().map(|sample| common * sample));
        }
        for (stem, separated) in window.separated() {
            let change = std::mem::take(&mut changes[*stem]);
            if change != 0.0 {
                add(&mut out.left, separated.left.iter().map(|sample| change * sample));
                add(&mut out.right, separated.right.iter().map(|sample| change * sample));
            }
        }
        if changes.iter().all(|(_, change)| *change == 0.0) {
            return Ok(out);
        }
        let mid: Vec<f32> = sound.left.iter().zip(&sound.right).map(|(l, r)| 0.5 * (l + r)).collect();
        let side: Vec<f32> = sound.left.iter().zip(&sound.right).map(|(l, r)| 0.5 * (l - r)).collect();
        let mid = self.difference(&mid, &masks.mid, masks.frames, &changes, cancel)?;
        let side = self.difference(&side, &masks.side, masks.frames, &changes, cancel)?;
        add(&mut out.left, mid.iter().zip(&side).map(|(mid, side)| mid + side));
        add(&mut out.right, mid.iter().zip(&side).map(|(mid, side)| mid - side));
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
        let bands = self.settings.bands;
        let frame_samples = self.settings.hop_samples as f64 * f64::from(self.sample_rate_hz)
            / f64::from(self.settings.sample_rate_hz);
        let (bank, band_gains) = (&self.bank, &mut self.band_gains);
        self.filter.apply(samples, cancel, |centre, gains| {
            let at = (centre as f64 / frame_samples).clamp(0.0, (mask_frames - 1) as f64);
            let below = at as usize;
            let above = (below + 1).min(mask_frames - 1);
            let part = (at - below as f64) as f32;
            band_gains.fill(0.0);
            for stem in Stem::ALL {
                let change = changes[stem];
                if change == 0.0 {
                    continue;
                }
                let low = &masks[stem][below * bands..(below + 1) * bands];
                let high = &masks[stem][above * bands..(above + 1) * bands];
                for (gain, (low, high)) in band_gains.iter_mut().zip(low.iter().zip(high)) {
                    *gain += change * (low + part * (high - low));
                }
            }
            bank.spread(band_gains, gains);
        })
    }
}

fn add(to: &mut [f32], samples: impl Iterator<Item = f32>) {
    for (to, sample) in to.iter_mut().zip(samples) {
        *to += sample;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audition::StemMasks;
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

    fn of(sound: &StereoPcm, masks: StemMasks) -> Unmixed {
        Unmixed::new(sound.clone(), Vec::new(), masks)
    }

    #[test]
    fn a_separated_stem_gets_its_gain_and_the_rest_stays() {
        let settings = FeatureSettings::default();
        let (mix, mut vocals) = (noise(96_000, 48_000), noise(96_000, 48_000));
        vocals.left.iter_mut().chain(&mut vocals.right).for_each(|sample| *sample *= 0.25);
        // The masks give all to the vocals, but what was separated counts.
        let masks = only(&settings, Stem::Vocals, 100, 0..100);
        let window = Unmixed::new(mix.clone(), vec![(Stem::Vocals, vocals.clone())], masks);
        let (mut remixer, cancel) = (Remixer::new(&settings, 48_000), CancelFlag::new());
        let gain = 10f32.powf(0.3) - 1.0;
        let gains = PerStem::all(0.0).with(Stem::Vocals, 6.0);
        let out = remixer.remix(&window, &gains, &cancel).unwrap();
        for at in 0..mix.len() {
            assert!((out.left[at] - mix.left[at] - gain * vocals.left[at]).abs() < 1e-6);
        }
        // All stems by as much: that is the mix by as much.
        let out = remixer.remix(&window, &PerStem::all(6.0), &cancel).unwrap();
        assert!(worst(&mix, &out, 1.0 + gain, 0..mix.len()) < 5e-6);
        assert_eq!(remixer.remix(&window, &PerStem::all(0.0), &cancel).unwrap(), mix);
    }

    #[test]
    fn no_gain_gives_the_original_bit_for_bit() {
        let settings = FeatureSettings::default();
        let sound = noise(96_000, 48_000);
        let window = of(&sound, only(&settings, Stem::Vocals, 100, 20..60));
        let mut remixer = Remixer::new(&settings, 48_000);
        let gains = PerStem::all(0.0);
        assert_eq!(remixer.remix(&window, &gains, &CancelFlag::new()).unwrap(), sound);
        // A gain of a stem that is nowhere changes nothing either.
        let gains = PerStem::all(0.0).with(Stem::Bass, 6.0);
        assert_eq!(remixer.remix(&window, &gains, &CancelFlag::new()).unwrap(), sound);
    }

    #[test]
    fn equal_gains_reconstruct_the_sound_exactly_from_end_to_end() {
        let settings = FeatureSettings::default();
        let cancel = CancelFlag::new();
        for rate in [8_000, 32_000, 44_100, 48_000, 96_000] {
            let sound = noise(rate as usize * 3 + 17, rate);
            let window = of(&sound, only(&settings, Stem::Drums, 150, 30..70));
            let gains = PerStem::all(-6.0);
            let out = Remixer::new(&settings, rate).remix(&window, &gains, &cancel).unwrap();
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
        let window = of(&sound, only(&settings, Stem::Vocals, 150, 50..100));
        let gains = PerStem::all(0.0).with(Stem::Vocals, 6.0);
        let out = Remixer::new(&settings, rate).remix(&window, &gains, &CancelFlag::new()).unwrap();
        let at = |s: f64| (s * f64::from(rate)) as usize;
        assert!(worst(&sound, &out, 1.0, 0..at(0.8)) < 1e-6);
        assert!(worst(&sound, &out, 10f32.powf(0.3), at(1.2)..at(1.8)) < 2e-6);
        assert!(worst(&sound, &out, 1.0, at(2.2)..at(3.0)) < 1e-6);
    }

    #[test]
    fn refuses_what_does_not_fit_and_can_be_cancelled() {
        let settings = FeatureSettings::default();
        let masks = only(&settings, Stem::Vocals, 50, 0..50);
        let window = of(&noise(1000, 48_000), masks.clone());
        let mut remixer = Remixer::new(&settings, 48_000);
        let (cancel, gains) = (CancelFlag::new(), PerStem::all(3.0));
        assert!(remixer.remix(&of(&noise(1000, 44_100), masks), &gains, &cancel).is_err());
        let other = FeatureSettings { bands: 40, ..settings };
        let masks_of_other = only(&other, Stem::Vocals, 50, 0..50);
        assert!(remixer.remix(&of(&noise(1000, 48_000), masks_of_other), &gains, &cancel).is_err());
        cancel.cancel();
        let ended = remixer.remix(&window, &gains, &cancel);
        assert!(matches!(ended, Err(Error::Cancelled)));
    }
}
