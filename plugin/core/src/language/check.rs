//! Checks that a sentence, which the model writes freely, agrees with the decision, which the grammar binds.

use super::decision::Decision;
use super::special::Special;
use crate::advice::Verdict;
use crate::error::{Error, Result};
use crate::stem::Direction;

/// Words that contradict an error "too quiet".
const NOT_QUIET: &[&str] = &[
    "loud",
    "lower",
    "reduce",
    "down",
    "trim",
    "cut",
    "hot",
    "pull",
    "dominate",
    "dominates",
    "overpower",
    "overpowers",
    "drop",
];
/// Words that contradict an error "too loud".
const NOT_LOUD: &[&str] = &[
    "quiet", "raise", "lift", "boost", "up", "push", "buried", "hidden", "lost", "weak", "faint", "quieter",
];
/// Words that contradict "no error".
const NOT_RIGHT: &[&str] =
    &["loud", "quiet", "louder", "quieter", "raise", "lower", "lift", "boost", "reduce", "trim", "buried"];
/// Words that contradict an error of less than [`Verdict::VERY_DB`].
const NOT_SMALL: &[&str] = &["far", "much", "way", "badly", "heavily"];
/// Words that contradict an error of [`Verdict::VERY_DB`] or more.
const NOT_VERY: &[&str] = &["slightly", "little", "touch", "bit", "hair", "shade"];
/// Names of stems, which a sentence about one stem writes as a slot.
const NAMES: &[&str] =
    &["vocal", "vocals", "voice", "voices", "singer", "drum", "drums", "kick", "snare", "bass", "bassline"];

fn words_of(lower_case: &str) -> impl Iterator<Item = &str> {
    lower_case.split(|sign: char| !sign.is_alphabetic()).filter(|word| !word.is_empty())
}

/// Checks what the grammar cannot: that the sentence (with slots) is complete, names the stem, gives the figure, and
/// uses no word of the opposite direction. [`super::fallback_sentence`] replaces a sentence that fails.
///
/// # Errors
/// With the reason, when the sentence fails.
pub fn check_sentence(decision: &Decision, sentence: &str) -> Result<()> {
    let fault = |reason: String| Err(Error::Format(format!("the sentence '{sentence}' {reason}")));
    let sentence_text = sentence.trim();
    if !sentence_text.ends_with(['.', '!', '?']) {
        return fault("is not finished".to_string());
    }
    let [stem_slot, gain_slot] = [Special::StemSlot, Special::GainSlot].map(Special::text);
    let needs_stem = decision.slot_stem().is_some();
    if sentence_text.contains(&stem_slot) != needs_stem {
        return fault(format!("{} the slot {stem_slot}", if needs_stem { "lacks" } else { "may not have" }));
    }
    let needs_gain = decision.error.is_some();
    if sentence_text.contains(&gain_slot) != needs_gain {
        return fault(format!("{} the slot {gain_slot}", if needs_gain { "lacks" } else { "may not have" }));
    }

    let plain = sentence_text.replace(&stem_slot, " ").replace(&gain_slot, " ").to_lowercase();
    let words: Vec<&str> = words_of(&plain).collect();
    if words.len() < 2 {
        return fault("is too short".to_string());
    }
    let mut foreign: Vec<&[&str]> = Vec::new();
    match decision.error {
        None => foreign.push(NOT_RIGHT),
        Some(error) => {
            foreign.push(match error.direction {
                Direction::Quiet => NOT_QUIET,
                Direction::Loud => NOT_LOUD,
            });
            let very = matches!(decision.verdict(), Verdict::VeryQuiet | Verdict::VeryLoud);
            foreign.push(if very { NOT_VERY } else { NOT_SMALL });
        }
    }
    if needs_stem {
        foreign.push(NAMES);
    }
    match words.iter().find(|word| foreign.iter().any(|list| list.contains(word))) {
        Some(word) => {
            fault(format!("has the word '{word}', which does not fit {}", decision.verdict().name()))
        }
        None => Ok(()),
    }
}
