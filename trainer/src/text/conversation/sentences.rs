//! The sentences of an answer, one kind each, drawn from the wordings.

use super::figures::{gain, is_nothing, percent, size};
use super::wordings::ConversationWordings;
use crate::text::wordings::{Number, Scope};
use anyhow::{Context, Result};
use mixing_buddy_core::conversation::Facts;
use mixing_buddy_core::{Direction, Stem, Verdict};
use rand::Rng;
use rand::seq::IndexedRandom;

/// Placeholders that the program fills, besides words and names of stems.
pub(super) const FIXED: &[&str] = &[
    "n",
    "level",
    "expected",
    "beside",
    "distance",
    "low",
    "high",
    "gain",
    "sure",
    "limit",
    "chance",
    "direction",
    "degree",
    "aim",
    "matter",
    "claim",
    "evidence",
    "move",
    "more",
    "opening",
    "kept",
    "doubt",
    "elsewhere",
    "because",
    "first",
    "alone",
    "missing",
    "absent",
];

/// Without a reference: share of levels that another stem's stands beside, and of the others those with the usual range. The
/// usual range is always the same, so that most answers would share its words.
const BESIDE_SHARE: f64 = 0.75;
const USUAL_SHARE: f64 = 0.4;
/// Share of the answers on confidence that name the second guess.
const SECOND_GUESS_SHARE: f64 = 0.3;

/// Draws sentences about the facts of one window.
pub(super) struct Sentences<'a, R> {
    pub wordings: &'a ConversationWordings,
    pub facts: &'a Facts,
    pub rng: &'a mut R,
}

