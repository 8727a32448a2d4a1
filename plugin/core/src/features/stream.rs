//! Features of sound that arrives piece by piece: each frame as soon as it is complete.

use super::extract::{BandPower, FeatureExtractor};
use super::settings::FeatureSettings;
use super::shares::ShareStream;
use crate::cancel::CancelFlag;
use crate::error::{Error, Result};
use crate::separator::Separator;
use crate::stem::Stem;
use std::collections::VecDeque;
use std::sync::Arc;

/// Turns a stream of sound at the model's rate into rows of features, one per frame: mid bands, side bands, then the share
/// bands of each separated stem.
///
/// The power is that of [`FeatureExtractor::band_power`] for the whole sound: same transform, same bands, in memory that
/// does not grow. With a separator, rows come slab by slab, when the sound after the slab has arrived (see
/// [`ShareStream`]).
pub struct FeatureStream {
    extractor: FeatureExtractor,
    settings: FeatureSettings,
    shares: Option<ShareStream>,
    /// Samples that later frames need.
    mid: Vec<f32>,
    side: Vec<f32>,
    /// Start of the next frame within `mid` and `side`: negative in the silence before the first sample.
    next_start: isize,
    row: Vec<f32>,
    /// Power of the frames whose shares are not known yet.
    waiting: VecDeque<Vec<f32>>,
}

impl FeatureStream {
    /// A stream at its beginning. The separator must have the networks that the settings name.
    ///
    /// # Errors
    /// When it does not have them, or the rate of the features cannot be resampled.
    pub fn new(settings: &FeatureSettings, separator: Option<&Arc<Separator>>) -> Result<Self> {
        let stems: Vec<Stem> = separator.into_iter().flat_map(|separator| separator.stems()).collect();
        if stems != settings.separated {
            return Err(Error::Format(format!(
                "the features need a separator for {:?}, the model has one for {stems:?}",
                settings.separated
            )));
        }
        let with_networks = separator.filter(|_| !stems.is_empty());
        Ok(FeatureStream {
            extractor: FeatureExtractor::new(settings),
            shares: with_networks
                .map(|separator| ShareStream::new(Arc::clone(separator), settings))
                .transpose()?,
            next_start: -((settings.fft_samples / 2) as isize),
            row: vec![0.0; 2 * settings.bands],
            settings: settings.clone(),
            mid: Vec::new(),
            side: Vec::new(),
            waiting: VecDeque::new(),
        })
    }

    /// The settings of the features.
    pub fn settings(&self) -> &FeatureSettings {
        &self.settings
    }

    /// The separator in use.
    pub fn separator(&self) -> Option<&Arc<Separator>> {
        self.shares.as_ref().map(ShareStream::separator)
    }

    /// Values of one row: see [`FeatureSettings::row_values`].
    pub fn row_values(&self) -> usize {
        self.settings.row_values()
    }

    /// Takes the next samples, which must be finite, and gives the row of every complete frame to `visit`. Channels of
    /// different length are cut to the shorter one.
    ///
    /// # Errors
    /// When the separator's resampling fails, or when cancelled.
    pub fn push(
        &mut self,
        left: &[f32],
        right: &[f32],
        cancel: &CancelFlag,
        mut visit: impl FnMut(&[f32]),
    ) -> Result<()> {
        let samples = left.len().min(right.len());
        let (left, right) = (&left[..samples], &right[..samples]);
        self.mid.extend(left.iter().zip(right).map(|(l, r)| 0.5 * (l + r)));
        self.side.extend(left.iter().zip(right).map(|(l, r)| 0.5 * (l - r)));
        while self.next_start + self.settings.fft_samples as isize <= self.mid.len() as isize {
            self.frame(&mut visit);
        }
        let done = usize::try_from(self.next_start).unwrap_or(0).min(self.mid.len());
        self.mid.drain(..done);
        self.side.drain(..done);
        self.next_start -= done as isize;
        let FeatureStream { shares, waiting, settings, .. } = self;
        let Some(shares) = shares else { return Ok(()) };
        // A slab's last frames may still wait for their own samples only if the context is shorter than half a transform.
        shares.push(left, right, cancel, |slab| join(waiting, &slab, settings, &mut visit))
    }

