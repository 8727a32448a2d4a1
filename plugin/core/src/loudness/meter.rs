//! The meters of a master bus, on sound that comes piece by piece.

use super::{Limiter, fail};
use crate::error::Result;
use ebur128::{EbuR128, Mode};

/// The loudness range needs so many seconds of sound. Chosen: EBU R 128 s1 does not use it on short forms, because a short
/// stretch has no range to speak of.
pub const LEAST_RANGE_S: f64 = 30.0;
/// The short-term loudness is that of so many seconds (EBU Tech 3341).
const SHORT_TERM_S: f64 = 3.0;
/// Sound is passed on in pieces of at most this length, in seconds: the limiter looks at the level of each.
const PIECE_S: f64 = 0.1;

/// What the meters show.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Meters {
    /// Seconds of sound that were measured.
    pub seconds: f64,
    /// Integrated loudness in LUFS; none while nothing is above the gate of -70 LUFS.
    pub integrated_lufs: Option<f64>,
    /// Loudness of the last three seconds in LUFS; none before three seconds, and in silence.
    pub short_term_lufs: Option<f64>,
    /// Loudness range in LU; none before [`LEAST_RANGE_S`].
    pub range_lu: Option<f64>,
    /// Highest true peak in dBTP; none in silence.
    pub true_peak_dbtp: Option<f64>,
    /// Whether the sound seems to have gone through a limiter.
    pub is_limited: bool,
}

/// Measures stereo sound. The memory it takes does not grow with the length of the sound: loudness is kept as histograms
/// with steps of 0.1 LU, which keeps within the tolerance of EBU Tech 3341, ±0.1 LU. It is 2.3 MB at 48 kHz, most of it the
/// last three seconds of sound.
pub struct Meter {
    meter: EbuR128,
    limiter: Limiter,
    rate_hz: u32,
    frames: u64,
}

impl Meter {
    /// A meter for sound at a rate.
    ///
    /// # Errors
    /// When the rate cannot be measured.
    pub fn new(rate_hz: u32) -> Result<Self> {
        let mode = Mode::I | Mode::S | Mode::LRA | Mode::TRUE_PEAK | Mode::HISTOGRAM;
        let meter = EbuR128::new(2, rate_hz, mode).map_err(fail)?;
        Ok(Meter { meter, limiter: Limiter::default(), rate_hz, frames: 0 })
    }

    /// The rate of its sound in Hz.
    pub fn rate_hz(&self) -> u32 {
        self.rate_hz
    }

    /// Forgets all sound.
    pub fn start_over(&mut self) {
        self.meter.reset();
        self.limiter = Limiter::default();
        self.frames = 0;
    }

    /// Adds sound. Both channels must have the same length. Samples that are not finite count as silence.
    ///
    /// # Errors
    /// When the sound cannot be measured.
    pub fn add(&mut self, left: &[f32], right: &[f32]) -> Result<()> {
        let piece = ((f64::from(self.rate_hz) * PIECE_S) as usize).max(1);
        let mut clean = [Vec::new(), Vec::new()];
        for (left, right) in left.chunks(piece).zip(right.chunks(piece)) {
            let is_finite = left.iter().chain(right).all(|sample| sample.is_finite());
            let (left, right) = if is_finite {
                (left, right)
            } else {
                for (clean, channel) in clean.iter_mut().zip([left, right]) {
                    clean.clear();
                    clean.extend(channel.iter().map(|x| if x.is_finite() { *x } else { 0.0 }));
                }
                (clean[0].as_slice(), clean[1].as_slice())
            };
            self.meter.add_frames_planar_f32(&[left, right]).map_err(fail)?;
            self.limiter.add(left, right, piece);
            self.frames += left.len() as u64;
        }
        Ok(())
    }

    /// What was measured so far.
    pub fn read(&self) -> Meters {
        let seconds = self.frames as f64 / f64::from(self.rate_hz.max(1));
        let finite =
            |lufs: std::result::Result<f64, ebur128::Error>| lufs.ok().filter(|lufs| lufs.is_finite());
        let peak = (0..2).filter_map(|channel| self.meter.true_peak(channel).ok()).fold(0.0, f64::max);
        Meters {
            seconds,
            integrated_lufs: finite(self.meter.loudness_global()),
            short_term_lufs: finite(self.meter.loudness_shortterm()).filter(|_| seconds >= SHORT_TERM_S),
            range_lu: finite(self.meter.loudness_range()).filter(|_| seconds >= LEAST_RANGE_S),
            true_peak_dbtp: (peak > 0.0).then(|| 20.0 * peak.log10()),
            is_limited: self.limiter.is_limited(),
        }
    }
}
