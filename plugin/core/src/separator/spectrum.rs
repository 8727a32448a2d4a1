//! The network's input: magnitudes of both channels at 44.1 kHz.

use super::unet::{BINS, FRAME_MULTIPLE};
use super::weights::CHANNELS;
use crate::audio::{StereoPcm, resample};
use crate::error::Result;
use crate::stft::Stft;
use realfft::num_complex::Complex32;

/// Rate that the networks were trained at.
pub const SEPARATOR_RATE_HZ: u32 = 44_100;
/// Length of a frame in samples.
pub const FFT_SAMPLES: usize = 4096;
/// Samples from one frame to the next.
pub const HOP_SAMPLES: usize = 1024;

/// A pass that is quieter than this (power per sample, -100 dB) is not amplified any further.
const QUIETEST_PASS: f32 = 1e-10;

/// Magnitudes of a stretch of sound, `[2, padded frames, 1024]`: Hann windows, not scaled, centred on multiples of the hop.
pub struct Magnitudes {
    frames: usize,
    padded: usize,
    values: Vec<f32>,
}

impl Magnitudes {
    /// Magnitudes of a stretch of sound at any rate. Before and after it is silence.
    ///
    /// # Errors
    /// When the sound cannot be brought to [`SEPARATOR_RATE_HZ`].
    pub fn new(pcm: &StereoPcm) -> Result<Self> {
        let resampled;
        let pcm = if pcm.sample_rate_hz == SEPARATOR_RATE_HZ {
            pcm
        } else {
            resampled = resample(pcm, SEPARATOR_RATE_HZ)?;
            &resampled
        };
        let frames = pcm.len() / HOP_SAMPLES + 1;
        let padded = frames.next_multiple_of(FRAME_MULTIPLE);
        let mut values = vec![0.0; CHANNELS * padded * BINS];
        let mut stft = Stft::unscaled(FFT_SAMPLES, HOP_SAMPLES);
        for (samples, plane) in
            [&pcm.left, &pcm.right].into_iter().zip(values.chunks_exact_mut(padded * BINS))
        {
            stft.for_each_frame(samples, frames, |frame, spectrum| {
                for (to, bin) in plane[frame * BINS..][..BINS].iter_mut().zip(spectrum) {
                    *to = magnitude(bin);
                }
            });
        }
        Ok(Magnitudes { frames, padded, values })
    }

    /// Frames that hold sound.
    pub fn frames(&self) -> usize {
        self.frames
    }

    /// Frames with those that fill up the last [`FRAME_MULTIPLE`], which are silent.
    pub fn padded_frames(&self) -> usize {
        self.padded
    }

    /// The magnitudes.
    pub fn values(&self) -> &[f32] {
        &self.values
    }
}

/// Magnitude of a bin. `Complex32::norm` also serves magnitudes above 10^19, which sound never has, by a slow function.
pub fn magnitude(bin: &Complex32) -> f32 {
    bin.norm_sqr().sqrt()
}

/// Brings the magnitudes of a pass, `[2, frames, 1024]`, to a level (RMS of both channels) in dB of full scale.
///
/// The networks are not indifferent to it: turned down by 15 dB, a song's vocals read up to 9 dB lower.
pub fn bring_to_level(magnitudes: &mut [f32], level_dbfs: f32) {
    let power: f32 = magnitudes.iter().map(|m| m * m).sum();
    // A frame's one-sided power is that of its samples, weighted with a Hann window, times half the transform.
    let samples = (magnitudes.len() / BINS) as f32;
    let scale = 0.375 * (FFT_SAMPLES * FFT_SAMPLES) as f32 / 2.0;
    let mean = (power / (samples * scale)).max(QUIETEST_PASS);
    let gain = (10f32.powf(level_dbfs / 10.0) / mean).sqrt();
    magnitudes.iter_mut().for_each(|m| *m *= gain);
}
