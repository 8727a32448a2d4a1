//! The plain answer that callers get: no tensors, no tokens.

use crate::stem::{Direction, PerStem, Stem};
use serde::{Deserialize, Serialize};

/// What is said of a window or a song.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The balance is right.
    NoError,
    /// A stem is 3 to 6 dB too quiet.
    Quiet,
    /// A stem is 6 dB or more too quiet.
    VeryQuiet,
    /// A stem is 3 to 6 dB too loud.
    Loud,
    /// A stem is 6 dB or more too loud.
    VeryLoud,
    /// The advisor is not sure enough to speak.
    Abstain,
    /// There is nothing to hear.
    Silence,
}

impl Verdict {
    /// From this size on (in dB, either sign) an error is a `Very…` one.
    pub const VERY_DB: f32 = 6.0;

    /// The verdict for a stem that is off in `direction` by `size_db` (a magnitude in dB).
    pub fn of_error(direction: Direction, size_db: f32) -> Verdict {
        match (direction, size_db.abs() >= Self::VERY_DB) {
            (Direction::Quiet, false) => Verdict::Quiet,
            (Direction::Quiet, true) => Verdict::VeryQuiet,
            (Direction::Loud, false) => Verdict::Loud,
            (Direction::Loud, true) => Verdict::VeryLoud,
        }
    }

    /// The direction of an error verdict, none for the others.
    pub fn direction(self) -> Option<Direction> {
        match self {
            Verdict::Quiet | Verdict::VeryQuiet => Some(Direction::Quiet),
            Verdict::Loud | Verdict::VeryLoud => Some(Direction::Loud),
            Verdict::NoError | Verdict::Abstain | Verdict::Silence => None,
        }
    }

    /// Name as in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Verdict::NoError => "no_error",
            Verdict::Quiet => "quiet",
            Verdict::VeryQuiet => "very_quiet",
            Verdict::Loud => "loud",
            Verdict::VeryLoud => "very_loud",
            Verdict::Abstain => "abstain",
            Verdict::Silence => "silence",
        }
    }
}

/// What the language model says when it must answer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BestAnswer {
    /// Never `Abstain`; `Silence` only where there is nothing to hear.
    pub verdict: Verdict,
    /// The stem that is off, none with `NoError` and `Silence`.
    pub stem: Option<Stem>,
    /// The change that mends the mix in dB: negative lowers. None with `NoError` and `Silence`.
    pub gain_db: Option<f32>,
}

/// Advice on one window, or on a whole song.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Advice {
    /// `best`'s verdict, or `Abstain` when the confidence is under the threshold.
    pub verdict: Verdict,
    /// The stem that is off; none with `NoError`, `Abstain` and `Silence`.
    pub stem: Option<Stem>,
    /// The change that mends the mix in dB: negative lowers. None where `stem` is.
    pub gain_db: Option<f32>,
    /// Standard deviation of `gain_db` in dB.
    pub gain_db_sd: Option<f32>,
    /// Probability that the stem and direction of `best` are right, 0 to 1, calibrated.
    pub confidence: f32,
    /// What the model says when it must answer.
    pub best: BestAnswer,
    /// K-weighted level of each stem against the rest of the mix in LU (ITU-R BS.1770); none where the stem is absent.
    pub levels_lu: PerStem<Option<f32>>,
    /// One or two sentences for a person.
    pub text: String,
}
