//! A separator's shares in the bands and frames of the features, from sound that arrives piece by piece.
//!
//! The networks see several seconds at once and work at 44.1 kHz, on frames of their own. So sound is taken slab by slab:
//! each slab is separated together with what lies before and after it (the context), and the result for the slab alone
//! is kept. Nothing is computed twice but the context. A slab's shares are complete once the context after it has
//! arrived.
//!
//! Length and level of a pass were chosen on ten songs of the `calib` split (40 windows of 10 s). Error of the vocals' level
//! against the rest:
//!
//! | frames of a pass | context on each side | input at | frames for 10 s | median, 90th percentile |
//! | --- | --- | --- | --- | --- |
//! | 128 | 0.24 s | -14 dBFS | 512 | 0.90, 4.4 dB |
//! | 192 | 0.98 s | -14 dBFS | 768 | 1.48, 4.5 dB |
//! | 256 | 1.72 s | -14 dBFS | 1,024 | 1.79, 5.0 dB |
//! | 1,024 | 10.6 s | -14 dBFS | 4,096 | 1.89, 5.4 dB |
//! | 192 | 0.98 s | -30 dBFS | 768 | 7.31, 37.6 dB |
//! | 192 | 0.98 s | -20 dBFS | 768 | 4.06, 12.4 dB |
//! | **128** | **0.24 s** | **-8 dBFS** | **512** | **0.63, 2.3 dB** |
//! | 192 | 0.98 s | -8 dBFS | 768 | 0.63, 2.4 dB |
//! | 256 | 1.72 s | -8 dBFS | 1,024 | 0.65, 3.2 dB |
//! | 128 | 0.24 s | -4 dBFS | 512 | 0.60, 2.1 dB |
//!
//! So the level matters far more than the context, of which a quarter of a second on each side is enough: each pass is brought to the same level, which also makes the shares
//! independent of the mix's own. Measured by `cargo bench --workspace --bench separator_context -- SONG...`.

use super::bands::BandBank;
use super::settings::FeatureSettings;
use crate::audio::StreamResampler;
use crate::cancel::CancelFlag;
use crate::error::Result;
use crate::separator::spectrum::{FFT_SAMPLES, HOP_SAMPLES, bring_to_level, magnitude};
use crate::separator::{BINS, CHANNELS, SEPARATOR_RATE_HZ, Separator};
use crate::stft::Stft;
use std::sync::Arc;

/// How the networks get the sound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PassSettings {
    /// Frames per pass, a multiple of 64: the slab, and the context on both sides.
    pub frames: usize,
    /// Level that each pass is brought to (RMS of both channels), in dB of full scale.
    pub level_dbfs: f32,
}

impl PassSettings {
    /// What the shipped models were trained with: see the table above.
    pub const SHIPPED: Self = PassSettings { frames: 128, level_dbfs: -8.0 };
}

/// Least power of a cell whose share is worth stating: far below any sound.
const LEAST_POWER: f32 = 1e-12;

/// Shares of one slab, `[separated stems, frames, bands]`, each from 0 to 1.
pub type SlabShares = Vec<f32>;

/// Turns a stream of sound into shares, slab by slab.
pub struct ShareStream {
    separator: Arc<Separator>,
    resampler: StreamResampler,
    bank: BandBank,
    bands: usize,
    /// The first band above the network's highest bin: it and those above it get the share of the band below.
    first_band_above: usize,
    slab_frames: usize,
    /// Samples at 44.1 kHz from one frame of the features to the next.
    frame_samples: f64,
    pass: PassSettings,
    stft: Stft,
    left: Vec<f32>,
    right: Vec<f32>,
    /// Start of the next pass within `left` and `right`: negative in the silence before the first sample.
    next_start: isize,
    magnitudes: Vec<f32>,
    /// One network's shares of the magnitudes.
    shares: Vec<f32>,
}

impl ShareStream {
    /// A stream at its beginning, for sound at the rate of the features.
    ///
    /// # Errors
    /// When that rate cannot be resampled.
    pub fn new(separator: Arc<Separator>, settings: &FeatureSettings) -> Result<Self> {
        Self::with_pass(separator, settings, PassSettings::SHIPPED)
    }

    /// As [`ShareStream::new`], with other passes.
    ///
    /// # Errors
    /// As [`ShareStream::new`].
    pub fn with_pass(
        separator: Arc<Separator>,
        settings: &FeatureSettings,
        pass: PassSettings,
    ) -> Result<Self> {
        let at_separator_rate = FeatureSettings {
            sample_rate_hz: SEPARATOR_RATE_HZ,
            fft_samples: FFT_SAMPLES,
            ..settings.clone()
        };
        let bank = BandBank::new(&at_separator_rate);
        let values = CHANNELS * pass.frames * BINS;
        let mut stream = ShareStream {
            separator,
            resampler: StreamResampler::new(settings.sample_rate_hz, SEPARATOR_RATE_HZ)?,
            bands: settings.bands,
            first_band_above: bank.first_band_above(BINS),
            bank,
            slab_frames: settings.slab_frames(),
            frame_samples: settings.hop_samples as f64 * f64::from(SEPARATOR_RATE_HZ)
                / f64::from(settings.sample_rate_hz),
            pass,
            stft: Stft::unscaled(FFT_SAMPLES, HOP_SAMPLES),
            left: Vec::new(),
            right: Vec::new(),
            next_start: 0,
            magnitudes: vec![0.0; values],
            shares: vec![0.0; values],
        };
        stream.rewind();
        Ok(stream)
    }

