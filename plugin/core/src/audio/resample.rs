//! Changes the sample rate without moving the sound: output frame 0 is at the time of input frame 0.
//!
//! rubato's FFT resampler has a linear-phase filter whose delay is half its block; that many output frames are
//! dropped at the start, and as much silence is pushed at the end. Blocks are at least [`MIN_BLOCK_FRAMES`] on both
//! sides, so the pass band reaches about 97 % of the lower Nyquist frequency.

use super::pcm::StereoPcm;
use crate::error::{Error, Result};
use rubato::audioadapter_buffers::direct::SequentialSliceOfVecs;
use rubato::{Fft, FixedSync, Resampler};

/// Both sides of a filter block have at least this many frames.
const MIN_BLOCK_FRAMES: usize = 1024;
/// Rates that can be resampled. Unusual rates need blocks as long as the rate itself.
const RATES_HZ: std::ops::RangeInclusive<u32> = 1_000..=1_536_000;

/// A resampler that takes its input piece by piece.
///
/// If both rates are equal, samples pass through bit for bit. NaN and infinity would spread over a whole block: see
/// [`StereoPcm::check_finite`].
pub struct StreamResampler {
    rate_in_hz: u32,
    rate_out_hz: u32,
    filter: Option<Filter>,
    frames_in: u64,
    frames_out: u64,
}

struct Filter {
    fft: Fft<f32>,
    /// One block, both channels.
    input: Vec<Vec<f32>>,
    output: Vec<Vec<f32>>,
    /// Frames in `input` so far.
    filled: usize,
    /// Output frames that remain to be dropped: the filter's delay.
    skip: usize,
}

impl StreamResampler {
    /// From `rate_in_hz` to `rate_out_hz`.
    ///
    /// # Errors
    /// [`Error::Samples`] if either rate is outside 1 kHz to 1,536 kHz.
    pub fn new(rate_in_hz: u32, rate_out_hz: u32) -> Result<Self> {
        for rate_hz in [rate_in_hz, rate_out_hz] {
            if !RATES_HZ.contains(&rate_hz) {
                return Err(Error::Samples(format!("a sample rate of {rate_hz} Hz is out of range")));
            }
        }
        let filter =
            if rate_in_hz == rate_out_hz { None } else { Some(Filter::new(rate_in_hz, rate_out_hz)?) };
        Ok(Self { rate_in_hz, rate_out_hz, filter, frames_in: 0, frames_out: 0 })
    }

    /// Takes the next frames, and appends the finished output to `out_left` and `out_right`.
    ///
    /// # Errors
    /// [`Error::Samples`] if the channels differ in length.
    pub fn push(
        &mut self,
        left: &[f32],
        right: &[f32],
        out_left: &mut Vec<f32>,
        out_right: &mut Vec<f32>,
    ) -> Result<()> {
        if left.len() != right.len() {
            let (l, r) = (left.len(), right.len());
            return Err(Error::Samples(format!("the left channel has {l} samples and the right one {r}")));
        }
        self.frames_in += left.len() as u64;
        let Some(filter) = &mut self.filter else {
            out_left.extend_from_slice(left);
            out_right.extend_from_slice(right);
            self.frames_out = self.frames_in;
            return Ok(());
        };
        let mut done = 0;
        while done < left.len() {
            done += filter.fill(&left[done..], &right[done..]);
            if filter.is_full() {
                self.frames_out += filter.run(u64::MAX, out_left, out_right)?;
            }
        }
        Ok(())
    }

    /// Appends the rest, so that the whole output has round(frames in × rate out ÷ rate in) frames, and restarts.
    ///
    /// # Errors
    /// [`Error::Samples`] if the resampler fails, which does not happen after a successful [`Self::push`].
    pub fn flush(&mut self, out_left: &mut Vec<f32>, out_right: &mut Vec<f32>) -> Result<()> {
        let target = resampled_len(self.frames_in, self.rate_in_hz, self.rate_out_hz);
        if let Some(filter) = &mut self.filter {
            while self.frames_out < target {
                filter.fill_with_silence();
                self.frames_out += filter.run(target - self.frames_out, out_left, out_right)?;
            }
            filter.restart();
        }
        self.frames_in = 0;
        self.frames_out = 0;
        Ok(())
    }
}

