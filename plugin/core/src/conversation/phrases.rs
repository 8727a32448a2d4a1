//! Levels, moves and outcomes in words.

use crate::advice::BestAnswer;
use crate::gain_grid::GainStep;
use crate::language::gain_words;
use crate::stem::{Direction, Stem};

/// A stem as a noun, with the forms of verbs and pronouns that go with it.
pub(super) struct Noun {
    /// With its article.
    pub the: &'static str,
    /// Without.
    pub name: &'static str,
    /// "is" or "are".
    pub are: &'static str,
    /// "sits" or "sit".
    pub sit: &'static str,
    /// "It" or "They".
    pub they: &'static str,
    /// "it" or "them".
    pub them: &'static str,
}

impl Noun {
    /// The noun of a stem.
    pub fn of(stem: Stem) -> Noun {
        let many = |the, name| Noun { the, name, are: "are", sit: "sit", they: "They", them: "them" };
        match stem {
            Stem::Vocals => many("the vocals", "vocals"),
            Stem::Drums => many("the drums", "drums"),
            Stem::Bass => {
                Noun { the: "the bass", name: "bass", are: "is", sit: "sits", they: "It", them: "it" }
            }
            Stem::Other => many("the other instruments", "other instruments"),
        }
    }
}

/// The size of a level or difference, to half a unit, without its unit: "6.5".
pub(super) fn size(value: f32) -> String {
    let rounded = (value.abs() / GainStep::STEP_DB).round() * GainStep::STEP_DB;
    format!("{rounded}")
}

/// Whether a level or difference is shown as zero.
pub(super) fn is_nothing(value: f32) -> bool {
    value.abs() < GainStep::STEP_DB / 2.0
}

/// A level against the rest: "6 LU under the rest".
pub(super) fn against_rest(level_lu: f32) -> String {
    match level_lu {
        level if is_nothing(level) => "level with the rest".into(),
        level if level < 0.0 => format!("{} LU under the rest", size(level)),
        level => format!("{} LU over the rest", size(level)),
    }
}

/// A level against the rest, said after another: "5 under" or "level with it".
pub(super) fn short_level(level_lu: f32) -> String {
    match level_lu {
        level if is_nothing(level) => "level with it".into(),
        level if level < 0.0 => format!("{} LU under it", size(level)),
        level => format!("{} LU over it", size(level)),
    }
}

/// An order: "lower the drums by about 4 dB".
pub(super) fn order(best: &BestAnswer) -> Option<String> {
    let (stem, gain_db) = (best.stem?, best.gain_db?);
    let verb = if gain_db < 0.0 { "lower" } else { "raise" };
    Some(format!("{verb} {} by about {}", Noun::of(stem).the, gain_words(gain_db)))
}

/// An outcome as a clause: "the drums are too loud".
pub(super) fn outcome(error: Option<(Stem, Direction)>) -> String {
    match error {
        None => "nothing is off".into(),
        Some((stem, direction)) => {
            let noun = Noun::of(stem);
            format!("{} {} too {}", noun.the, noun.are, direction_word(direction))
        }
    }
}

/// "loud" or "quiet".
pub(super) fn direction_word(direction: Direction) -> &'static str {
    match direction {
        Direction::Quiet => "quiet",
        Direction::Loud => "loud",
    }
}

/// With a capital letter.
pub(super) fn capital(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// A probability: "74 %".
pub(super) fn percent(probability: f32) -> String {
    format!("{:.0} %", probability * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_given_to_half_a_unit() {
        assert_eq!(against_rest(-6.3), "6.5 LU under the rest");
        assert_eq!(against_rest(0.2), "level with the rest");
        assert_eq!(short_level(3.1), "3 LU over it");
        assert_eq!(capital(&outcome(Some((Stem::Bass, Direction::Quiet)))), "The bass is too quiet");
        assert_eq!(percent(0.736), "74 %");
    }
}
