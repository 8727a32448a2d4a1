//! A file at the model's rate, piece by piece, with finite samples only.

use super::decode::FileStream;
use super::pcm::NonFinite;
use super::resample::StreamResampler;
use crate::error::{Error, Result};
use std::path::Path;

/// Decodes and resamples a file in pieces of a few tens of milliseconds, in memory that does not grow with the song.
///
/// Samples that are NaN or infinite are replaced by silence, so that they cannot spread, and are an error at the end.
pub struct ModelRateStream {
    file: FileStream,
    resampler: StreamResampler,
    sample_rate_hz: u32,
    left: Vec<f32>,
    right: Vec<f32>,
    non_finite: NonFinite,
    has_ended: bool,
}

impl ModelRateStream {
    /// Opens a file for output at `sample_rate_hz`, usually [`super::MODEL_RATE_HZ`].
    ///
    /// # Errors
    /// As [`FileStream::open`], and [`Error::Samples`] if `sample_rate_hz` is out of range.
    pub fn open(path: &Path, sample_rate_hz: u32) -> Result<Self> {
        Self::of_file(FileStream::open(path)?, sample_rate_hz)
    }

    /// The rest of an opened file, for output at `sample_rate_hz`.
    ///
    /// # Errors
    /// [`Error::Samples`] if `sample_rate_hz` is out of range.
    pub fn of_file(file: FileStream, sample_rate_hz: u32) -> Result<Self> {
        let resampler = StreamResampler::new(file.sample_rate_hz(), sample_rate_hz)?;
        Ok(Self {
            file,
            resampler,
            sample_rate_hz,
            left: Vec::new(),
            right: Vec::new(),
            non_finite: NonFinite::default(),
            has_ended: false,
        })
    }

    /// Sample rate of the output in Hz.
    pub fn sample_rate_hz(&self) -> u32 {
        self.sample_rate_hz
    }

    /// Length of the sound in seconds, if the file states it.
    pub fn duration_s(&self) -> Option<f64> {
        self.file.duration_s()
    }

    /// As [`FileStream::warnings`].
    pub fn warnings(&self) -> Vec<String> {
        self.file.warnings()
    }

    /// Frames of the file decoded so far that held NaN or infinity, at the file's own rate.
    pub fn non_finite(&self) -> NonFinite {
        self.non_finite
    }

    /// Appends the next piece to `left` and `right`, which may be empty; false after the last.
    ///
    /// # Errors
    /// As [`FileStream::next_chunk`]; and after the last piece [`Error::Audio`] if any sample was NaN or infinite,
    /// with their share and the position of the first.
    pub fn next_chunk(&mut self, left: &mut Vec<f32>, right: &mut Vec<f32>) -> Result<bool> {
        if self.has_ended {
            return Ok(false);
        }
        self.left.clear();
        self.right.clear();
        if self.file.next_chunk(&mut self.left, &mut self.right)? {
            let bad_before = self.non_finite.bad_frames;
            self.non_finite.count(&self.left, &self.right);
            if self.non_finite.bad_frames > bad_before {
                for sample in self.left.iter_mut().chain(&mut self.right) {
                    if !sample.is_finite() {
                        *sample = 0.0;
                    }
                }
            }
            self.resampler.push(&self.left, &self.right, left, right)?;
            return Ok(true);
        }
        self.has_ended = true;
        if let Some(reason) = self.non_finite.describe(self.file.sample_rate_hz()) {
            return Err(Error::audio(self.file.path(), reason));
        }
        self.resampler.flush(left, right)?;
        Ok(true)
    }
}