    /// Gives the rows of the frames that reach beyond the end, with silence after it, and restarts.
    ///
    /// # Errors
    /// As [`FeatureStream::push`].
    pub fn finish(&mut self, cancel: &CancelFlag, mut visit: impl FnMut(&[f32])) -> Result<()> {
        let half = (self.settings.fft_samples / 2) as isize;
        while self.next_start + half < self.mid.len() as isize {
            self.frame(&mut visit);
        }
        let FeatureStream { shares, waiting, settings, .. } = self;
        if let Some(shares) = shares {
            let slabs = waiting.len().div_ceil(settings.slab_frames());
            shares.finish(slabs, cancel, |slab| join(waiting, &slab, settings, &mut visit))?;
        }
        self.restart();
        Ok(())
    }

    /// Discards all samples pushed so far.
    pub fn restart(&mut self) {
        self.mid.clear();
        self.side.clear();
        self.waiting.clear();
        self.next_start = -((self.settings.fft_samples / 2) as isize);
        if let Some(shares) = &mut self.shares {
            shares.restart();
        }
    }

    /// Features of a whole sound that is at the rate of the features, cut to whole patches. Samples pushed before are
    /// discarded.
    ///
    /// # Errors
    /// As [`FeatureExtractor::band_power`] and [`FeatureStream::push`].
    pub fn whole(&mut self, left: &[f32], right: &[f32], cancel: &CancelFlag) -> Result<BandPower> {
        self.extractor.check(left, right)?;
        self.restart();
        let mut rows = Vec::new();
        self.push(left, right, cancel, |row| rows.extend_from_slice(row))?;
        self.finish(cancel, |row| rows.extend_from_slice(row))?;
        rows.truncate(self.settings.frames(left.len()) * self.row_values());
        Ok(BandPower::from_rows(&rows, &self.settings))
    }

    fn frame(&mut self, visit: &mut impl FnMut(&[f32])) {
        let (mid, side) = self.row.split_at_mut(self.settings.bands);
        self.extractor.frame_power(&self.mid, self.next_start, mid);
        self.extractor.frame_power(&self.side, self.next_start, side);
        self.next_start += self.settings.hop_samples as isize;
        if self.shares.is_some() {
            self.waiting.push_back(self.row.clone());
        } else {
            visit(&self.row);
        }
    }
}

