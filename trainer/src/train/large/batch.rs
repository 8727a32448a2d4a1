//! Decisions and conversations as tokens, with what is to be learned of them.

use crate::train::examples::advice::AdviceExample;
use crate::train::examples::conversations::Conversation;
use anyhow::{Context, Result};
use mixing_buddy_core::decoder::ReferenceBalance;
use mixing_buddy_core::encoder::Reading;
use mixing_buddy_core::language::StemError;
use mixing_buddy_core::large::{Choices, Layout, WindowPrompt, WindowSpec};
use mixing_buddy_core::qwen2::QwenTokenizer;
use mixing_buddy_core::{Direction, GainStep, Stem};
use std::ops::Range;

/// What makes tokens of examples.
pub struct Writer {
    /// The base's tokenizer.
    pub tokenizer: QwenTokenizer,
    /// The words of decisions.
    pub choices: Choices,
}

/// A sequence with its soft tokens' content.
pub struct Row {
    /// The tokens that are read.
    pub ids: Vec<u32>,
    /// Slots of the reading.
    pub audio_slots: Range<usize>,
    /// Slots of the reference.
    pub reference_slots: Option<Range<usize>>,
    /// Content of the slots of the reading.
    pub reading: Reading,
    /// Content of the slots of the reference.
    pub reference: Option<ReferenceBalance>,
}

/// A choice among a few tokens.
pub struct Choice {
    /// Place of the token before it in the row.
    pub place: usize,
    /// The tokens that may come next, and their target probabilities, which sum to one.
    pub options: Vec<(u32, f32)>,
}

/// A window and its decision.
pub struct DecisionRow {
    /// The sequence up to the last token before a choice.
    pub row: Row,
    /// Stem, and direction and size where a stem is named.
    pub choices: Vec<Choice>,
}

/// A window, its decision, and questions with answers.
pub struct TalkRow {
    /// The sequence without its last token.
    pub row: Row,
    /// Place before each token that is learned, and the token.
    pub targets: Vec<(usize, u32)>,
}

impl Writer {
    fn begin(&self, spec: &WindowSpec) -> Result<WindowPrompt> {
        let layout = Layout::new(&self.tokenizer, &self.choices);
        let mut ids = layout.opening()?;
        let window = layout.window(spec)?;
        let moved = |slots: Range<usize>| slots.start + ids.len()..slots.end + ids.len();
        let (audio_slots, reference_slots) = (moved(window.audio_slots), window.reference_slots.map(moved));
        ids.extend(window.ids);
        Ok(WindowPrompt { ids, audio_slots, reference_slots })
    }

    /// A window with the oracle's posterior as the target of its decision.
    ///
    /// # Errors
    /// When the tokenizer fails.
    pub fn decision(&self, example: &AdviceExample) -> Result<DecisionRow> {
        let AdviceExample { reading, reference, sample, posterior } = example;
        let spec = WindowSpec {
            stems_present: sample.stems_present,
            anchor: sample.anchor,
            has_reference: reference.is_some(),
        };
        let WindowPrompt { mut ids, audio_slots, reference_slots } = self.begin(&spec)?;
        let of = |stem: Stem, direction: Direction| posterior.of_error(stem, direction) as f32;
        let of_stem = |stem: Stem| Direction::ALL.iter().map(|direction| of(stem, *direction)).sum::<f32>();
        let allowed = |stem: &Stem| sample.stems_present[*stem] && sample.anchor != Some(*stem);
        let mut options = vec![(self.choices.none, posterior.none as f32)];
        options.extend(
            Stem::TARGETS.into_iter().filter(allowed).map(|stem| (self.choices.stems[stem], of_stem(stem))),
        );
        let mut choices = vec![Choice { place: ids.len() - 1, options }];
        if let Some(StemError { stem, direction, .. }) = sample.decision.error {
            ids.push(self.choices.stems[stem]);
            let options = Direction::ALL.map(|d| (self.choices.directions[d], of(stem, d)));
            choices.push(Choice { place: ids.len() - 1, options: options.to_vec() });
            ids.push(self.choices.directions[direction]);
            let cells = GainStep::all().zip(&posterior.cells[stem][direction]);
            let options = cells.map(|(step, cell)| (self.choices.gain(step), *cell as f32));
            choices.push(Choice { place: ids.len() - 1, options: options.collect() });
        }
        choices.iter_mut().for_each(Choice::normalize);
        let row = Row { ids, audio_slots, reference_slots, reading: reading.clone(), reference: *reference };
        Ok(DecisionRow { row, choices })
    }

    /// A conversation: its answers are learned, its decision and facts are read.
    ///
    /// # Errors
    /// When the tokenizer fails.
    pub fn talk(&self, conversation: &Conversation) -> Result<TalkRow> {
        let Conversation { facts, .. } = conversation;
        let layout = Layout::new(&self.tokenizer, &self.choices);
        let spec = WindowSpec {
            stems_present: conversation.present,
            anchor: facts.anchor,
            has_reference: conversation.reference.is_some(),
        };
        let WindowPrompt { mut ids, audio_slots, reference_slots } = self.begin(&spec)?;
        let error = facts.error().zip(facts.best.gain_db).map(|((stem, direction), gain_db)| StemError {
            stem,
            direction,
            size_db: gain_db.abs(),
        });
        ids.extend(layout.decision(error));
        ids.extend(layout.facts(facts)?);
        let mut targets = Vec::new();
        for turn in &conversation.turns {
            ids.extend(layout.question(&turn.question)?);
            let answer = layout.answer(&turn.answer)?;
            // The line break behind the mark of the end is never generated.
            let learned = answer.len() - 1;
            targets.extend(answer[..learned].iter().enumerate().map(|(at, id)| (ids.len() + at - 1, *id)));
            ids.extend(answer);
        }
        let last = targets.last().context("the conversation has no turns")?.0;
        ids.truncate(last + 1);
        let row = Row {
            ids,
            audio_slots,
            reference_slots,
            reading: conversation.reading.clone(),
            reference: conversation.reference,
        };
        Ok(TalkRow { row, targets })
    }
}

impl Choice {
    fn normalize(&mut self) {
        let total = self.options.iter().map(|(_, share)| share).sum::<f32>().max(1e-9);
        self.options.iter_mut().for_each(|(_, share)| *share /= total);
    }
}
