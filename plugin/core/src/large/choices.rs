//! The words that stand for a decision. Each is one token of Qwen2's vocabulary, so a decision takes three tokens at most.

use crate::error::{Error, Result};
use crate::gain_grid::GainStep;
use crate::language::StemError;
use crate::qwen2::QwenTokenizer;
use crate::stem::{Direction, PerDirection, PerTarget, Stem};

/// The decision that no stem is off.
const NONE: &str = " none";

/// A size of an error as a letter: " A" is the smallest. Figures are no single tokens in this vocabulary.
fn letter(step: GainStep) -> String {
    let letter = char::from(b'A'.saturating_add(u8::try_from(step.index()).unwrap_or(u8::MAX)));
    format!(" {letter}")
}

fn word(direction: Direction) -> &'static str {
    match direction {
        Direction::Quiet => " quiet",
        Direction::Loud => " loud",
    }
}

/// Tokens of a decision.
#[derive(Clone, Debug, PartialEq)]
pub struct Choices {
    /// No stem is off.
    pub none: u32,
    /// A stem is off.
    pub stems: PerTarget<u32>,
    /// Its direction.
    pub directions: PerDirection<u32>,
    /// How far it is off, in the order of [`GainStep::all`].
    pub gains: Vec<u32>,
}

impl Choices {
    /// The tokens of a vocabulary.
    ///
    /// # Errors
    /// When a word is not one token: the vocabulary is not that of Qwen2.
    pub fn new(tokenizer: &QwenTokenizer) -> Result<Self> {
        let token = |text: &str| match tokenizer.encode(text)?.as_slice() {
            [id] => Ok(*id),
            _ => Err(Error::Format(format!("the model's tokenizer cuts '{text}' into pieces"))),
        };
        let mut stems = PerTarget::default();
        for stem in Stem::TARGETS {
            stems[stem] = token(&format!(" {stem}"))?;
        }
        let mut directions = PerDirection::default();
        for direction in Direction::ALL {
            directions[direction] = token(word(direction))?;
        }
        let gains = GainStep::all().map(|step| token(&letter(step))).collect::<Result<_>>()?;
        Ok(Choices { none: token(NONE)?, stems, directions, gains })
    }

    /// The token of a size.
    pub fn gain(&self, step: GainStep) -> u32 {
        self.gains[step.index()]
    }

    /// The tokens of a decision: stem, direction and size, or "none".
    pub fn of(&self, error: Option<StemError>) -> Vec<u32> {
        match error {
            None => vec![self.none],
            Some(StemError { stem, direction, size_db }) => {
                vec![self.stems[stem], self.directions[direction], self.gain(GainStep::nearest(size_db))]
            }
        }
    }
}