impl Filter {
    fn new(rate_in_hz: u32, rate_out_hz: u32) -> Result<Self> {
        let divisor = gcd(rate_in_hz, rate_out_hz);
        let (unit_in, unit_out) = ((rate_in_hz / divisor) as usize, (rate_out_hz / divisor) as usize);
        // An even number of units, so that the delay is a whole number of frames on both sides.
        let units = MIN_BLOCK_FRAMES.div_ceil(unit_in.min(unit_out)).next_multiple_of(2);
        let fft = Fft::new(rate_in_hz as usize, rate_out_hz as usize, units * unit_in, 2, FixedSync::Both)
            .map_err(|cause| Error::Samples(format!("no resampler for {rate_in_hz} Hz: {cause}")))?;
        let (block_in, block_out) = (fft.input_frames_max(), fft.output_frames_max());
        Ok(Self {
            input: vec![vec![0.0; block_in]; 2],
            output: vec![vec![0.0; block_out]; 2],
            filled: 0,
            skip: fft.output_delay(),
            fft,
        })
    }

    fn is_full(&self) -> bool {
        self.filled == self.input[0].len()
    }

    /// Takes as many frames as fit into the block, and returns their number.
    fn fill(&mut self, left: &[f32], right: &[f32]) -> usize {
        let count = left.len().min(self.input[0].len() - self.filled);
        for (channel, source) in self.input.iter_mut().zip([left, right]) {
            channel[self.filled..self.filled + count].copy_from_slice(&source[..count]);
        }
        self.filled += count;
        count
    }

    fn fill_with_silence(&mut self) {
        for channel in &mut self.input {
            channel[self.filled..].fill(0.0);
        }
        self.filled = self.input[0].len();
    }

    /// Resamples the block, appends at most `limit` frames, and returns how many.
    fn run(&mut self, limit: u64, out_left: &mut Vec<f32>, out_right: &mut Vec<f32>) -> Result<u64> {
        let failed = |cause: &dyn std::fmt::Display| Error::Samples(format!("resampling failed: {cause}"));
        let frames_in = self.input[0].len();
        let frames_out = self.output[0].len();
        let input = SequentialSliceOfVecs::new(&self.input, 2, frames_in).map_err(|cause| failed(&cause))?;
        let mut output = SequentialSliceOfVecs::new_mut(&mut self.output, 2, frames_out)
            .map_err(|cause| failed(&cause))?;
        let (_, made) =
            self.fft.process_into_buffer(&input, &mut output, None).map_err(|cause| failed(&cause))?;
        self.filled = 0;
        let start = self.skip.min(made);
        self.skip -= start;
        let count = usize::try_from(limit).unwrap_or(usize::MAX).min(made - start);
        out_left.extend_from_slice(&self.output[0][start..start + count]);
        out_right.extend_from_slice(&self.output[1][start..start + count]);
        Ok(count as u64)
    }

    fn restart(&mut self) {
        self.fft.reset();
        self.filled = 0;
        self.skip = self.fft.output_delay();
    }
}

/// A whole sound at another rate: round(frames × `rate_hz` ÷ its rate) frames, aligned at frame 0. At its own rate it
/// is returned bit for bit.
///
/// # Errors
/// [`Error::Samples`] if a rate is out of range or a sample is NaN or infinite.
pub fn resample(pcm: &StereoPcm, rate_hz: u32) -> Result<StereoPcm> {
    pcm.check_finite()?;
    let mut resampler = StreamResampler::new(pcm.sample_rate_hz, rate_hz)?;
    let frames = resampled_len(pcm.len() as u64, pcm.sample_rate_hz, rate_hz) as usize;
    let (mut left, mut right) = (Vec::with_capacity(frames), Vec::with_capacity(frames));
    resampler.push(&pcm.left, &pcm.right, &mut left, &mut right)?;
    resampler.flush(&mut left, &mut right)?;
    Ok(StereoPcm { left, right, sample_rate_hz: rate_hz })
}

/// round(frames × out ÷ in)
fn resampled_len(frames: u64, rate_in_hz: u32, rate_out_hz: u32) -> u64 {
    let (frames, rate_in, rate_out) = (u128::from(frames), u128::from(rate_in_hz), u128::from(rate_out_hz));
    ((frames * rate_out + rate_in / 2) / rate_in) as u64
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}
