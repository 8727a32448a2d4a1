//! Which outcome was answered where which was right.

use super::score::Judged;
use mixing_buddy_core::stem::{Direction, Stem};
use serde::Serialize;

/// Number of outcomes: no error, or a target in a direction.
pub const OUTCOMES: usize = 1 + Stem::TARGET_COUNT * Direction::COUNT;

/// Names of the outcomes, in the order of [`Confusion`].
pub fn outcome_names() -> [String; OUTCOMES] {
    let errors = Stem::TARGETS.into_iter().flat_map(|stem| {
        let name = |direction| match direction {
            Direction::Quiet => format!("{stem} quiet"),
            Direction::Loud => format!("{stem} loud"),
        };
        Direction::ALL.map(name)
    });
    let mut names = std::iter::once("no error".to_string()).chain(errors);
    std::array::from_fn(|_| names.next().unwrap_or_default())
}

/// Counts of answers: a row per right outcome, a column per answered outcome, and a last one for answers that cannot be
/// read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Confusion {
    /// The counts.
    pub counts: [[usize; OUTCOMES + 1]; OUTCOMES],
}

fn outcome(stem_and_direction: Option<(Stem, Direction)>) -> usize {
    let at = |(stem, direction): (Stem, Direction)| {
        stem.target_index().map_or(0, |target| 1 + target * Direction::COUNT + direction.index())
    };
    stem_and_direction.map_or(0, at)
}

impl Confusion {
    /// Counts answers.
    pub fn of(judged: &[Judged]) -> Confusion {
        let mut confusion = Confusion::default();
        for sample in judged {
            let right = outcome(sample.category.direction().map(|direction| (sample.target, direction)));
            let answered =
                sample.answer.map_or(OUTCOMES, |answer| outcome(answer.stem.zip(answer.verdict.direction())));
            confusion.counts[right][answered] += 1;
        }
        confusion
    }
}
