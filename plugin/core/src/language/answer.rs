//! What an answer decides, and how it is laid out in tokens for training.

use super::special::{MAX_GAIN_DB, MIN_GAIN_DB, Special};
use super::tokenizer::AdviceTokenizer;
use crate::advice::Verdict;
use crate::error::{Error, Result};
use crate::stem::{Direction, Stem};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// The longest sentence in tokens, `<|end|>` not counted; after that the answer is closed by force.
pub const MAX_TEXT_TOKENS: usize = 48;

/// How the model understood a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Intent {
    /// The whole balance.
    Balance,
    /// One stem.
    About(Stem),
    /// How far the mix is from the reference.
    Compare,
    /// Nothing that can be answered: general advice is given, and a word that the question was not understood.
    Unclear,
}

impl Intent {
    /// All intents, in the order of the token table.
    pub const ALL: [Intent; 7] = [
        Intent::Balance,
        Intent::About(Stem::Vocals),
        Intent::About(Stem::Drums),
        Intent::About(Stem::Bass),
        Intent::About(Stem::Other),
        Intent::Compare,
        Intent::Unclear,
    ];

    /// Name as in the token table and in template files.
    pub const fn name(self) -> &'static str {
        match self {
            Intent::Balance => "balance",
            Intent::About(stem) => stem.name(),
            Intent::Compare => "compare",
            Intent::Unclear => "unclear",
        }
    }

    /// The stem that was asked for and may be blamed: none for general questions and for `other`.
    pub fn asked_stem(self) -> Option<Stem> {
        match self {
            Intent::About(stem) if stem != Stem::Other => Some(stem),
            _ => None,
        }
    }

    /// Whether an answer to this question may blame `stem`.
    pub fn may_target(self, stem: Stem) -> bool {
        stem != Stem::Other && self.asked_stem().is_none_or(|asked| asked == stem)
    }
}

/// A stem that is off.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StemError {
    /// Vocals, drums or bass.
    pub stem: Stem,
    /// Which way it is off.
    pub direction: Direction,
    /// How far it is off in dB, a magnitude.
    pub size_db: f32,
}

impl StemError {
    /// The change that mends the mix in dB: negative lowers.
    pub fn mending_gain_db(&self) -> f32 {
        -self.direction.sign() * self.size_db
    }
}

/// What an answer decides before it speaks.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// How the question was understood.
    pub intent: Intent,
    /// What is off, none where nothing is.
    pub error: Option<StemError>,
}

impl Decision {
    /// A decision as it can be said in tokens: the size rounded to the nearest gain token. Errors where the
    /// stem may not be blamed in an answer to this question.
    pub fn new(intent: Intent, error: Option<StemError>) -> Result<Decision> {
        let Some(error) = error else { return Ok(Decision { intent, error: None }) };
        if !intent.may_target(error.stem) {
            return Err(Error::Format(format!(
                "an answer to a question about {} may not blame the {}",
                intent.name(),
                error.stem
            )));
        }
        if !error.size_db.is_finite() {
            return Err(Error::Format(format!("an error of {} dB has no size", error.size_db)));
        }
        let size_db = Special::gain(error.size_db).size_db().unwrap_or(MIN_GAIN_DB);
        debug_assert!((MIN_GAIN_DB..=MAX_GAIN_DB).contains(&size_db));
        Ok(Decision { intent, error: Some(StemError { size_db, ..error }) })
    }

    /// The verdict of this decision.
    pub fn verdict(&self) -> Verdict {
        self.error.map_or(Verdict::NoError, |error| Verdict::of_error(error.direction, error.size_db))
    }

    /// The stem that the slot `<|stem|>` stands for: the blamed one, else the one asked for.
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
                Special::gain(error.size_db),
            ]),
        }
        specials.push(Special::Verdict(self.verdict()));
        specials
    }
}

/// An answer in tokens, with the places of its decisions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerIds {
    /// All tokens, from the intent to `<|end|>`.
    pub ids: Vec<u32>,
    /// Place of the stem token.
    pub stem_position: usize,
    /// Place of the direction token; none where nothing is off.
    pub direction_position: Option<usize>,
    /// Place of the gain token; none where nothing is off.
    pub gain_position: Option<usize>,
    /// Place of the verdict token.
    pub verdict_position: usize,
    /// The sentence, without `<|end|>`.
    pub text: Range<usize>,
}

impl AnswerIds {
    /// Place of the intent token.
    pub const INTENT_POSITION: usize = 0;

    /// Lays out a decision and its sentence (with slots). Errors where the sentence is longer than
    /// [`MAX_TEXT_TOKENS`] or uses a slot that has nothing to stand for.
    pub fn build(tokenizer: &AdviceTokenizer, decision: &Decision, sentence: &str) -> Result<AnswerIds> {
        let decision = Decision::new(decision.intent, decision.error)?;
        let mut ids: Vec<u32> =
            decision.specials().into_iter().map(|special| tokenizer.special(special)).collect();
        let start = ids.len();
        let text = tokenizer.encode_sentence(sentence)?;
        if text.is_empty() || text.len() > MAX_TEXT_TOKENS {
            return Err(Error::Format(format!(
                "the sentence '{sentence}' has {} tokens; it must have 1 to {MAX_TEXT_TOKENS}",
                text.len()
            )));
        }
        ids.extend(text);
        let text = start..ids.len();
        ids.push(tokenizer.special(Special::End));
        // The parser holds the rules; training must not see what decoding forbids.
        super::parse::parse_answer(tokenizer, &ids)?;
        let error = decision.error.is_some();
        Ok(AnswerIds {
            ids,
            stem_position: 1,
            direction_position: error.then_some(2),
            gain_position: error.then_some(3),
            verdict_position: start - 1,
            text,
        })
    }

    /// Places of all decision tokens, from the intent to the verdict.
    pub fn decision_positions(&self) -> Range<usize> {
        Self::INTENT_POSITION..self.text.start
    }
}
