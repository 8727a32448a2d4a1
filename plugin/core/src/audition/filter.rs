//! A filter whose gains change from frame to frame: transform, gains of the bins, and back, with overlapping frames.

use crate::cancel::CancelFlag;
use crate::error::Result;
use crate::stft::hann;
use realfft::num_complex::Complex32;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};
use std::sync::Arc;

/// Frames of a transform overlap so many times. Squared Hann windows then sum to a constant.
const OVERLAP: usize = 4;
/// The sum of squared Hann windows at this overlap.
const WINDOW_SUM: f32 = 1.5;
/// Transforms are a multiple of this long, so that they are fast at every sample rate.
const LENGTH_STEP: usize = 128;

/// The planned transforms with their buffers, so make one and reuse it. Gains of 1 give the signal back, from end to end.
pub(super) struct Filter {
    window: Vec<f32>,
    forward: Arc<dyn RealToComplex<f32>>,
    inverse: Arc<dyn ComplexToReal<f32>>,
    frame: Vec<f32>,
    spectrum: Vec<Complex32>,
    scratch: Vec<Complex32>,
    gains: Vec<f32>,
}

impl Filter {
    /// A filter with frames of about so many seconds.
    pub(super) fn new(seconds: f64, sample_rate_hz: u32) -> Self {
        let steps = (seconds * f64::from(sample_rate_hz) / LENGTH_STEP as f64).round().max(1.0);
        let length = steps as usize * LENGTH_STEP;
        let mut planner = RealFftPlanner::<f32>::new();
        let (forward, inverse) = (planner.plan_fft_forward(length), planner.plan_fft_inverse(length));
        let scratch = forward.get_scratch_len().max(inverse.get_scratch_len());
        Filter {
            window: hann(length).map(|weight| weight as f32).collect(),
            frame: forward.make_input_vec(),
            spectrum: forward.make_output_vec(),
            scratch: vec![Complex32::default(); scratch],
            gains: vec![0.0; length / 2 + 1],
            forward,
            inverse,
        }
    }

    /// Length of its frames in samples.
    pub(super) fn length(&self) -> usize {
        self.window.len()
    }

    /// The signal, filtered. `gains_at(centre, gains)` writes the gains of all bins in the frame that is centred at that
    /// sample; the first frames are centred before the first sample.
    pub(super) fn apply(
        &mut self,
        samples: &[f32],
        cancel: &CancelFlag,
        mut gains_at: impl FnMut(isize, &mut [f32]),
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
            gains_at(start + (length / 2) as isize, &mut self.gains);
            let fits = "buffers were made by the plan itself";
            self.forward
                .process_with_scratch(&mut self.frame, &mut self.spectrum, &mut self.scratch)
                .expect(fits);
            for (bin, gain) in self.spectrum.iter_mut().zip(&self.gains) {
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
}
