//! What an answer decides: how the question was understood, and what is off.

use super::intent::Intent;
use super::special::Special;
use crate::advice::Verdict;
use crate::error::{Error, Result};
use crate::gain_grid::GainStep;
use crate::stem::{Direction, Stem};
use serde::{Deserialize, Serialize};

/// The longest sentence in tokens, `<|end|>` not counted: decoding then forces the end.
///
/// Chosen, not tuned: every sentence that the training templates can make fits.
pub const MAX_TEXT_TOKENS: usize = 48;

/// A stem that is off.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StemError {
    /// A target.
    pub stem: Stem,
    /// In which direction it is off.
    pub direction: Direction,
    /// How far it is off in dB, a magnitude.
    pub size_db: f32,
}

impl StemError {
    /// The gain that corrects the mix in dB: negative lowers.
    pub fn correction_db(&self) -> f32 {
        -self.direction.sign() * self.size_db
    }
}

/// What an answer decides before its sentence.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// How the question was understood.
    pub intent: Intent,
    /// What is off, none where nothing is.
    pub error: Option<StemError>,
}

impl Decision {
    /// A decision as tokens can state it: the size rounded to the [`GainStep`] grid.
    ///
    /// # Errors
    /// When an answer to this question may not name the stem as target, or the size is not finite.
    pub fn new(intent: Intent, error: Option<StemError>) -> Result<Decision> {
        let Some(error) = error else { return Ok(Decision { intent, error: None }) };
        if !intent.may_target(error.stem) {
            return Err(Error::Format(format!(
                "an answer to a question about {} may not name the {} as target",
                intent.name(),
                error.stem
            )));
        }
        if !error.size_db.is_finite() {
            return Err(Error::Format(format!("an error of {} dB is not finite", error.size_db)));
        }
        let size_db = GainStep::nearest(error.size_db).size_db();
        Ok(Decision { intent, error: Some(StemError { size_db, ..error }) })
    }

    /// The verdict of this decision.
    pub fn verdict(&self) -> Verdict {
        self.error.map_or(Verdict::NoError, |error| Verdict::of_error(error.direction, error.size_db))
    }

    /// The stem of the slot `<|stem|>`: the target of the error, else the stem asked for.
    pub fn slot_stem(&self) -> Option<Stem> {
        self.error.map(|error| error.stem).or(self.intent.asked_stem())
    }

    /// The decision tokens, from the intent to the verdict.
    pub fn specials(&self) -> Vec<Special> {
        let mut specials = vec![Special::Intent(self.intent)];
        match self.error {
            None => specials.push(Special::NoStem),
            Some(error) => specials.extend([
                Special::Stem(error.stem),
                Special::Direction(error.direction),
                Special::Gain(GainStep::nearest(error.size_db)),
            ]),
        }
        specials.push(Special::Verdict(self.verdict()));
        specials
    }

    /// Whether a special token may stand in the sentence of this decision: a slot for which there is a word.
    pub(super) fn allows_in_sentence(&self, special: Special) -> bool {
        match special {
            Special::StemSlot => self.slot_stem().is_some(),
            Special::GainSlot => self.error.is_some(),
            _ => false,
        }
    }
}
