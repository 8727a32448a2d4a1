//! Triangular bands that divide every bin's power completely.

use super::settings::FeatureSettings;
use realfft::num_complex::Complex32;

/// Bands as sparse weights over the bins of a one-sided spectrum.
///
/// Bands are triangles between centres that are evenly spaced on a [`BandScale`](super::settings::BandScale). The
/// lowest band keeps weight 1 down to 0 Hz and the highest up to the Nyquist frequency, so that the weights of each
/// bin sum to one and the bands together hold all of the power.
#[derive(Clone, Debug)]
pub struct BandBank {
    /// For each bin: the lower of its two bands and that band's weight; the band above gets the remainder.
    bins: Vec<(usize, f32)>,
    centres_hz: Vec<f32>,
}

impl BandBank {
    /// Lays out the bands.
    pub fn new(settings: &FeatureSettings) -> Self {
        Self::for_transform(settings, settings.sample_rate_hz, settings.fft_samples)
    }

    /// The same bands over the bins of another transform, for sound at another rate.
    pub fn for_transform(settings: &FeatureSettings, sample_rate_hz: u32, fft_samples: usize) -> Self {
        let scale = settings.scale;
        let low = scale.of_hz(f64::from(settings.lowest_hz));
        let step = (scale.of_hz(f64::from(settings.highest_hz)) - low) / (settings.bands - 1) as f64;
        let count = fft_samples / 2 + 1;
        let bin_hz = f64::from(sample_rate_hz) / fft_samples as f64;
        let last = (settings.bands - 1) as f64;
        let bins = (0..count)
            .map(|bin| {
                let position = ((scale.of_hz(bin as f64 * bin_hz) - low) / step).clamp(0.0, last);
                let band = (position.floor() as usize).min(settings.bands - 2);
                (band, (1.0 - (position - band as f64)) as f32)
            })
            .collect();
        let centres_hz =
            (0..settings.bands).map(|band| scale.to_hz(low + step * band as f64) as f32).collect();
        BandBank { bins, centres_hz }
    }

    /// Centre of each band in Hz.
    pub fn centres_hz(&self) -> &[f32] {
        &self.centres_hz
    }

    /// Adds `value(bin)` of a one-sided spectrum into the bands of `out`, which the caller has cleared.
    ///
    /// Bins other than the first and the last stand for two of the full spectrum and count twice.
    pub fn pool(&self, spectrum: &[Complex32], value: impl Fn(&Complex32) -> f32, out: &mut [f32]) {
        let last = spectrum.len() - 1;
        for (index, (bin, &(band, lower))) in spectrum.iter().zip(&self.bins).enumerate() {
            let twice = if index == 0 || index == last { 1.0 } else { 2.0 };
            let value = twice * value(bin);
            out[band] += lower * value;
            out[band + 1] += (1.0 - lower) * value;
        }
    }

    /// Adds the values of the lowest bins into the bands of `out`, which the caller has cleared; every bin counts once.
    pub fn pool_values(&self, values: impl Iterator<Item = f32>, out: &mut [f32]) {
        for (value, &(band, lower)) in values.zip(&self.bins) {
            out[band] += lower * value;
            out[band + 1] += (1.0 - lower) * value;
        }
    }

    /// Gives each bin the value of its bands, each with its weight: the reverse of pooling.
    pub fn spread(&self, bands: &[f32], out: &mut [f32]) {
        for (out, &(band, lower)) in out.iter_mut().zip(&self.bins) {
            *out = lower * bands[band] + (1.0 - lower) * bands[band + 1];
        }
    }

    /// The first band that gets nothing from the lowest `bins` bins.
    pub fn first_band_above(&self, bins: usize) -> usize {
        self.bins[..bins].iter().map(|(band, lower)| band + 1 + usize::from(*lower < 1.0)).max().unwrap_or(0)
    }

    /// As [`BandBank::pool`], for the real part of the cross-spectrum of two signals.
    pub fn pool_cross(&self, a: &[Complex32], b: &[Complex32], out: &mut [f32]) {
        let last = a.len() - 1;
        for (index, ((x, y), &(band, lower))) in a.iter().zip(b).zip(&self.bins).enumerate() {
            let twice = if index == 0 || index == last { 1.0 } else { 2.0 };
            let value = twice * (x.re * y.re + x.im * y.im);
            out[band] += lower * value;
            out[band + 1] += (1.0 - lower) * value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bin_is_shared_out_completely() {
        let settings = FeatureSettings::default();
        let bank = BandBank::new(&settings);
        let flat = vec![Complex32::new(1.0, 0.0); settings.fft_samples / 2 + 1];
        let mut bands = vec![0.0; settings.bands];
        bank.pool(&flat, |bin| bin.norm_sqr(), &mut bands);
        assert!((bands.iter().sum::<f32>() - settings.fft_samples as f32).abs() < 0.1);
        assert!(bands.iter().all(|&band| band > 0.1), "no band is empty: {bands:?}");
    }

    #[test]
    fn a_sine_lands_in_the_band_around_it() {
        let settings = FeatureSettings::default();
        let bank = BandBank::new(&settings);
        let mut line = vec![Complex32::default(); settings.fft_samples / 2 + 1];
        line[settings.fft_samples / 32] = Complex32::new(1.0, 0.0); // 32 kHz / 32 = 1 kHz
        let mut bands = vec![0.0; settings.bands];
        bank.pool(&line, |bin| bin.norm_sqr(), &mut bands);
        let loudest = (0..settings.bands).max_by(|&a, &b| bands[a].total_cmp(&bands[b])).unwrap();
        assert!((bank.centres_hz()[loudest] - 1000.0).abs() < 40.0, "{}", bank.centres_hz()[loudest]);
    }
}
