//! Band power of sound that arrives piece by piece: each frame as soon as it is complete.

use super::extract::FeatureExtractor;
use super::settings::FeatureSettings;

/// Turns a stream of sound at the model's rate into the frames that [`FeatureExtractor::band_power`] gives for the whole
/// sound: same transform, same bands, in memory that does not grow.
pub struct FeatureStream {
    extractor: FeatureExtractor,
    settings: FeatureSettings,
    /// Samples that later frames need.
    mid: Vec<f32>,
    side: Vec<f32>,
    /// Start of the next frame within `mid` and `side`: negative in the silence before the first sample.
    next_start: isize,
    row: Vec<f32>,
}

impl FeatureStream {
    /// A stream at its beginning.
    pub fn new(settings: &FeatureSettings) -> Self {
        FeatureStream {
            extractor: FeatureExtractor::new(settings),
            next_start: -((settings.fft_samples / 2) as isize),
            row: vec![0.0; 2 * settings.bands],
            settings: settings.clone(),
            mid: Vec::new(),
            side: Vec::new(),
        }
    }

    /// Values of one frame: mid bands, then side bands.
    pub fn row_values(&self) -> usize {
        self.row.len()
    }

    /// Takes the next samples, which must be finite, and gives every complete frame to `visit`: mid bands, then side
    /// bands. Channels of different length are cut to the shorter one.
    pub fn push(&mut self, left: &[f32], right: &[f32], mut visit: impl FnMut(&[f32])) {
        self.mid.extend(left.iter().zip(right).map(|(l, r)| 0.5 * (l + r)));
        self.side.extend(left.iter().zip(right).map(|(l, r)| 0.5 * (l - r)));
        while self.next_start + self.settings.fft_samples as isize <= self.mid.len() as isize {
            self.frame(&mut visit);
        }
        let done = usize::try_from(self.next_start).unwrap_or(0).min(self.mid.len());
        self.mid.drain(..done);
        self.side.drain(..done);
        self.next_start -= done as isize;
    }

    /// Gives the frames that reach beyond the end, with silence after it, and restarts.
    pub fn finish(&mut self, mut visit: impl FnMut(&[f32])) {
        let half = (self.settings.fft_samples / 2) as isize;
        while self.next_start + half < self.mid.len() as isize {
            self.frame(&mut visit);
        }
        self.restart();
    }

    /// Discards all samples pushed so far.
    pub fn restart(&mut self) {
        self.mid.clear();
        self.side.clear();
        self.next_start = -((self.settings.fft_samples / 2) as isize);
    }

    fn frame(&mut self, visit: &mut impl FnMut(&[f32])) {
        let (mid, side) = self.row.split_at_mut(self.settings.bands);
        self.extractor.frame_power(&self.mid, self.next_start, mid);
        self.extractor.frame_power(&self.side, self.next_start, side);
        self.next_start += self.settings.hop_samples as isize;
        visit(&self.row);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};

    #[test]
    fn pieces_of_any_size_give_the_frames_of_the_whole() {
        let settings = FeatureSettings::default();
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(5);
        let length = 3 * settings.sample_rate_hz as usize + 123;
        let left: Vec<f32> = (0..length).map(|_| rng.random_range(-0.5..0.5)).collect();
        let right: Vec<f32> = (0..length).map(|_| rng.random_range(-0.5..0.5)).collect();
        let whole = FeatureExtractor::new(&settings).band_power(&left, &right).unwrap();
        let mut stream = FeatureStream::new(&settings);
        for _ in 0..2 {
            let mut rows: Vec<Vec<f32>> = Vec::new();
            let mut at = 0;
            while at < length {
                let end = (at + rng.random_range(1..5000)).min(length);
                stream.push(&left[at..end], &right[at..end], |row| rows.push(row.to_vec()));
                at = end;
            }
            stream.finish(|row| rows.push(row.to_vec()));
            assert!(rows.len() >= whole.frames, "{} frames of {}", rows.len(), whole.frames);
            for (frame, row) in rows.iter().enumerate().take(whole.frames) {
                let cells = frame * settings.bands..(frame + 1) * settings.bands;
                assert_eq!(row[..settings.bands], whole.mid[cells.clone()], "mid, frame {frame}");
                assert_eq!(row[settings.bands..], whole.side[cells], "side, frame {frame}");
            }
        }
    }
}
