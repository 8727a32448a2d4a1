//! Loudness and peaks after ITU-R BS.1770, EBU R 128, EBU Tech 3341 (meters) and EBU Tech 3342 (loudness range).
//!
//! [`integrated_lufs`] measures a whole sound, [`Meter`] a sound that is still coming, and [`Limiter`] tells whether a
//! sound has gone through a limiter. The measurements are those of the library `ebur128`; nothing here measures loudness
//! in another way.

mod limiter;
mod meter;

pub use limiter::Limiter;
pub use meter::{LEAST_RANGE_S, Meter, Meters};

use crate::audio::StereoPcm;
use crate::error::{Error, Result};
use ebur128::{EbuR128, Mode};

/// Integrated loudness in LUFS; none where nothing is above the gate of -70 LUFS.
///
/// # Errors
/// When the sample rate cannot be measured.
pub fn integrated_lufs(sound: &StereoPcm) -> Result<Option<f64>> {
    let mut meter = EbuR128::new(2, sound.sample_rate_hz, Mode::I).map_err(fail)?;
    meter.add_frames_planar_f32(&[&sound.left, &sound.right]).map_err(fail)?;
    let lufs = meter.loudness_global().map_err(fail)?;
    Ok(lufs.is_finite().then_some(lufs))
}

fn fail(error: ebur128::Error) -> Error {
    Error::Samples(format!("its loudness cannot be measured: {error}"))
}
