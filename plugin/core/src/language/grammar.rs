//! The state machine of constrained decoding: which tokens may come next.

use super::decision::{Decision, MAX_TEXT_TOKENS, StemError};
use super::intent::Intent;
use super::special::Special;
use super::tokenizer::AdviceTokenizer;
use crate::error::{Error, Result};
use crate::gain_grid::GainStep;
use crate::stem::{Direction, PerStem, Stem};

/// What comes next in an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// How the question was understood.
    Intent,
    /// Which stem is off, or none.
    Stem,
    /// In which direction it is off.
    Direction,
    /// How far it is off.
    Gain,
    /// The verdict; only one token is allowed.
    Verdict,
    /// The sentence.
    Text,
    /// Nothing: the answer is complete.
    Done,
}

/// Follows an answer token by token. Whatever it accepts, [`super::parse_answer`] parses.
#[derive(Clone, Debug)]
pub struct Grammar<'a> {
    tokenizer: &'a AdviceTokenizer,
    allowed: PerStem<bool>,
    state: State,
    intent: Option<Intent>,
    stem: Option<Stem>,
    direction: Option<Direction>,
    size_db: Option<f32>,
    text_tokens: usize,
}

impl<'a> Grammar<'a> {
    /// An answer at its beginning. `allowed` states which stems the answer may name: those that are present and not the
    /// anchor. Stems that are no target are never allowed, and a question about one stem allows only that one.
    pub fn new(tokenizer: &'a AdviceTokenizer, allowed: PerStem<bool>) -> Self {
        Grammar {
            tokenizer,
            allowed,
            state: State::Intent,
            intent: None,
            stem: None,
            direction: None,
            size_db: None,
            text_tokens: 0,
        }
    }

    /// What comes next.
    pub fn state(&self) -> State {
        self.state
    }

    /// Whether the answer is complete.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// How the question was understood, once it is decided.
    pub fn intent(&self) -> Option<Intent> {
        self.intent
    }

    /// The decision, once it is complete: from the verdict on.
    pub fn decision(&self) -> Option<Decision> {
        if !matches!(self.state, State::Verdict | State::Text | State::Done) {
            return None;
        }
        let error = match (self.stem, self.direction, self.size_db) {
            (Some(stem), Some(direction), Some(size_db)) => Some(StemError { stem, direction, size_db }),
            _ => None,
        };
        Some(Decision { intent: self.intent?, error })
    }

    /// The special tokens that may come next.
    pub fn allowed_specials(&self) -> Vec<Special> {
        match self.state {
            State::Intent => Intent::ALL.map(Special::Intent).to_vec(),
            State::Stem => {
                let targets = Stem::TARGETS
                    .into_iter()
                    .filter(|stem| self.allowed[*stem] && self.intent.is_some_and(|i| i.may_target(*stem)));
                [Special::NoStem].into_iter().chain(targets.map(Special::Stem)).collect()
            }
            State::Direction => Direction::ALL.map(Special::Direction).to_vec(),
            State::Gain => GainStep::all().map(Special::Gain).collect(),
            State::Verdict => self.decision().map(|d| Special::Verdict(d.verdict())).into_iter().collect(),
            State::Text if self.text_tokens == MAX_TEXT_TOKENS => vec![Special::End],
            State::Text => {
                let decision = self.decision();
                let mut specials: Vec<Special> = [Special::StemSlot, Special::GainSlot]
                    .into_iter()
                    .filter(|slot| decision.is_some_and(|d| d.allows_in_sentence(*slot)))
                    .collect();
                if self.text_tokens > 0 {
                    specials.push(Special::End);
                }
                specials
            }
            State::Done => Vec::new(),
        }
    }

    /// Whether text tokens may come next.
    pub fn allows_text(&self) -> bool {
        self.state == State::Text && self.text_tokens < MAX_TEXT_TOKENS
    }

    /// Whether a token may come next.
    pub fn is_allowed(&self, id: u32) -> bool {
        match self.tokenizer.special_of(id) {
            Some(special) => self.allowed_specials().contains(&special),
            None => self.allows_text() && self.tokenizer.is_text(id),
        }
    }

    /// The ids that may come next: a few at a decision, in the order of the token table; in the sentence the part of the
    /// vocabulary that a sentence may use; none once the answer is complete.
    pub fn allowed_ids(&self) -> Vec<u32> {
        let specials = self.allowed_specials().into_iter().map(|special| self.tokenizer.special(special));
        if self.allows_text() {
            specials.chain(self.tokenizer.text_ids()).collect()
        } else {
            specials.collect()
        }
    }

    /// Sets the logits of all tokens that may not come next to minus infinity. Rows beyond the vocabulary, which
    /// an embedding may have, are forbidden too.
    pub fn mask_logits(&self, logits: &mut [f32]) {
        let specials: Vec<u32> =
            self.allowed_specials().into_iter().map(|special| self.tokenizer.special(special)).collect();
        let text = self.allows_text();
        for (id, logit) in logits.iter_mut().enumerate() {
            let id = id as u32;
            let open = specials.contains(&id) || (text && self.tokenizer.is_text(id));
            if !open {
                *logit = f32::NEG_INFINITY;
            }
        }
    }

    /// The next token, if only one is allowed.
    pub fn forced(&self) -> Option<u32> {
        match self.allowed_specials().as_slice() {
            [only] if !self.allows_text() => Some(self.tokenizer.special(*only)),
            _ => None,
        }
    }

    /// Takes the next token.
    ///
    /// # Errors
    /// When the token may not come next; the state then stays as it is.
    pub fn advance(&mut self, id: u32) -> Result<()> {
        if !self.is_allowed(id) {
            let name = self.tokenizer.special_of(id).map_or_else(|| id.to_string(), Special::text);
            return Err(Error::Format(format!(
                "token {name} may not come next: {:?} is expected",
                self.state
            )));
        }
        match self.tokenizer.special_of(id) {
            Some(Special::Intent(intent)) => {
                self.intent = Some(intent);
                self.state = State::Stem;
            }
            Some(Special::Stem(stem)) => {
                self.stem = Some(stem);
                self.state = State::Direction;
            }
            Some(Special::NoStem) => self.state = State::Verdict,
            Some(Special::Direction(direction)) => {
                self.direction = Some(direction);
                self.state = State::Gain;
            }
            Some(Special::Gain(step)) => {
                self.size_db = Some(step.size_db());
                self.state = State::Verdict;
            }
            Some(Special::Verdict(_)) => self.state = State::Text,
            Some(Special::End) => self.state = State::Done,
            _ => self.text_tokens += 1,
        }
        Ok(())
    }
}
