//! From a question and the facts about the window to the tokens of the prompt.
//!
//! ```
//! use mixing_buddy_core::bundle::{Bundle, SHIPPED_BUNDLE};
//! use mixing_buddy_core::language::{Prompt, PromptSpec};
//! use mixing_buddy_core::{CancelFlag, PerStem, Stem};
//! # fn main() -> mixing_buddy_core::Result<()> {
//! # let (path, device) = (std::path::Path::new("compact"), candle_core::Device::Cpu);
//! let bundle = Bundle::read(path, SHIPPED_BUNDLE, &device, &CancelFlag::new())?;
//! let spec = PromptSpec {
//!     question: "Is the bass too loud?",
//!     stems_present: PerStem::all(true),
//!     anchor: Some(Stem::Drums),
//!     has_reference: false,
//!     soft_tokens: 8,
//! };
//! let prompt = Prompt::build(&bundle.tokenizer, &spec)?;
//! assert_eq!(prompt.audio_slots.len(), 8); // to be filled with the encoder's soft tokens
//! assert_eq!(prompt.reference_slots, None);
//! # Ok(())
//! # }
//! ```

use super::questions::DEFAULT_QUESTION;
use super::special::Special;
use super::tokenizer::AdviceTokenizer;
use crate::error::Result;
use crate::stem::{PerStem, Stem};
use std::ops::Range;

/// The longest question in tokens. Of a longer one, half of this many tokens are kept at either end. Chosen, not tuned:
/// about thirty words.
pub const MAX_QUESTION_TOKENS: usize = 40;

/// Number of soft slots of a reference balance: one per stem.
pub const REFERENCE_SLOTS: usize = Stem::COUNT;

/// At most this many characters at either end of a question are read, so that a long text costs nothing. They hold more
/// tokens than [`MAX_QUESTION_TOKENS`] keeps.
const QUESTION_END_CHARACTERS: usize = 240;

/// What a prompt is made from.
#[derive(Clone, Debug, PartialEq)]
pub struct PromptSpec<'a> {
    /// The user's words; blank text stands for [`DEFAULT_QUESTION`].
    pub question: &'a str,
    /// Which stems are present in the window.
    pub stems_present: PerStem<bool>,
    /// A stem that the user says is right.
    pub anchor: Option<Stem>,
    /// Whether a reference balance is given.
    pub has_reference: bool,
    /// Number of audio slots.
    pub soft_tokens: usize,
}

/// The tokens of a prompt, and where the soft slots are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// All tokens, from `<|prompt|>` to `<|answer|>`.
    pub ids: Vec<u32>,
    /// The [`REFERENCE_SLOTS`] slots of the reference; none without a reference.
    pub reference_slots: Option<Range<usize>>,
    /// The slots of the audio tokens.
    pub audio_slots: Range<usize>,
}

impl Prompt {
    /// Lays out a prompt. Whatever text the question holds, the special tokens are those of the grammar.
    ///
    /// # Errors
    /// When the tokenizer fails.
    pub fn build(tokenizer: &AdviceTokenizer, spec: &PromptSpec<'_>) -> Result<Prompt> {
        let special = |special| tokenizer.special(special);
        let mut ids = vec![special(Special::Prompt)];
        ids.extend(question_ids(tokenizer, spec.question)?);
        ids.push(special(Special::Stems));
        ids.extend(
            spec.stems_present
                .iter()
                .filter(|(_, present)| **present)
                .map(|(stem, _)| special(Special::Stem(stem))),
        );
        if let Some(anchor) = spec.anchor {
            ids.extend([special(Special::Anchor), special(Special::Stem(anchor))]);
        }
        let mut push_slots = |opening, count| {
            ids.push(special(opening));
            let start = ids.len();
            ids.resize(start + count, special(Special::Soft));
            start..start + count
        };
        let reference_slots = spec.has_reference.then(|| push_slots(Special::Reference, REFERENCE_SLOTS));
        let audio_slots = push_slots(Special::Audio, spec.soft_tokens);
        ids.push(special(Special::Answer));
        Ok(Prompt { ids, reference_slots, audio_slots })
    }
}

/// A question as the model gets it: lower case, letters and digits of any script, single spaces. Apostrophes are
/// removed ("what's" is "whats"), every other sign becomes a space. So "Drums TOO loud??" and "drums too loud" are one
/// question, and no text can spell a special token. Of a very long text only both ends are read.
pub fn normalise_question(question: &str) -> String {
    let ends: String = match question.char_indices().nth(2 * QUESTION_END_CHARACTERS) {
        None => question.to_string(),
        Some(_) => {
            let head = question.chars().take(QUESTION_END_CHARACTERS);
            let mut tail: Vec<char> = question.chars().rev().take(QUESTION_END_CHARACTERS).collect();
            tail.reverse();
            head.chain([' ']).chain(tail).collect()
        }
    };
    let plain: String = ends
        .chars()
        .filter(|sign| !matches!(sign, '\'' | '’' | '‘' | '`'))
        .map(|sign| if sign.is_alphanumeric() { sign } else { ' ' })
        .flat_map(char::to_lowercase)
        .collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn question_ids(tokenizer: &AdviceTokenizer, question: &str) -> Result<Vec<u32>> {
    let question = if question.trim().is_empty() { DEFAULT_QUESTION } else { question };
    let mut ids = tokenizer.encode_text(&normalise_question(question))?;
    if ids.len() > MAX_QUESTION_TOKENS {
        let half = MAX_QUESTION_TOKENS / 2;
        ids.drain(half..ids.len() - half);
    }
    Ok(ids)
}
