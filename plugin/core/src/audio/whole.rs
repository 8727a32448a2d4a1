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

/// A part of a file as stereo at its own rate: from `start_s` to `end_s` seconds, or to its end. The file is decoded up to
/// there: seeking in damaged files is not exact.
///
/// # Errors
/// As [`decode_file`].
pub fn decode_part(path: &Path, start_s: f64, end_s: f64, cancel: &CancelFlag) -> Result<StereoPcm> {
    cancel.check()?;
    let mut stream = FileStream::open(path)?;
    let sample_rate_hz = stream.sample_rate_hz();
    let at = |seconds: f64| (seconds.max(0.0) * f64::from(sample_rate_hz)).round() as usize;
    let (first, last) = (at(start_s), at(end_s));
    let mut part = StereoPcm { sample_rate_hz, ..StereoPcm::default() };
    // Frames that were decoded before those in `part`.
    let mut before = 0;
    loop {
        cancel.check()?;
        let goes_on = stream.next_chunk(&mut part.left, &mut part.right)?;
        let dropped = part.len().min(first - before);
        part.left.drain(..dropped);
        part.right.drain(..dropped);
        before += dropped;
        if !goes_on || before + part.len() >= last {
            let wanted = last.saturating_sub(before);
            part.left.truncate(wanted);
            part.right.truncate(wanted);
            return Ok(part);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_cut_from_the_whole_to_the_frame() {
        let song = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/demo/drums.ogg");
        let cancel = CancelFlag::new();
        let whole = decode_file(&song, &cancel).unwrap();
        let rate = f64::from(whole.sample_rate_hz);
        for (first, last) in [(0, 4410), (1000, 70_001), (whole.len() - 500, whole.len() + 10_000)] {
            let part = decode_part(&song, first as f64 / rate, last as f64 / rate, &cancel).unwrap();
            let last = last.min(whole.len());
            assert_eq!(
                (&part.left, &part.right),
                (&whole.left[first..last].to_vec(), &whole.right[first..last].to_vec())
            );
        }
    }
}
