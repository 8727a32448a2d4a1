//! How an answer is laid out in tokens for training.

use super::decision::{Decision, MAX_TEXT_TOKENS};
use super::parse::parse_answer;
use super::special::Special;
use super::tokenizer::AdviceTokenizer;
use crate::error::{Error, Result};
use std::ops::Range;

/// An answer in tokens, with the places of its decisions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerIds {
    /// All tokens, from the intent to `<|end|>`.
    pub ids: Vec<u32>,
    /// Place of the stem token.
    pub stem_position: usize,
    /// Place of the direction token; none without an error.
    pub direction_position: Option<usize>,
    /// Place of the gain token; none without an error.
    pub gain_position: Option<usize>,
    /// Place of the verdict token.
    pub verdict_position: usize,
    /// The sentence, without `<|end|>`.
    pub text: Range<usize>,
}

impl AnswerIds {
    /// Place of the intent token.
    pub const INTENT_POSITION: usize = 0;

    /// Lays out a decision and its sentence (with slots).
    ///
    /// # Errors
    /// When the sentence is longer than [`MAX_TEXT_TOKENS`] or has a slot for which there is no word.
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
        // The parser checks the rules, so that training never sees an answer that decoding forbids.
        parse_answer(tokenizer, &ids)?;
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