impl<R: Rng> Sentences<'_, R> {
    /// A wording, with the forms of a stem.
    pub fn of(
        &mut self,
        section: &str,
        key: &str,
        stem: Option<Stem>,
        fixed: &[(&str, &str)],
    ) -> Result<String> {
        let is_one = stem.is_some_and(|stem| self.wordings.language.is_singular(stem));
        let number = if is_one { Number::One } else { Number::Many };
        let name = stem.map_or("vocals", Stem::name);
        let scope = Scope { number, fixed, parts: &["words", name] };
        self.wordings.answers.draw(section, key, &scope, self.rng)
    }

    /// The whole answer: a plan, filled with sentences.
    pub fn plan(&mut self, key: &str, sentences: &[(&str, String)]) -> Result<String> {
        let fixed: Vec<(&str, &str)> = sentences.iter().map(|(name, text)| (*name, text.as_str())).collect();
        self.of("plan", key, None, &fixed)
    }

    /// "9 LU under the rest", of a stem.
    fn level(&mut self, section: &str, stem: Stem, level_lu: f32) -> Result<String> {
        let key = match level_lu {
            level if is_nothing(level) => "even",
            level if level < 0.0 => "under",
            _ => "over",
        };
        let n = self.wordings.language.figure(&size(level_lu));
        self.of(section, key, Some(stem), &[("n", &n)])
    }

    /// "4 LU quieter".
    pub fn distance(&mut self, stem: Stem, difference_lu: f32) -> Result<String> {
        let key = match difference_lu {
            difference if is_nothing(difference) => "equal",
            difference if difference < 0.0 => "quieter",
            _ => "louder",
        };
        let n = self.wordings.language.figure(&size(difference_lu));
        self.of("distance", key, Some(stem), &[("n", &n)])
    }

    /// A level in the list of all, or that the stem is absent.
    pub fn listed_level(&mut self, stem: Stem) -> Result<String> {
        match self.facts.levels_lu[stem] {
            None => self.of("levels", "absent", Some(stem), &[]),
            Some(level) => {
                let level = self.level("level", stem, level)?;
                self.of("levels", "stem", Some(stem), &[("level", &level)])
            }
        }
    }

    /// Where a stem sits, and where it would be expected. Blank for an absent stem.
    pub fn evidence(&mut self, stem: Stem) -> Result<String> {
        let Some(level_lu) = self.facts.levels_lu[stem] else { return Ok(String::new()) };
        let level = self.level("level", stem, level_lu)?;
        let reference = self.facts.reference_lu.as_ref().map(|reference| reference[stem]);
        match reference {
            Some(Some(reference_lu)) => {
                let expected = self.level("short", stem, reference_lu)?;
                let distance = self.distance(stem, level_lu - reference_lu)?;
                let key = if is_nothing(level_lu - reference_lu) { "reference_equal" } else { "reference" };
                let fixed = [("level", level.as_str()), ("expected", &expected), ("distance", &distance)];
                self.of("evidence", key, Some(stem), &fixed)
            }
            None if self.rng.random_bool(BESIDE_SHARE) => match self.beside(stem)? {
                Some(beside) => {
                    let fixed = [("level", level.as_str()), ("beside", &beside)];
                    self.of("evidence", "pair", Some(stem), &fixed)
                }
                None => self.of("evidence", "plain", Some(stem), &[("level", &level)]),
            },
            None if self.rng.random_bool(USUAL_SHARE) => {
                let (low, high) = self.facts.usual_lu[stem];
                let (low, high) = (self.level("short", stem, low)?, self.level("short", stem, high)?);
                let fixed = [("level", level.as_str()), ("low", &low), ("high", &high)];
                self.of("evidence", "usual", Some(stem), &fixed)
            }
            _ => self.of("evidence", "plain", Some(stem), &[("level", &level)]),
        }
    }

    /// The level of another target that is present, if there is one.
    fn beside(&mut self, stem: Stem) -> Result<Option<String>> {
        let levels = &self.facts.levels_lu;
        let others: Vec<(Stem, f32)> = Stem::TARGETS
            .into_iter()
            .filter(|other| *other != stem)
            .filter_map(|other| Some((other, levels[other]?)))
            .collect();
        let Some((other, level_lu)) = others.choose(self.rng).copied() else { return Ok(None) };
        let level = self.level("level", other, level_lu)?;
        self.of("beside", "stem", Some(other), &[("level", &level)]).map(Some)
    }

    /// What is off, or that nothing is.
    pub fn claim(&mut self) -> Result<String> {
        let Some((stem, direction)) = self.facts.error() else { return self.of("claim", "right", None, &[]) };
        let is_very = matches!(self.facts.best.verdict, Verdict::VeryQuiet | Verdict::VeryLoud);
        let degree = self.wordings.answers.list("words", if is_very { "large" } else { "small" })?;
        let degree = degree.choose(self.rng).context("checked on loading: no list is empty")?.clone();
        self.of("claim", key_of(direction), Some(stem), &[("degree", &degree)])
    }

    /// The move that corrects the mix. Blank where nothing is off.
    pub fn movement(&mut self, section: &str) -> Result<String> {
        let (Some(stem), Some(gain_db)) = (self.facts.best.stem, self.facts.best.gain_db) else {
            return Ok(String::new());
        };
        let key = if gain_db < 0.0 { "lower" } else { "raise" };
        let gain = self.wordings.language.figure(&gain(gain_db));
        self.of(section, key, Some(stem), &[("gain", &gain)])
    }

    /// The second guess, where it is about this stem. Blank otherwise.
    pub fn doubt(&mut self, stem: Stem, from: f32) -> Result<String> {
        let guess = self.facts.runner_up.filter(|guess| guess.probability >= from);
        let Some((guess, (_, direction))) =
            guess.and_then(|guess| Some((guess, guess.error?))).filter(|(_, (named, _))| *named == stem)
        else {
            return Ok(String::new());
        };
        let word = self.direction_word(direction)?;
        let fixed = [("chance", percent(guess.probability)), ("direction", word)];
        let fixed: Vec<(&str, &str)> = fixed.iter().map(|(key, text)| (*key, text.as_str())).collect();
        self.of("kept", "doubt", Some(stem), &fixed)
    }

    /// How sure the advisor is.
    pub fn confidence(&mut self) -> Result<String> {
        let (sure, limit) = (percent(self.facts.confidence), percent(self.facts.threshold));
        let first = match self.facts.error() {
            None => self.of("sure", "right", None, &[("sure", &sure)])?,
            Some((stem, direction)) => {
                let word = self.direction_word(direction)?;
                self.of("sure", "off", Some(stem), &[("sure", &sure), ("direction", &word)])?
            }
        };
        let key = if self.facts.is_confident() { "committed" } else { "uncommitted" };
        let second = self.of("sure", key, None, &[("limit", &limit)])?;
        let third = match self.facts.runner_up {
            Some(guess) if self.rng.random_bool(SECOND_GUESS_SHARE) => {
                let chance = percent(guess.probability);
                match guess.error {
                    None => self.of("sure", "next_right", None, &[("chance", &chance)])?,
                    Some((stem, direction)) => {
                        let word = self.direction_word(direction)?;
                        let fixed = [("chance", chance.as_str()), ("direction", &word)];
                        self.of("sure", "next_off", Some(stem), &fixed)?
                    }
                }
            }
            _ => String::new(),
        };
        Ok(format!("{first} {second} {third}"))
    }

    /// "loud" or "quiet" in the language: the first of its words.
    fn direction_word(&self, direction: Direction) -> Result<String> {
        let words = self.wordings.answers.list("words", key_of(direction))?;
        Ok(words.first().cloned().unwrap_or_default())
    }
}

/// The key of a direction.
fn key_of(direction: Direction) -> &'static str {
    match direction {
        Direction::Quiet => "quiet",
        Direction::Loud => "loud",
    }
}
