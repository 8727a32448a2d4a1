//! All that a reply may state of a window.

use crate::advice::BestAnswer;
use crate::decoder::{Outcomes, ReferenceBalance};
use crate::encoder::Reading;
use crate::norms::NormsSummary;
use crate::norms::usual::{LU_MINUS_RMS_DB, bands_lu};
use crate::stem::{Direction, PerStem, Stem};
use serde::{Deserialize, Serialize};

/// An outcome with its probability.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Guess {
    /// The stem that is off and its direction; none where nothing is off.
    pub error: Option<(Stem, Direction)>,
    /// Its calibrated probability, 0 to 1.
    pub probability: f32,
}

/// What was measured and decided: every number and direction in a reply comes from here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// K-weighted level of each stem against the rest of the mix in LU; none for an absent stem.
    pub levels_lu: PerStem<Option<f32>>,
    /// The same of the reference; none without a reference.
    pub reference_lu: Option<PerStem<Option<f32>>>,
    /// The usual range of each stem in LU, from the 10th to the 90th percentile of released songs.
    pub usual_lu: PerStem<(f32, f32)>,
    /// The anchor: a stem that the user says is right.
    pub anchor: Option<Stem>,
    /// The decision, without the option to abstain.
    pub best: BestAnswer,
    /// Calibrated probability that stem and direction of `best` are right, 0 to 1.
    pub confidence: f32,
    /// Confidence from which the advisor commits itself.
    pub threshold: f32,
    /// The second most probable outcome; none where no other is possible.
    pub runner_up: Option<Guess>,
}

impl Facts {
    /// Whether the advisor commits itself to its decision.
    pub fn is_confident(&self) -> bool {
        self.confidence >= self.threshold
    }

    /// The stem that the decision names, and its direction.
    pub fn error(&self) -> Option<(Stem, Direction)> {
        Some((self.best.stem?, self.best.verdict.direction()?))
    }

    /// Level of a stem in LU minus that in the reference; none where either is not known.
    pub fn from_reference_lu(&self, stem: Stem) -> Option<f32> {
        Some(self.levels_lu[stem]? - self.reference_lu.as_ref()?[stem]?)
    }
}

/// Levels in LU of an analysis: those measured; where a present stem has none, its unweighted level plus the usual
/// difference.
pub fn levels_lu(reading: &Reading, measured_lu: &PerStem<Option<f32>>) -> PerStem<Option<f32>> {
    PerStem::from_fn(|stem| {
        let estimate = reading[stem].level_db + LU_MINUS_RMS_DB[stem];
        reading[stem].is_present().then(|| measured_lu[stem].unwrap_or(estimate))
    })
}

/// A reference in LU. Its levels are unweighted: where the window has the stem, the difference in dB is taken for that in
/// LU, because K-weighting moves the same stem by about as much in both.
pub fn reference_lu(
    reading: &Reading,
    levels_lu: &PerStem<Option<f32>>,
    reference: &ReferenceBalance,
) -> PerStem<Option<f32>> {
    PerStem::from_fn(|stem| {
        let level_db = reference.level_db[stem]?;
        Some(match levels_lu[stem] {
            Some(level_lu) => level_lu + level_db - reading[stem].level_db,
            None => level_db + LU_MINUS_RMS_DB[stem],
        })
    })
}

/// The usual ranges in LU.
pub fn usual_lu(norms: &NormsSummary) -> PerStem<(f32, f32)> {
    bands_lu(norms)
}

/// The second most probable outcome, after all are raised to `1 / temperature` and normalized again.
pub fn runner_up(outcomes: &Outcomes, temperature: f32) -> Option<Guess> {
    let best = outcomes.best().0;
    let scaled = |p: f32| if p > 0.0 { p.powf(1.0 / temperature) } else { 0.0 };
    let all = || {
        let errors = outcomes.errors.iter().flat_map(|(stem, directions)| {
            Direction::ALL.map(|direction| (Some((stem, direction)), scaled(directions[direction])))
        });
        [(None, scaled(outcomes.none))].into_iter().chain(errors)
    };
    let total: f32 = all().map(|(_, weight)| weight).sum();
    let others = all().filter(|(error, weight)| *error != best && *weight > 0.0);
    let (error, weight) = others.max_by(|a, b| a.1.total_cmp(&b.1))?;
    Some(Guess { error, probability: weight / total })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoder::StemReading;
    use crate::stem::{PerDirection, PerTarget};

    fn reading(level_db: f32) -> Reading {
        PerStem::from_fn(|_| StemReading { level_db, presence: 1.0, ..StemReading::default() })
    }

    #[test]
    fn the_runner_up_is_never_the_best() {
        let mut outcomes = Outcomes { none: 0.5, errors: PerTarget::all(PerDirection::default()) };
        assert_eq!(runner_up(&outcomes, 1.0), None);
        outcomes.errors[Stem::Bass][Direction::Loud] = 0.3;
        outcomes.errors[Stem::Drums][Direction::Quiet] = 0.2;
        let guess = runner_up(&outcomes, 1.0).expect("there is one");
        assert_eq!(guess.error, Some((Stem::Bass, Direction::Loud)));
        assert!((guess.probability - 0.3).abs() < 1e-6);
        assert!(runner_up(&outcomes, 2.0).expect("there is one").probability > 0.3, "warmer is more even");
    }

    #[test]
    fn a_reference_keeps_its_distance_in_lu() {
        let window = reading(-6.0);
        let levels = levels_lu(&window, &PerStem::all(Some(-4.5)).with(Stem::Bass, None));
        assert_eq!((levels.vocals, levels.bass), (Some(-4.5), Some(-6.0 + LU_MINUS_RMS_DB.bass)));
        let reference = ReferenceBalance::of_levels(PerStem::all(Some(-9.0)).with(Stem::Drums, None));
        let reference = reference_lu(&window, &levels, &reference);
        assert_eq!((reference.vocals, reference.drums), (Some(-7.5), None));
    }
}
