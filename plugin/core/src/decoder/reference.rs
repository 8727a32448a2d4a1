//! The balance to aim at.

use crate::encoder::Reading;
use crate::stem::PerStem;
use serde::{Deserialize, Serialize};

/// Fewest windows in which a stem must be present for a spread.
const FEWEST_FOR_SPREAD: usize = 2;

/// The balance to aim at: each stem's level against the rest in dB (unweighted RMS), how much it varies from window to
/// window, and how many windows that is known from. Songs differ in how much they vary: without the spread, nobody can tell
/// whether a window is unusual for its song.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ReferenceBalance {
    /// Mean level of each stem; none for an absent stem.
    pub level_db: PerStem<Option<f32>>,
    /// Standard deviation of the level from window to window; none where fewer than two windows have the stem.
    #[serde(default)]
    pub spread_db: PerStem<Option<f32>>,
    /// Windows that were measured; 0 where that is not known.
    #[serde(default)]
    pub windows: usize,
}

impl ReferenceBalance {
    /// Levels of which nothing more is known.
    pub fn of_levels(level_db: PerStem<Option<f32>>) -> Self {
        ReferenceBalance { level_db, ..Self::default() }
    }

    /// The balance of several windows, each stem over the windows in which it is present.
    pub fn of_windows<'a>(readings: impl Iterator<Item = &'a Reading> + Clone) -> Self {
        let measured = PerStem::from_fn(|stem| {
            let present = readings.clone().map(|reading| &reading[stem]).filter(|stem| stem.is_present());
            let levels: Vec<f64> = present.map(|stem| f64::from(stem.level_db)).collect();
            mean_and_spread(&levels)
        });
        ReferenceBalance {
            level_db: PerStem::from_fn(|stem| measured[stem].map(|(mean, _)| mean as f32)),
            spread_db: PerStem::from_fn(|stem| {
                measured[stem].and_then(|(_, spread)| spread).map(|s| s as f32)
            }),
            windows: readings.count(),
        }
    }
}

/// Mean and, of two values or more, standard deviation; none without values.
fn mean_and_spread(values: &[f64]) -> Option<(f64, Option<f64>)> {
    if values.is_empty() {
        return None;
    }
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
    let spread = (values.len() >= FEWEST_FOR_SPREAD).then(|| (squares / (count - 1.0)).sqrt());
    Some((mean, spread))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoder::StemReading;

    #[test]
    fn a_reference_knows_mean_spread_and_count() {
        let window = |level_db: f32, presence: f32| {
            PerStem::from_fn(|_| StemReading { level_db, presence, ..StemReading::default() })
        };
        let windows = [window(-4.0, 1.0), window(-8.0, 1.0), window(-40.0, 0.0)];
        let reference = ReferenceBalance::of_windows(windows.iter());
        assert_eq!((reference.level_db.vocals, reference.windows), (Some(-6.0), 3));
        assert!((reference.spread_db.vocals.unwrap() - 8f32.sqrt()).abs() < 1e-5);
        let one = ReferenceBalance::of_windows(windows[..1].iter());
        assert_eq!((one.level_db.bass, one.spread_db.bass), (Some(-4.0), None));
        assert_eq!(ReferenceBalance::of_windows(windows[2..].iter()).level_db.drums, None);
    }

    #[test]
    fn a_reference_that_was_saved_without_a_spread_is_read() {
        let old = r#"{"level_db":{"vocals":-5.0,"drums":null,"bass":-7.5,"other":null}}"#;
        let reference: ReferenceBalance = serde_json::from_str(old).unwrap();
        assert_eq!(reference.level_db.bass, Some(-7.5));
        assert_eq!((reference.spread_db, reference.windows), (PerStem::default(), 0));
    }
}
