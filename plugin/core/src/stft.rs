//! Short-time Fourier transform with centred Hann frames.

use realfft::num_complex::Complex32;
use realfft::{RealFftPlanner, RealToComplex};
use std::sync::Arc;

/// A planned transform with its buffers.
pub struct Stft {
    hop_samples: usize,
    window: Vec<f32>,
    fft: Arc<dyn RealToComplex<f32>>,
    frame: Vec<f32>,
    spectrum: Vec<Complex32>,
    scratch: Vec<Complex32>,
}

impl Stft {
    /// Plans a transform of `fft_samples` every `hop_samples`.
    ///
    /// The periodic Hann window is scaled so that a frame's power sums (over the full spectrum) to the power of one
    /// hop of samples: sums over frames are sums over samples.
    pub fn new(fft_samples: usize, hop_samples: usize) -> Self {
        let energy: f64 = hann(fft_samples).map(|w| w * w).sum();
        Self::with_scale(
            fft_samples,
            hop_samples,
            (hop_samples as f64 / (energy * fft_samples as f64)).sqrt(),
        )
    }

    /// As [`Stft::new`], with the plain periodic Hann window: what networks of others were trained on.
    pub fn unscaled(fft_samples: usize, hop_samples: usize) -> Self {
        Self::with_scale(fft_samples, hop_samples, 1.0)
    }

    fn with_scale(fft_samples: usize, hop_samples: usize, scale: f64) -> Self {
        let fft = RealFftPlanner::<f32>::new().plan_fft_forward(fft_samples);
        Stft {
            hop_samples,
            window: hann(fft_samples).map(|w| (w * scale) as f32).collect(),
            frame: fft.make_input_vec(),
            spectrum: fft.make_output_vec(),
            scratch: fft.make_scratch_vec(),
            fft,
        }
    }

    /// Bins of the one-sided spectrum.
    pub fn bins(&self) -> usize {
        self.spectrum.len()
    }

    /// Calls `visit(frame, spectrum)` for `frames` frames centred at multiples of the hop; outside `samples` is silence.
    pub fn for_each_frame(&mut self, samples: &[f32], frames: usize, visit: impl FnMut(usize, &[Complex32])) {
        let half = (self.window.len() / 2) as isize;
        self.for_each_frame_from(samples, -half, frames, visit);
    }

    /// As [`Stft::for_each_frame`], the first frame beginning at `first_start`, which may lie before `samples`.
    pub fn for_each_frame_from(
        &mut self,
        samples: &[f32],
        first_start: isize,
        frames: usize,
        mut visit: impl FnMut(usize, &[Complex32]),
    ) {
        for index in 0..frames {
            let start = first_start + (index * self.hop_samples) as isize;
            // The part of the frame that lies within the samples.
            let within = |at: isize| at.clamp(0, samples.len() as isize) as usize;
            let inside = within(start)..within(start + self.frame.len() as isize);
            let before = usize::try_from(-start).unwrap_or(0).min(self.frame.len());
            self.frame.fill(0.0);
            if let Some(frame) = self.frame.get_mut(before..before + inside.len()) {
                let weights = &self.window[before..];
                for ((slot, sample), weight) in frame.iter_mut().zip(&samples[inside]).zip(weights) {
                    *slot = sample * weight;
                }
            }
            self.fft
                .process_with_scratch(&mut self.frame, &mut self.spectrum, &mut self.scratch)
                .expect("buffers were made by the plan itself");
            visit(index, &self.spectrum);
        }
    }
}
/// The periodic Hann window.
pub(crate) fn hann(samples: usize) -> impl Iterator<Item = f64> {
    (0..samples).map(move |n| 0.5 - 0.5 * (std::f64::consts::TAU * n as f64 / samples as f64).cos())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_outside_are_silence() {
        let samples: Vec<f32> = (1..=10).map(|n| n as f32).collect();
        let mut stft = Stft::unscaled(8, 3);
        let weights: Vec<f32> = hann(8).map(|w| w as f32).collect();
        for start in -20..20 {
            stft.for_each_frame_from(&samples, start, 2, |frame, spectrum| {
                let at = |offset: usize| start + (3 * frame + offset) as isize;
                let sample =
                    |offset| usize::try_from(at(offset)).ok().and_then(|at| samples.get(at)).copied();
                let sum: f32 = (0..8).map(|offset| sample(offset).unwrap_or(0.0) * weights[offset]).sum();
                assert!((spectrum[0].re - sum).abs() < 1e-4, "{start}: {} and {sum}", spectrum[0].re);
            });
        }
    }
}
