//! Whole files in memory.

use super::decode::FileStream;
use super::model_rate::ModelRateStream;
use super::pcm::StereoPcm;
use crate::cancel::CancelFlag;
use crate::error::Result;
use std::path::Path;

/// A whole file as stereo at its own rate, see [`FileStream`].
///
/// # Errors
/// As [`FileStream::open`] and [`FileStream::next_chunk`], and [`crate::Error::Cancelled`] within one packet of the flag
/// being raised. NaN and infinity are no error here: see [`StereoPcm::check_finite`].
pub fn decode_file(path: &Path, cancel: &CancelFlag) -> Result<StereoPcm> {
    cancel.check()?;
    let mut stream = FileStream::open(path)?;
    let mut pcm = StereoPcm { sample_rate_hz: stream.sample_rate_hz(), ..StereoPcm::default() };
    loop {
        cancel.check()?;
        if !stream.next_chunk(&mut pcm.left, &mut pcm.right)? {
            return Ok(pcm);
        }
    }
}

/// A whole file at `sample_rate_hz`, decoded and resampled piece by piece.
///
/// # Errors
/// As [`ModelRateStream`], and [`crate::Error::Cancelled`] within one packet of the flag being raised.
pub fn decode_at_rate(path: &Path, sample_rate_hz: u32, cancel: &CancelFlag) -> Result<StereoPcm> {
    decode_track_at_rate(path, None, sample_rate_hz, cancel)
}

/// As [`decode_at_rate`], of one sound track of a file that holds several, see [`FileStream::open_track`].
///
/// # Errors
/// As [`decode_at_rate`], and when there is no such track.
pub fn decode_track_at_rate(
    path: &Path,
    track: Option<usize>,
    sample_rate_hz: u32,
    cancel: &CancelFlag,
) -> Result<StereoPcm> {
    let mut stream = ModelRateStream::of_file(FileStream::open_track(path, track)?, sample_rate_hz)?;
    let mut pcm = StereoPcm { sample_rate_hz, ..StereoPcm::default() };
    loop {
        cancel.check()?;
        if !stream.next_chunk(&mut pcm.left, &mut pcm.right)? {
            return Ok(pcm);
        }
    }
}
