//! The text around a window, as tokens: the same in training and inference.
//!
//! ```text
//! <|im_start|>system
//! You are MixingBuddy. …<|im_end|>
//! <|im_start|>user
//! Stems: vocals, drums, bass, other
//! Anchor: none
//! Reference: □□□□
//! Mix: □□□□<|im_end|>
//! <|im_start|>assistant
//!  drums loud C
//! vocals: 9 LU under, usual 8.5 LU under to 1 LU over
//! …
//! decision: the drums are too loud, lower by 4 dB, 74 %, limit 60 %<|im_end|>
//! <|im_start|>user
//! Why?<|im_end|>
//! <|im_start|>assistant
//! ```
//!
//! A box is a soft token, one per stem. Everything up to the facts is read once per window.

use super::choices::Choices;
use crate::conversation::Facts;
use crate::error::Result;
use crate::language::StemError;
use crate::qwen2::files::chat::{END, START};
use crate::qwen2::{ChatTemplate, QwenTokenizer, Role};
use crate::stem::{PerStem, Stem};
use std::ops::Range;

/// The system message. The adapter is trained with it.
pub const SYSTEM: &str = "You are MixingBuddy. You judge the balance of a mix: how loud its vocals, drums, bass and other \
                          instruments are against each other. You know what was measured, and nothing else.";

/// What is known of a window besides its sound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WindowSpec {
    /// Stems that are present.
    pub stems_present: PerStem<bool>,
    /// The anchor: a stem that the user says is right.
    pub anchor: Option<Stem>,
    /// Whether there is a reference.
    pub has_reference: bool,
}

/// The tokens of a window, up to the decision.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowPrompt {
    /// The tokens; those in the slots are place holders.
    pub ids: Vec<u32>,
    /// Places of the soft tokens of the reading, one per stem.
    pub audio_slots: Range<usize>,
    /// Places of the soft tokens of the reference, one per stem.
    pub reference_slots: Option<Range<usize>>,
}

/// Lays out text for one tokenizer.
pub struct Layout<'a> {
    tokenizer: &'a QwenTokenizer,
    template: ChatTemplate,
    choices: &'a Choices,
}

impl<'a> Layout<'a> {
    /// For this tokenizer and its decision words.
    pub fn new(tokenizer: &'a QwenTokenizer, choices: &'a Choices) -> Self {
        Layout { tokenizer, template: ChatTemplate::default(), choices }
    }

    /// What every window begins with.
    ///
    /// # Errors
    /// When the tokenizer lacks the marks of the template or fails; so do the other methods.
    pub fn opening(&self) -> Result<Vec<u32>> {
        let mut ids = Vec::new();
        self.template.push(self.tokenizer, Role::System, SYSTEM, &mut ids)?;
        Ok(ids)
    }

    /// A window, behind the opening: the model's decision comes next.
    ///
    /// # Errors
    /// As [`Layout::opening`].
    pub fn window(&self, spec: &WindowSpec) -> Result<WindowPrompt> {
        let mark = self.tokenizer.mark(START)?;
        let names: Vec<&str> =
            Stem::ALL.into_iter().filter(|stem| spec.stems_present[*stem]).map(Stem::name).collect();
        let (names, anchor) = (names.join(", "), spec.anchor.map_or("none", Stem::name));
        let mut ids = vec![mark];
        ids.extend(self.tokenizer.encode(&format!("user\nStems: {names}\nAnchor: {anchor}\nReference:"))?);
        let slots = |ids: &mut Vec<u32>| {
            let first = ids.len();
            ids.resize(first + Stem::COUNT, mark);
            first..ids.len()
        };
        let reference_slots = if spec.has_reference {
            Some(slots(&mut ids))
        } else {
            ids.extend(self.tokenizer.encode(" none")?);
            None
        };
        ids.extend(self.tokenizer.encode("\nMix:")?);
        let audio_slots = slots(&mut ids);
        ids.push(self.tokenizer.mark(END)?);
        ids.extend(self.tokenizer.encode("\n")?);
        self.open_answer(&mut ids)?;
        Ok(WindowPrompt { ids, audio_slots, reference_slots })
    }

    /// A decision, behind the window.
    pub fn decision(&self, error: Option<StemError>) -> Vec<u32> {
        self.choices.of(error)
    }

    /// What may be said, behind the decision; a question comes next.
    ///
    /// # Errors
    /// As [`Layout::opening`].
    pub fn facts(&self, facts: &Facts) -> Result<Vec<u32>> {
        self.answer(&format!("\n{}\n{}", facts.measured_sheet(), facts.decision_sheet()))
    }

    /// A question; the model's answer comes next.
    ///
    /// # Errors
    /// As [`Layout::opening`].
    pub fn question(&self, question: &str) -> Result<Vec<u32>> {
        let mut ids = Vec::new();
        self.template.push(self.tokenizer, Role::User, question, &mut ids)?;
        self.open_answer(&mut ids)?;
        Ok(ids)
    }

    /// An answer; a question may come next.
    ///
    /// # Errors
    /// As [`Layout::opening`].
    pub fn answer(&self, text: &str) -> Result<Vec<u32>> {
        let mut ids = self.tokenizer.encode(text)?;
        ids.extend(self.closing()?);
        Ok(ids)
    }

    /// The end of an answer: the mark, which the model writes, and the line break behind it.
    ///
    /// # Errors
    /// As [`Layout::opening`].
    pub fn closing(&self) -> Result<Vec<u32>> {
        let mut ids = vec![self.tokenizer.mark(END)?];
        ids.extend(self.tokenizer.encode("\n")?);
        Ok(ids)
    }

    fn open_answer(&self, ids: &mut Vec<u32>) -> Result<()> {
        ids.push(self.tokenizer.mark(START)?);
        ids.extend(self.tokenizer.encode("assistant\n")?);
        Ok(())
    }
}
