//! Pairs of answers to one question: the oracle's, and the same with one thing wrong in it.

use super::advice::{AdviceExample, allowed_stems};
use crate::oracle::AllowedStems;
use crate::text::{TextExample, TextSampler, TrainingIds, build_training_ids};
use anyhow::{Result, ensure};
use mixing_buddy_core::language::{AdviceTokenizer, Decision, StemError};
use mixing_buddy_core::{Direction, GainStep, Stem};
use rand::Rng;
use rand::rngs::SmallRng;
use serde::{Deserialize, Serialize};

/// A wrong size is off by at least this much in dB. Listeners disagree about smaller differences.
const MIN_SIZE_ERROR_DB: f32 = 3.0;

/// How often each kind of error is in a rejected answer, as shares of the kinds that are possible: if a question allows
/// one stem only, no other can be named. In a balanced mix, the rejected answer always names an error. The defaults were
/// chosen, not tuned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RejectedShares {
    /// Too loud for too quiet, or the reverse.
    pub direction: f64,
    /// Another stem is named as target.
    pub stem: f64,
    /// The size is off by `MIN_SIZE_ERROR_DB` or more.
    pub magnitude: f64,
    /// The error is missed: the answer calls the mix balanced.
    pub missed: f64,
}

impl Default for RejectedShares {
    fn default() -> Self {
        RejectedShares { direction: 0.3, stem: 0.3, magnitude: 0.2, missed: 0.2 }
    }
}

impl RejectedShares {
    /// Checks that pairs can be drawn with these shares.
    ///
    /// # Errors
    /// When a share is negative or not a number, or no kind of error with a share is possible for every question.
    pub fn check(&self) -> Result<()> {
        let shares = [self.direction, self.stem, self.magnitude, self.missed];
        ensure!(
            shares.iter().all(|share| share.is_finite() && *share >= 0.0),
            "[rejected]: a share is a number from 0"
        );
        ensure!(
            self.direction + self.magnitude + self.missed > 0.0,
            "[rejected]: a wrong stem is not possible if a question allows one stem only; give another kind a share too"
        );
        Ok(())
    }

    /// The decision `right` with one thing wrong in it, as an answer to the same question may state it.
    ///
    /// # Errors
    /// When `allowed` holds no stem.
    pub fn spoil(&self, right: &Decision, allowed: AllowedStems, rng: &mut SmallRng) -> Result<Decision> {
        let stems: Vec<Stem> = Stem::TARGETS.into_iter().filter(|stem| allowed.contains(*stem)).collect();
        ensure!(!stems.is_empty(), "there is no stem that an answer may name");
        let Some(error) = right.error else {
            let false_alarm = StemError {
                stem: stems[rng.random_range(0..stems.len())],
                direction: Direction::ALL[rng.random_range(0..Direction::ALL.len())],
                size_db: rng.random_range(GainStep::MIN_DB..=GainStep::MAX_DB),
            };
            return Ok(Decision::new(right.intent, Some(false_alarm))?);
        };
        let others: Vec<Stem> = stems.into_iter().filter(|stem| *stem != error.stem).collect();
        let stem_share = if others.is_empty() { 0.0 } else { self.stem };
        let mut at = rng.random::<f64>() * (self.direction + stem_share + self.magnitude + self.missed);
        let mut falls_on = |share: f64| {
            at -= share;
            at < 0.0
        };
        let wrong = if falls_on(self.direction) {
            Some(StemError { direction: error.direction.opposite(), ..error })
        } else if falls_on(stem_share) {
            Some(StemError { stem: others[rng.random_range(0..others.len())], ..error })
        } else if falls_on(self.magnitude) {
            Some(StemError { size_db: wrong_size_db(error.size_db, rng), ..error })
        } else {
            None
        };
        Ok(Decision::new(right.intent, wrong)?)
    }
}

/// A size of the gain tokens that differs from `size_db` by [`MIN_SIZE_ERROR_DB`] or more.
fn wrong_size_db(size_db: f32, rng: &mut SmallRng) -> f32 {
    let far: Vec<f32> = GainStep::all()
        .map(GainStep::size_db)
        .filter(|other| (other - size_db).abs() >= MIN_SIZE_ERROR_DB)
        .collect();
    // The range of sizes is three times as wide, so there is always one.
    far[rng.random_range(0..far.len())]
}

/// Two answers to the question of `example`, one preferred to the other.
pub struct Pair {
    /// Question, reading and reference.
    pub example: AdviceExample,
    /// The right answer.
    pub chosen: TrainingIds,
    /// The wrong one.
    pub rejected: TrainingIds,
}

