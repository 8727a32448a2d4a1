//! The table of special tokens: the only place that states their names.

use super::intent::Intent;
use crate::advice::Verdict;
use crate::gain_grid::GainStep;
use crate::stem::{Direction, Stem};

/// A token that text can never produce. Every use in prompt, answer and training goes through this type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Special {
    /// Fills batches; never part of a sequence.
    Pad,
    /// Opens the prompt.
    Prompt,
    /// Opens the list of stems present.
    Stems,
    /// Opens the anchor.
    Anchor,
    /// Opens the reference balance.
    Reference,
    /// Opens the audio slots.
    Audio,
    /// A place whose embedding is replaced by a projected token.
    Soft,
    /// Closes the prompt; the answer follows.
    Answer,
    /// Closes the answer.
    End,
    /// In a sentence: the name of the stem.
    StemSlot,
    /// In a sentence: the dB figure.
    GainSlot,
    /// A stem, in the prompt and as a decision.
    Stem(Stem),
    /// The decision that no stem is off.
    NoStem,
    /// The decision in which direction the stem is off.
    Direction(Direction),
    /// The decision how far the stem is off.
    Gain(GainStep),
    /// The verdict that follows from the decisions.
    Verdict(Verdict),
    /// How the model understood the question.
    Intent(Intent),
}

impl Special {
    /// The verdicts that have a token.
    pub const VERDICTS: [Verdict; 5] =
        [Verdict::NoError, Verdict::Quiet, Verdict::VeryQuiet, Verdict::Loud, Verdict::VeryLoud];

    /// The whole table, in the order in which our own tokenizer numbers it from 0.
    pub fn all() -> Vec<Special> {
        let mut all = vec![
            Special::Pad,
            Special::Prompt,
            Special::Stems,
            Special::Anchor,
            Special::Reference,
            Special::Audio,
            Special::Soft,
            Special::Answer,
            Special::End,
            Special::StemSlot,
            Special::GainSlot,
        ];
        all.extend(Stem::ALL.map(Special::Stem));
        all.push(Special::NoStem);
        all.extend(Direction::ALL.map(Special::Direction));
        all.extend(GainStep::all().map(Special::Gain));
        all.extend(Special::VERDICTS.map(Special::Verdict));
        all.extend(Intent::ALL.map(Special::Intent));
        all
    }

    /// How the token is written in `tokenizer.json`.
    pub fn text(self) -> String {
        let fixed = match self {
            Special::Pad => "<|pad|>",
            Special::Prompt => "<|prompt|>",
            Special::Stems => "<|stems|>",
            Special::Anchor => "<|anchor|>",
            Special::Reference => "<|reference|>",
            Special::Audio => "<|audio|>",
            Special::Soft => "<|soft|>",
            Special::Answer => "<|answer|>",
            Special::End => "<|end|>",
            Special::StemSlot => "<|stem|>",
            Special::GainSlot => "<|gain|>",
            Special::NoStem => "<none>",
            Special::Direction(Direction::Quiet) => "<quiet>",
            Special::Direction(Direction::Loud) => "<loud>",
            Special::Stem(stem) => return format!("<{}>", stem.name()),
            Special::Gain(step) => return format!("<{:.1}>", step.size_db()),
            Special::Verdict(verdict) => return format!("<v:{}>", verdict.name()),
            Special::Intent(intent) => return format!("<ask:{}>", intent.name()),
        };
        fixed.to_string()
    }
}

impl Special {
    /// The gain token nearest to an error of `size_db`: see [`GainStep::nearest`].
    pub fn gain(size_db: f32) -> Special {
        Special::Gain(GainStep::nearest(size_db))
    }

    /// The size in dB of a gain token, none for the others.
    pub fn size_db(self) -> Option<f32> {
        match self {
            Special::Gain(step) => Some(step.size_db()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_distinct_and_bracketed() {
        let names: HashSet<String> = Special::all().into_iter().map(Special::text).collect();
        assert_eq!(names.len(), Special::all().len());
        assert_eq!(names.len(), 49);
        assert!(names.iter().all(|name| name.starts_with('<') && name.ends_with('>')));
    }

    #[test]
    fn gains_run_from_3_to_12_in_half_steps() {
        assert_eq!(Special::Gain(GainStep::FIRST).text(), "<3.0>");
        assert_eq!(Special::Gain(GainStep::LAST).text(), "<12.0>");
        assert_eq!(Special::gain(-4.3).size_db(), Some(4.5));
        assert_eq!(Special::gain(0.2).size_db(), Some(3.0));
        assert_eq!(Special::gain(f32::INFINITY).size_db(), Some(12.0));
        assert_eq!(Special::gain(f32::NAN).size_db(), Some(3.0));
    }
}
