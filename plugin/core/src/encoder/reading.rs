//! What the encoder measures in one window, as plain numbers: all that the language model knows of the sound.

use super::model::Metered;
use crate::error::Result;
use crate::nn::ops::sigmoid;
use crate::stem::{PerStem, Stem};
use serde::{Deserialize, Serialize};

/// A stem with a lower probability of presence counts as absent. Chosen, not tuned: the more probable of the two.
pub const PRESENCE_THRESHOLD: f32 = 0.5;

/// Smallest weight of a window's presence in the mean over windows, so that the mean of absent windows is defined.
const LEAST_PRESENCE_WEIGHT: f32 = 1e-3;
/// Smallest error in dB that weighs a window: no single window dominates the mean. Chosen, not tuned.
const LEAST_ERROR_DB: f32 = 0.3;
/// Share of the error that all windows of a song have in common, which more windows do not reduce; the rest falls with
/// the square root of their number. Chosen, not tuned.
const COMMON_ERROR_SHARE: f32 = 0.6;
/// Share of the error that each window makes by itself.
const OWN_ERROR_SHARE: f32 = 0.4;
/// A song has a stem if at least one of so many windows has it: a song with one sung verse has vocals. Chosen, not
/// tuned.
const PRESENT_IN_ONE_OF: usize = 4;
/// Bounds of the logarithm of the error that the encoder predicts: 0.14 dB to 20 dB.
const LOG_ERROR_RANGE: (f64, f64) = (-2.0, 3.0);

/// One stem of a window.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StemReading {
    /// Level against the rest of the mix in dB, unweighted RMS.
    pub level_db: f32,
    /// Expected absolute error of the level in dB.
    pub error_db: f32,
    /// Probability that the stem is present, 0 to 1.
    pub presence: f32,
    /// How it sounds: the encoder's summary. Empty for levels without sound.
    pub summary: Vec<f32>,
}

impl StemReading {
    /// Whether the stem counts as present.
    pub fn is_present(&self) -> bool {
        self.presence >= PRESENCE_THRESHOLD
    }
}

/// All stems of a window.
pub type Reading = PerStem<StemReading>;

/// The readings of a batch.
///
/// # Errors
/// As tensor operations.
pub fn readings(metered: &Metered) -> Result<Vec<Reading>> {
    let levels = metered.level_db.to_vec2::<f32>()?;
    let errors = metered.log_error.clamp(LOG_ERROR_RANGE.0, LOG_ERROR_RANGE.1)?.exp()?.to_vec2::<f32>()?;
    let presence = metered.presence_logit.to_vec2::<f32>()?;
    let summaries = metered.summary.to_vec3::<f32>()?;
    let one = |window: usize| {
        PerStem::from_fn(|stem: Stem| {
            let c = stem.index();
            StemReading {
                level_db: levels[window][c],
                error_db: errors[window][c],
                presence: sigmoid(presence[window][c]),
                summary: summaries[window][c].clone(),
            }
        })
    };
    debug_assert!(levels.iter().all(|row| row.len() == Stem::COUNT));
    Ok((0..levels.len()).map(one).collect())
}

/// Several windows of one song as one reading: levels weighted by presence and certainty.
///
/// The error shrinks only down to a floor: the meter makes part of its error in every window of a song. None without
/// windows.
pub fn pool_readings(windows: &[Reading]) -> Option<Reading> {
    if windows.is_empty() {
        return None;
    }
    Some(PerStem::from_fn(|stem| {
        let all = || windows.iter().map(move |window| &window[stem]);
        let weight =
            |r: &StemReading| r.presence.max(LEAST_PRESENCE_WEIGHT) / r.error_db.max(LEAST_ERROR_DB).powi(2);
        let total: f32 = all().map(weight).sum();
        let mean =
            |value: &dyn Fn(&StemReading) -> f32| all().map(|r| weight(r) * value(r)).sum::<f32>() / total;
        let width = all().map(|r| r.summary.len()).min().unwrap_or(0);
        let error_db = mean(&|r| r.error_db);
        let present = all().filter(|r| r.is_present()).count();
        StemReading {
            level_db: mean(&|r| r.level_db),
            error_db: error_db * (COMMON_ERROR_SHARE + OWN_ERROR_SHARE / (windows.len() as f32).sqrt()),
            presence: if PRESENT_IN_ONE_OF * present >= windows.len() {
                all().map(|r| r.presence).fold(0.0, f32::max)
            } else {
                mean(&|r| r.presence)
            },
            summary: (0..width).map(|i| mean(&|r| r.summary[i])).collect(),
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(level_db: f32, presence: f32) -> Reading {
        PerStem::from_fn(|_| StemReading { level_db, error_db: 1.0, presence, summary: vec![level_db] })
    }

    #[test]
    fn absent_windows_hardly_count() {
        let pooled = pool_readings(&[reading(-4.0, 1.0), reading(-40.0, 0.0), reading(-6.0, 1.0)]).unwrap();
        assert!((pooled.vocals.level_db + 5.0).abs() < 0.1, "{}", pooled.vocals.level_db);
        assert!(pooled.vocals.is_present());
        assert!(pool_readings(&[]).is_none());
    }
}
