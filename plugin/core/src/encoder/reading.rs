//! What the encoder read off one window, as plain numbers: all that the language model gets to know of the sound.

use super::Metered;
use crate::error::Result;
use crate::nn::ops::sigmoid;
use crate::stem::{PerStem, Stem};
use serde::{Deserialize, Serialize};

/// A stem with less than this chance of being there is taken as absent.
pub const PRESENCE_THRESHOLD: f32 = 0.5;

/// One stem of a window.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StemReading {
    /// Level against the rest of the mix in dB, unweighted RMS.
    pub level_db: f32,
    /// Expected absolute error of the level in dB.
    pub error_db: f32,
    /// Chance that the stem is there, 0 to 1.
    pub presence: f32,
    /// What it sounds like: the encoder's summary. Empty where levels came without sound.
    pub summary: Vec<f32>,
}

impl StemReading {
    /// Whether the stem is taken to be there.
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
    let errors = metered.log_error.clamp(-2f64, 3f64)?.exp()?.to_vec2::<f32>()?;
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
/// The error shrinks only down to a floor: what the meter hears wrong in one window it hears wrong in the next.
pub fn pool_readings(windows: &[Reading]) -> Option<Reading> {
    if windows.is_empty() {
        return None;
    }
    Some(PerStem::from_fn(|stem| {
        let all = || windows.iter().map(move |window| &window[stem]);
        let weight = |r: &StemReading| r.presence.max(1e-3) / r.error_db.max(0.3).powi(2);
        let total: f32 = all().map(weight).sum();
        let mean =
            |value: &dyn Fn(&StemReading) -> f32| all().map(|r| weight(r) * value(r)).sum::<f32>() / total;
        let width = all().map(|r| r.summary.len()).min().unwrap_or(0);
        let error_db = mean(&|r| r.error_db);
        let present = all().filter(|r| r.is_present()).count();
        StemReading {
            level_db: mean(&|r| r.level_db),
            error_db: error_db * (0.6 + 0.4 / (windows.len() as f32).sqrt()),
            // There if it is there in a quarter of the windows: a song with one verse sung is a song with vocals.
            presence: if 4 * present >= windows.len() {
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