/// Gives the rows of a slab: the power that waited, and the shares.
fn join(
    waiting: &mut VecDeque<Vec<f32>>,
    slab: &[f32],
    settings: &FeatureSettings,
    visit: &mut impl FnMut(&[f32]),
) {
    let (frames, bands) = (settings.slab_frames(), settings.bands);
    for frame in 0..frames.min(waiting.len()) {
        let Some(mut row) = waiting.pop_front() else { break };
        for stem in slab.chunks_exact(frames * bands) {
            row.extend_from_slice(&stem[frame * bands..(frame + 1) * bands]);
        }
        visit(&row);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};

    static VOCALS: &[u8] = include_bytes!("../../../../assets/separator/vocals.safetensors");

    #[test]
    fn with_a_separator_rows_wait_for_their_shares_and_are_the_same_in_pieces() {
        let separator = Arc::new(Separator::from_networks([(Stem::Vocals, VOCALS)]).unwrap());
        let plain = FeatureSettings::default();
        assert!(FeatureStream::new(&plain, Some(&separator)).is_err(), "settings and separator must fit");
        let settings = FeatureSettings { separated: vec![Stem::Vocals], ..plain.clone() };
        assert!(FeatureStream::new(&settings, None).is_err());
        let length = 4 * settings.sample_rate_hz as usize + 321;
        let tone = |n: usize, hz: f32| (n as f32 * hz * 2e-4).sin() * 0.2;
        let left: Vec<f32> = (0..length).map(|n| tone(n, 440.0) + tone(n, 1234.0)).collect();
        let right: Vec<f32> = (0..length).map(|n| tone(n, 440.0)).collect();
        let mut stream = FeatureStream::new(&settings, Some(&separator)).unwrap();
        let cancel = CancelFlag::new();
        let whole = stream.whole(&left, &right, &cancel).unwrap();
        let power = FeatureExtractor::new(&plain).band_power(&left, &right).unwrap();
        assert_eq!((&whole.mid, &whole.side, whole.frames), (&power.mid, &power.side, power.frames));
        assert_eq!(whole.shares.len(), 1);
        assert_eq!(whole.shares[0].len(), whole.mid.len());
        assert!(whole.shares[0].iter().all(|share| (0.0..=1.0).contains(share)));
        let mut rows = Vec::new();
        for (left, right) in left.chunks(7001).zip(right.chunks(7001)) {
            stream.push(left, right, &cancel, |row| rows.extend_from_slice(row)).unwrap();
        }
        let early = rows.len() / stream.row_values();
        assert_eq!(early, settings.slab_frames(), "after four seconds, one slab has its context");
        stream.finish(&cancel, |row| rows.extend_from_slice(row)).unwrap();
        rows.truncate(whole.frames * stream.row_values());
        assert_eq!(BandPower::from_rows(&rows, &settings), whole);
    }

    #[test]
    fn shares_do_not_depend_on_level() {
        let separator = Arc::new(Separator::from_networks([(Stem::Vocals, VOCALS)]).unwrap());
        let settings = FeatureSettings { separated: vec![Stem::Vocals], ..FeatureSettings::default() };
        let mut stream = FeatureStream::new(&settings, Some(&separator)).unwrap();
        let mut shares = |gain: f32| {
            let sound: Vec<f32> =
                (0..96_000).map(|n| gain * ((n as f32 * 0.05).sin() + (n as f32 * 0.21).sin())).collect();
            stream.whole(&sound, &sound, &CancelFlag::new()).unwrap().shares.swap_remove(0)
        };
        // A power of two: the same digits, so that cells without sound are the same too.
        let (loud, soft) = (shares(0.25), shares(0.25 / 128.0));
        let worst = loud.iter().zip(&soft).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 1e-3, "{worst}");
    }

    #[test]
    fn pieces_of_any_size_give_the_frames_of_the_whole() {
        let settings = FeatureSettings::default();
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(5);
        let length = 3 * settings.sample_rate_hz as usize + 123;
        let left: Vec<f32> = (0..length).map(|_| rng.random_range(-0.5..0.5)).collect();
        let right: Vec<f32> = (0..length).map(|_| rng.random_range(-0.5..0.5)).collect();
        let whole = FeatureExtractor::new(&settings).band_power(&left, &right).unwrap();
        let mut stream = FeatureStream::new(&settings, None).unwrap();
        for _ in 0..2 {
            let mut rows: Vec<Vec<f32>> = Vec::new();
            let mut at = 0;
            while at < length {
                let end = (at + rng.random_range(1..5000)).min(length);
                let mut keep = |row: &[f32]| rows.push(row.to_vec());
                stream.push(&left[at..end], &right[at..end], &CancelFlag::new(), &mut keep).unwrap();
                at = end;
            }
            stream.finish(&CancelFlag::new(), |row| rows.push(row.to_vec())).unwrap();
            assert!(rows.len() >= whole.frames, "{} frames of {}", rows.len(), whole.frames);
            for (frame, row) in rows.iter().enumerate().take(whole.frames) {
                let cells = frame * settings.bands..(frame + 1) * settings.bands;
                assert_eq!(row[..settings.bands], whole.mid[cells.clone()], "mid, frame {frame}");
                assert_eq!(row[settings.bands..], whole.side[cells], "side, frame {frame}");
            }
        }
    }
}
