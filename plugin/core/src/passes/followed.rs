//! Whether a move did what the advice asked for.

use super::compare::Move;
use crate::stem::Stem;
use serde::{Deserialize, Serialize};

/// A move within this of the gain that the advice named is what it asked for, in dB. Chosen, not tuned: about the
/// standard deviation of the gain that the model states.
const AS_ASKED_DB: f32 = 1.5;

/// How a move compares with the advice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// As far as the advice asked.
    Done,
    /// In the right direction, not far enough.
    PartlyDone,
    /// In the right direction, too far.
    Overdone,
    /// In the wrong direction.
    Opposite,
}

/// Advice that was followed, and how.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Followed {
    /// The stem.
    pub stem: Stem,
    /// The gain that the advice asked for in dB.
    pub asked_db: f32,
    /// The gain by which the fader moved in dB.
    pub moved_db: f32,
    /// How the two compare.
    pub outcome: Outcome,
}

impl Followed {
    /// Compares a move with advice to change `stem` by `asked_db`, whose standard deviation is `asked_sd_db`. None if the
    /// move is of another stem.
    ///
    /// The tolerance is what is not known of the two: the standard deviations of the move and of the advice together.
    pub fn of(moved: &Move, stem: Stem, asked_db: f32, asked_sd_db: Option<f32>) -> Option<Followed> {
        if moved.stem != stem || asked_db == 0.0 {
            return None;
        }
        let unknown = moved.sd_db.hypot(asked_sd_db.filter(|sd| sd.is_finite()).unwrap_or(0.0));
        // A part of the way is never the whole way, however little is known.
        let tolerance = unknown.clamp(AS_ASKED_DB, AS_ASKED_DB.max(0.5 * asked_db.abs()));
        let beyond = (moved.gain_db - asked_db) * asked_db.signum();
        let outcome = if moved.gain_db * asked_db < 0.0 {
            Outcome::Opposite
        } else if beyond > tolerance {
            Outcome::Overdone
        } else if beyond < -tolerance {
            Outcome::PartlyDone
        } else {
            Outcome::Done
        };
        Some(Followed { stem, asked_db, moved_db: moved.gain_db, outcome })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(moved_db: f32, asked_db: f32, sd_db: f32) -> Outcome {
        let moved = Move { stem: Stem::Vocals, gain_db: moved_db, sd_db: 0.5 };
        Followed::of(&moved, Stem::Vocals, asked_db, Some(sd_db)).unwrap().outcome
    }

    #[test]
    fn a_move_is_held_against_the_advice() {
        assert_eq!(outcome(-3.8, -4.0, 1.0), Outcome::Done);
        assert_eq!(outcome(-2.0, -4.0, 1.0), Outcome::PartlyDone);
        assert_eq!(outcome(-7.0, -4.0, 1.0), Outcome::Overdone);
        assert_eq!(outcome(2.0, -4.0, 1.0), Outcome::Opposite);
        assert_eq!(outcome(9.0, 6.0, 1.0), Outcome::Overdone);
        assert_eq!(
            outcome(1.0, 6.0, 9.0),
            Outcome::PartlyDone,
            "advice that knows little is not done by any move"
        );
    }

    #[test]
    fn a_move_of_another_stem_is_no_answer() {
        let moved = Move { stem: Stem::Drums, gain_db: 3.0, sd_db: 0.5 };
        assert_eq!(Followed::of(&moved, Stem::Vocals, 3.0, None), None);
    }
}
