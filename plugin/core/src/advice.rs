//! The plain answer that callers get: no tensors, no tokens.

use crate::gain_grid::GainStep;
use crate::stem::{Direction, PerStem, Stem};
use serde::{Deserialize, Serialize};

/// What an [`Advice`] is about. Further kinds of advice are further variants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdviceKind {
    /// The levels of the stems against each other.
    #[default]
    Balance,
}

/// The judgement of a window or a song.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The balance is right.
    NoError,
    /// A stem is too quiet by less than [`Verdict::VERY_DB`].
    Quiet,
    /// A stem is too quiet by [`Verdict::VERY_DB`] or more.
    VeryQuiet,
    /// A stem is too loud by less than [`Verdict::VERY_DB`].
    Loud,
    /// A stem is too loud by [`Verdict::VERY_DB`] or more.
    VeryLoud,
    /// The confidence is too low for an answer.
    Abstain,
    /// The sound is silent: there is nothing to judge.
    Silence,
}

impl Verdict {
    /// From this size on (in dB, either sign) an error is a `Very…` one.
    pub const VERY_DB: f32 = GainStep::VERY_DB;

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

/// The language model's answer without the option to abstain.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BestAnswer {
    /// Never `Abstain`; `Silence` only for silent sound.
    pub verdict: Verdict,
    /// The stem that is off, none with `NoError` and `Silence`.
    pub stem: Option<Stem>,
    /// The gain that corrects the mix in dB: negative lowers. None with `NoError` and `Silence`.
    pub gain_db: Option<f32>,
}

/// Advice on one window, or on a whole song.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Advice {
    /// What the advice is about. States saved before there were kinds are about the balance.
    #[serde(default)]
    pub kind: AdviceKind,
    /// `best`'s verdict, or `Abstain` when the confidence is under the threshold.
    pub verdict: Verdict,
    /// The stem that is off; none with `NoError`, `Abstain` and `Silence`.
    pub stem: Option<Stem>,
    /// The gain that corrects the mix in dB: negative lowers. None without `stem`.
    pub gain_db: Option<f32>,
    /// Standard deviation of `gain_db` in dB.
    pub gain_db_sd: Option<f32>,
    /// Probability that the stem and direction of `best` are right, 0 to 1, calibrated.
    pub confidence: f32,
    /// The answer without the option to abstain.
    pub best: BestAnswer,
    /// K-weighted level of each stem against the rest of the mix in LU (ITU-R BS.1770); none for an absent stem.
    pub levels_lu: PerStem<Option<f32>>,
    /// One or two sentences for a person.
    pub text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_that_was_saved_without_a_kind_is_about_the_balance() {
        let advice = Advice {
            kind: AdviceKind::Balance,
            verdict: Verdict::Loud,
            stem: Some(Stem::Bass),
            gain_db: Some(-4.0),
            gain_db_sd: Some(1.5),
            confidence: 0.75,
            best: BestAnswer { verdict: Verdict::Loud, stem: Some(Stem::Bass), gain_db: Some(-4.0) },
            levels_lu: PerStem::default(),
            text: "The bass is too loud.".into(),
        };
        let mut json = serde_json::to_value(&advice).unwrap();
        assert_eq!(json["kind"], "balance");
        json.as_object_mut().unwrap().remove("kind");
        assert_eq!(serde_json::from_value::<Advice>(json).unwrap(), advice);
    }

    #[test]
    fn an_error_is_very_large_from_the_border_on() {
        assert_eq!(Verdict::of_error(Direction::Quiet, Verdict::VERY_DB - 0.5), Verdict::Quiet);
        assert_eq!(Verdict::of_error(Direction::Loud, Verdict::VERY_DB), Verdict::VeryLoud);
    }
}