    /// The separator in use.
    pub fn separator(&self) -> &Arc<Separator> {
        &self.separator
    }

    /// Takes the next samples and gives the shares of every slab whose context is complete.
    ///
    /// # Errors
    /// When resampling fails, or when cancelled.
    pub fn push(
        &mut self,
        left: &[f32],
        right: &[f32],
        cancel: &CancelFlag,
        mut visit: impl FnMut(SlabShares),
    ) -> Result<()> {
        self.resampler.push(left, right, &mut self.left, &mut self.right)?;
        while self.next_start + self.pass_samples() as isize <= self.left.len() as isize {
            visit(self.next_slab(cancel)?);
        }
        Ok(())
    }

    /// Gives `slabs` further slabs, with silence after the last sample, and restarts.
    ///
    /// # Errors
    /// As [`ShareStream::push`].
    pub fn finish(
        &mut self,
        slabs: usize,
        cancel: &CancelFlag,
        mut visit: impl FnMut(SlabShares),
    ) -> Result<()> {
        self.resampler.flush(&mut self.left, &mut self.right)?;
        for _ in 0..slabs {
            visit(self.next_slab(cancel)?);
        }
        self.restart();
        Ok(())
    }

    /// Discards all samples pushed so far.
    pub fn restart(&mut self) {
        let (mut left, mut right) = (Vec::new(), Vec::new());
        // A flush also resets the resampler; what it gives belongs to sound that is no longer wanted.
        let _ = self.resampler.flush(&mut left, &mut right);
        self.rewind();
    }

    fn rewind(&mut self) {
        self.left.clear();
        self.right.clear();
        self.next_start = -(self.context_samples() as isize);
    }

    /// Samples of a pass: its frames, and half a transform beyond the last one.
    fn pass_samples(&self) -> usize {
        (self.pass.frames - 1) * HOP_SAMPLES + FFT_SAMPLES / 2
    }

    fn slab_samples(&self) -> usize {
        (self.slab_frames as f64 * self.frame_samples).round() as usize
    }

    /// Samples before the slab that a pass begins with.
    fn context_samples(&self) -> usize {
        (self.pass.frames * HOP_SAMPLES).saturating_sub(self.slab_samples()) / 2
    }

    fn next_slab(&mut self, cancel: &CancelFlag) -> Result<SlabShares> {
        let plane = self.pass.frames * BINS;
        for (samples, magnitudes) in
            [&self.left, &self.right].into_iter().zip(self.magnitudes.chunks_exact_mut(plane))
        {
            let first = self.next_start - (FFT_SAMPLES / 2) as isize;
            self.stft.for_each_frame_from(samples, first, self.pass.frames, |frame, spectrum| {
                for (to, bin) in magnitudes[frame * BINS..][..BINS].iter_mut().zip(spectrum) {
                    *to = magnitude(bin);
                }
            });
        }
        bring_to_level(&mut self.magnitudes, self.pass.level_dbfs);
        let mut slab = Vec::with_capacity(self.separator.stems().count() * self.slab_frames * self.bands);
        for network in self.separator.networks() {
            cancel.check()?;
            self.separator.with_workspace(|work| {
                network.shares(&self.magnitudes, self.pass.frames, work, &mut self.shares);
            });
            self.pool_into(&mut slab);
        }
        self.next_start += self.slab_samples() as isize;
        let done = usize::try_from(self.next_start).unwrap_or(0).min(self.left.len());
        self.left.drain(..done);
        self.right.drain(..done);
        self.next_start -= done as isize;
        Ok(slab)
    }

    /// Appends the shares of the slab's frames in bands: of the power of both channels, the part that is the stem's.
    fn pool_into(&self, slab: &mut SlabShares) {
        let (bands, plane) = (self.bands, self.pass.frames * BINS);
        let mut stem = vec![0.0; self.pass.frames * bands];
        let mut mix = vec![0.0; self.pass.frames * bands];
        for frame in 0..self.pass.frames {
            let rows = frame * bands..(frame + 1) * bands;
            for channel in 0..CHANNELS {
                let cells = channel * plane + frame * BINS..channel * plane + (frame + 1) * BINS;
                let (magnitudes, shares) = (&self.magnitudes[cells.clone()], &self.shares[cells]);
                let power = magnitudes.iter().map(|m| m * m);
                self.bank.pool_values(power, &mut mix[rows.clone()]);
                let power = magnitudes.iter().zip(shares).map(|(m, s)| (m * s) * (m * s));
                self.bank.pool_values(power, &mut stem[rows.clone()]);
            }
        }
        let first = self.context_samples() as f64 / HOP_SAMPLES as f64;
        for frame in 0..self.slab_frames {
            // Centre of this frame, counted in frames of the network.
            let at = first + frame as f64 * self.frame_samples / HOP_SAMPLES as f64;
            let below = (at as usize).min(self.pass.frames - 2);
            let part = (at - below as f64) as f32;
            let value = |map: &[f32], band: usize| {
                (1.0 - part) * map[below * bands + band] + part * map[(below + 1) * bands + band]
            };
            let start = slab.len();
            for band in 0..bands {
                let share = if band < self.first_band_above {
                    let mix = value(&mix, band);
                    if mix > LEAST_POWER { (value(&stem, band) / mix).clamp(0.0, 1.0) } else { 0.0 }
                } else {
                    slab[start + self.first_band_above - 1]
                };
                slab.push(share);
            }
        }
    }
}
