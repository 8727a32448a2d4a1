//! A window as it was and with other gains, ready to be played.

use super::loudness::{match_loudness, scale};
use crate::audio::StereoPcm;
use crate::error::{Error, Result};
use crate::loudness::integrated_lufs;

/// Largest sample of a clip, unless its original is louder: both versions are turned down rather than clipped.
pub const PEAK_LIMIT: f32 = 1.0;

/// Two versions of a window, sample by sample: the original and the altered one, equally loud.
#[derive(Clone, Debug, PartialEq)]
pub struct Clip {
    /// Frames per second.
    pub sample_rate_hz: u32,
    /// Identifies the window: clips of the same window continue each other at the same place.
    pub window: u64,
    /// The frames of both versions: original left and right, altered left and right.
    frames: Vec<[f32; 4]>,
}

impl Clip {
    /// Matches the loudness of `altered` to that of `original`. If its peaks are then over [`PEAK_LIMIT`] and over those of
    /// the original, both are turned down. Equal versions stay as they are, bit for bit.
    ///
    /// # Errors
    /// When the two differ in length or rate, or the rate cannot be measured.
    pub fn new(original: &StereoPcm, mut altered: StereoPcm, window: u64) -> Result<Self> {
        if original.sample_rate_hz != altered.sample_rate_hz || original.len() != altered.len() {
            return Err(Error::Samples("its two versions differ in length or sample rate".into()));
        }
        let mut gain = 1.0;
        if altered != *original {
            if let Some(lufs) = integrated_lufs(original)? {
                match_loudness(&mut altered, lufs)?;
            }
            let allowed = peak(original).max(PEAK_LIMIT);
            let peak = peak(&altered);
            if peak > allowed {
                gain = allowed / peak;
                scale(&mut altered, gain);
            }
        }
        let channels = original.left.iter().zip(&original.right).zip(altered.left.iter().zip(&altered.right));
        let frames = channels.map(|((l, r), (al, ar))| [l * gain, r * gain, *al, *ar]).collect();
        Ok(Clip { sample_rate_hz: original.sample_rate_hz, window, frames })
    }

    /// Length in frames.
    pub fn len(&self) -> usize {
        self.frames.len()
    }

    /// Whether it has no frames.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// The frames: original left and right, altered left and right.
    pub fn frames(&self) -> &[[f32; 4]] {
        &self.frames
    }
}

fn peak(sound: &StereoPcm) -> f32 {
    sound.left.iter().chain(&sound.right).fold(0.0, |most, sample| most.max(sample.abs()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audition::LOUDNESS_TOLERANCE_LU;

    fn noise(amplitude: f32, seed: u32) -> StereoPcm {
        let mut state = seed;
        let channel: Vec<f32> = (0..144_000)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                amplitude * ((state >> 8) as f32 / 8_388_608.0 - 1.0)
            })
            .collect();
        StereoPcm::new(channel.clone(), channel, 48_000).unwrap()
    }

    fn version(clip: &Clip, first: usize) -> StereoPcm {
        let channel = |c: usize| clip.frames().iter().map(|frame| frame[c]).collect();
        StereoPcm::new(channel(first), channel(first + 1), clip.sample_rate_hz).unwrap()
    }

    #[test]
    fn equal_versions_stay_as_they_are() {
        let mut sound = noise(0.3, 1);
        sound.left[17] = 1.7;
        let clip = Clip::new(&sound, sound.clone(), 1).unwrap();
        assert_eq!((version(&clip, 0), version(&clip, 2)), (sound.clone(), sound));
    }

    #[test]
    fn versions_are_equally_loud_and_do_not_clip() {
        let original = noise(0.9, 1);
        // The altered version has peaks, so it must be turned down, and the original with it.
        let mut altered = noise(0.05, 9);
        for at in (0..altered.len()).step_by(24_000) {
            altered.left[at] = 0.9;
        }
        let clip = Clip::new(&original, altered, 1).unwrap();
        let (original, altered) = (version(&clip, 0), version(&clip, 2));
        let lufs = |sound: &StereoPcm| integrated_lufs(sound).unwrap().unwrap();
        assert!((lufs(&original) - lufs(&altered)).abs() <= LOUDNESS_TOLERANCE_LU);
        assert!(peak(&altered) <= PEAK_LIMIT * 1.000_001 && peak(&original) < 0.9);
        assert!(Clip::new(&noise(0.1, 1), StereoPcm::silence(3, 48_000), 1).is_err());
    }
}