/// What the text of a pair is made with.
#[derive(Clone, Copy)]
pub struct PairText<'a> {
    /// Turns text into tokens.
    pub tokenizer: &'a AdviceTokenizer,
    /// Draws sentences.
    pub sampler: &'a TextSampler,
    /// Slots for soft tokens in a prompt.
    pub audio_tokens: usize,
}

/// Makes a pair: the right answer is the oracle's most probable one, the sentence of each answer is drawn from the
/// templates, and `text.audio_tokens` is the number of slots for soft tokens in the prompt.
///
/// # Errors
/// When the text cannot be drawn or is too long.
pub fn make_pair(
    example: AdviceExample,
    text: PairText<'_>,
    shares: &RejectedShares,
    rng: &mut SmallRng,
) -> Result<Pair> {
    let sample = &example.sample;
    let believed = example.posterior.answer();
    let error = believed.error.map(|(stem, direction)| StemError {
        stem,
        direction,
        size_db: believed.gain_db.abs() as f32,
    });
    let right = Decision::new(sample.decision.intent, error)?;
    let allowed = allowed_stems(right.intent, sample.anchor, &sample.stems_present);
    let wrong = shares.spoil(&right, allowed, rng)?;
    let mut answer = |decision: Decision| {
        let sentence =
            text.sampler.answer_text(&decision, sample.has_reference, &sample.stems_present, rng)?;
        let sample = TextExample { decision, ..sample.clone() };
        build_training_ids(text.tokenizer, &sample, &sentence, text.audio_tokens)
    };
    let (chosen, rejected) = (answer(right)?, answer(wrong)?);
    Ok(Pair { example, chosen, rejected })
}

#[cfg(test)]
mod tests {
    use super::*;
    use mixing_buddy_core::language::Intent;
    use rand::SeedableRng;

    fn decision(stem: Stem, size_db: f32) -> Decision {
        let error = StemError { stem, direction: Direction::Quiet, size_db };
        Decision::new(Intent::Balance, Some(error)).unwrap()
    }

    #[test]
    fn a_rejected_answer_has_one_thing_wrong_as_often_as_configured() {
        let shares = RejectedShares { direction: 0.4, stem: 0.3, magnitude: 0.2, missed: 0.1 };
        let mut rng = SmallRng::seed_from_u64(3);
        let right = decision(Stem::Vocals, 7.5);
        let allowed = AllowedStems::without(Some(Stem::Bass));
        let mut counts = [0; 4];
        for _ in 0..4000 {
            let wrong = shares.spoil(&right, allowed, &mut rng).unwrap();
            assert_eq!(wrong.intent, right.intent);
            let kind = match wrong.error {
                None => 3,
                Some(e) if e.direction == Direction::Loud => {
                    assert_eq!((e.stem, e.size_db), (Stem::Vocals, 7.5));
                    0
                }
                Some(e) if e.stem != Stem::Vocals => {
                    assert_eq!((e.stem, e.size_db), (Stem::Drums, 7.5), "the anchor is never named");
                    1
                }
                Some(e) => {
                    assert!((e.size_db - 7.5).abs() >= MIN_SIZE_ERROR_DB, "{}", e.size_db);
                    2
                }
            };
            counts[kind] += 1;
        }
        for (count, share) in counts.into_iter().zip([0.4, 0.3, 0.2, 0.1]) {
            assert!((f64::from(count) / 4000.0 - share).abs() < 0.03, "{counts:?}");
        }
    }

    #[test]
    fn pairs_name_only_allowed_stems_and_reject_false_alarms() {
        let shares = RejectedShares { direction: 0.0, stem: 0.9, magnitude: 0.1, missed: 0.0 };
        let mut rng = SmallRng::seed_from_u64(4);
        for size_db in [3.0, 12.0] {
            let right = decision(Stem::Drums, size_db);
            let wrong = shares.spoil(&right, AllowedStems::only(Stem::Drums), &mut rng).unwrap();
            assert!(wrong.error.is_some_and(|e| e.stem == Stem::Drums && (e.size_db - size_db).abs() >= 3.0));
        }
        let balanced = Decision::new(Intent::Balance, None).unwrap();
        assert!(shares.spoil(&balanced, AllowedStems::ALL, &mut rng).unwrap().error.is_some());
        assert!(RejectedShares { magnitude: 0.0, ..shares }.check().is_err());
        assert!(RejectedShares::default().check().is_ok());
    }
}
