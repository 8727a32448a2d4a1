//! The answer to a topic, drawn from the facts of a window.

use super::sentences::Sentences;
use super::wordings::{ConversationWordings, tidy};
use crate::text::wordings::capitalised;
use anyhow::Result;
use mixing_buddy_core::Stem;
use mixing_buddy_core::conversation::{Facts, Topic};
use rand::Rng;
use rand::seq::IndexedRandom;

/// Probability of a second guess from which an answer may mention it.
const MENTIONED_FROM: f32 = 0.2;

/// Draws answers.
#[derive(Clone, Copy, Debug)]
pub struct Answerer<'a> {
    wordings: &'a ConversationWordings,
}

impl<'a> Answerer<'a> {
    /// Draws from these wordings.
    pub fn new(wordings: &'a ConversationWordings) -> Self {
        Answerer { wordings }
    }

    /// An answer to a question on this topic. All its figures are those of the facts, to half a unit.
    ///
    /// # Errors
    /// When parts of a wording contain each other in a circle.
    pub fn answer(&self, topic: Topic, facts: &Facts, rng: &mut impl Rng) -> Result<String> {
        let mut answer = Answering { sentences: Sentences { wordings: self.wordings, facts, rng } };
        let text = match topic {
            Topic::Balance => answer.verdict("")?,
            Topic::About(stem) => answer.about(stem)?,
            Topic::Compare(stem) => answer.compare(stem)?,
            Topic::Levels(stem) => answer.levels(stem)?,
            Topic::Why(stem) => answer.why(stem)?,
            Topic::Confidence => answer.sentences.confidence()?,
            Topic::First => answer.first()?,
            Topic::Only(stem) => answer.only(stem)?,
            Topic::OutOfReach(field) => {
                let matter = answer.sentences.of("matter", field.name(), None, &[])?;
                answer.sentences.of("no", "any", None, &[("matter", &matter)])?
            }
            Topic::Unclear => answer.sentences.of("no", "unclear", None, &[])?,
        };
        Ok(capitalised(&tidy(&text)))
    }
}

struct Answering<'a, R> {
    sentences: Sentences<'a, R>,
}

impl<R: Rng> Answering<'_, R> {
    fn is_sure(&self) -> bool {
        self.sentences.facts.is_confident()
    }

    fn key(&self, sure: &'static str, unsure: &'static str) -> &'static str {
        if self.is_sure() { sure } else { unsure }
    }

    /// A target that is present, at random; the one that is off where one is.
    fn shown_stem(&mut self) -> Option<Stem> {
        let facts = self.sentences.facts;
        let present: Vec<Stem> =
            Stem::TARGETS.into_iter().filter(|stem| facts.levels_lu[*stem].is_some()).collect();
        facts.best.stem.or_else(|| present.choose(self.sentences.rng).copied())
    }

    /// The verdict with its evidence, after `missing`, which says that something is missing.
    fn verdict(&mut self, missing: &str) -> Result<String> {
        let is_off = self.sentences.facts.error().is_some();
        let plan = match (missing.is_empty(), is_off) {
            (true, true) => self.key("off", "off_unsure"),
            (true, false) => self.key("right", "right_unsure"),
            (false, true) => "no_reference",
            (false, false) => "no_reference_right",
        };
        let evidence = match self.shown_stem() {
            Some(stem) => self.sentences.evidence(stem)?,
            None => String::new(),
        };
        let filled = [
            ("claim", self.sentences.claim()?),
            ("evidence", evidence),
            ("move", self.sentences.movement("move")?),
            ("more", self.sentences.of("rest", "leave", None, &[])?),
            ("opening", self.sentences.of("unsure", "opening", None, &[])?),
            ("missing", missing.to_string()),
        ];
        self.sentences.plan(plan, &filled)
    }

    fn elsewhere(&mut self, stem: Stem) -> Result<String> {
        if self.sentences.facts.best.stem == Some(stem) {
            return Ok(String::new());
        }
        self.sentences.movement("elsewhere")
    }

    fn absent(&mut self, stem: Stem) -> Result<String> {
        let absent = self.sentences.of("absent", "absent", Some(stem), &[])?;
        let elsewhere = self.elsewhere(stem)?;
        self.sentences.plan("absent", &[("absent", absent), ("elsewhere", elsewhere)])
    }

    fn is_absent(&self, stem: Stem) -> bool {
        self.sentences.facts.levels_lu[stem].is_none()
    }

    fn about(&mut self, stem: Stem) -> Result<String> {
        if self.is_absent(stem) {
            return self.absent(stem);
        }
        if self.sentences.facts.best.stem == Some(stem) {
            return self.verdict("");
        }
        let key = match stem {
            Stem::Other => "other",
            stem if self.sentences.facts.anchor == Some(stem) => "anchor",
            _ => self.key("sure", "unsure"),
        };
        let filled = [
            ("kept", self.sentences.of("kept", key, Some(stem), &[])?),
            ("evidence", self.sentences.evidence(stem)?),
            ("doubt", self.sentences.doubt(stem, MENTIONED_FROM)?),
            ("elsewhere", self.elsewhere(stem)?),
        ];
        let is_off = self.sentences.facts.error().is_some();
        self.sentences.plan(if is_off { "kept_elsewhere" } else { "kept" }, &filled)
    }

    fn compare(&mut self, stem: Option<Stem>) -> Result<String> {
        let facts = self.sentences.facts;
        if facts.reference_lu.is_none() {
            let missing = self.sentences.of("missing", "reference", None, &[])?;
            return match stem {
                None => self.verdict(&missing),
                Some(stem) => Ok(format!("{missing} {}", self.about(stem)?)),
            };
        }
        if let Some(stem) = stem {
            let has_none = facts.reference_lu.as_ref().is_some_and(|reference| reference[stem].is_none());
            let about = self.about(stem)?;
            return Ok(match has_none && !self.is_absent(stem) {
                true => format!("{} {about}", self.sentences.of("missing", "stem", Some(stem), &[])?),
                false => about,
            });
        }
        let mut parts = Vec::new();
        for stem in Stem::TARGETS {
            if let Some(difference) = facts.from_reference_lu(stem) {
                let distance = self.sentences.distance(stem, difference)?;
                parts.push(self.sentences.of("compare", "stem", Some(stem), &[("distance", &distance)])?);
            }
        }
        let opening = self.sentences.of("compare", "opening", None, &[])?;
        Ok(format!("{opening} {}. {}", parts.join(", "), self.verdict("")?))
    }

    fn levels(&mut self, stem: Option<Stem>) -> Result<String> {
        match stem {
            Some(stem) if self.is_absent(stem) => self.sentences.of("absent", "absent", Some(stem), &[]),
            Some(stem) => self.sentences.evidence(stem),
            None => {
                let opening = self.sentences.of("levels", "opening", None, &[])?;
                let parts: Vec<String> = Stem::ALL
                    .into_iter()
                    .map(|stem| self.sentences.listed_level(stem))
                    .collect::<Result<_>>()?;
                Ok(format!("{opening} {}.", parts.join(", ")))
            }
        }
    }

    fn why(&mut self, stem: Option<Stem>) -> Result<String> {
        let facts = self.sentences.facts;
        if let Some(stem) = stem.filter(|stem| facts.best.stem != Some(*stem)) {
            return self.about(stem);
        }
        let (plan, because) = if facts.error().is_some() {
            let key = self.key("off", "off_unsure");
            ("why_off", self.sentences.of("because", key, None, &[])?)
        } else {
            let key = if facts.reference_lu.is_some() { "reference" } else { "norms" };
            let aim = self.sentences.of("because", key, None, &[])?;
            ("why_right", self.sentences.of("because", "right", None, &[("aim", &aim)])?)
        };
        let evidence = match self.shown_stem() {
            Some(stem) => self.sentences.evidence(stem)?,
            None => String::new(),
        };
        let filled = [
            ("because", because),
            ("evidence", evidence),
            ("claim", self.sentences.claim()?),
            ("move", self.sentences.movement("move")?),
        ];
        self.sentences.plan(plan, &filled)
    }

    fn first(&mut self) -> Result<String> {
        let Some((stem, _)) = self.sentences.facts.error() else { return self.verdict("") };
        let key = self.key("first", "first_unsure");
        let filled = [
            ("first", self.sentences.of("first", key, Some(stem), &[])?),
            ("move", self.sentences.movement("move")?),
            ("evidence", self.sentences.evidence(stem)?),
            ("more", self.sentences.of("rest", "leave", None, &[])?),
        ];
        self.sentences.plan("first", &filled)
    }

    fn only(&mut self, stem: Stem) -> Result<String> {
        if self.is_absent(stem) {
            return self.absent(stem);
        }
        let named = self.sentences.facts.error().map(|(named, _)| named);
        let (plan, key) = match named {
            Some(named) if named == stem => ("only_named", self.key("named", "named_unsure")),
            Some(_) => ("only_other", "other"),
            None => ("only_right", "right"),
        };
        let filled = [
            ("alone", self.sentences.of("only", key, Some(stem), &[])?),
            ("evidence", self.sentences.evidence(stem)?),
            ("move", self.sentences.movement("move")?),
            ("elsewhere", self.elsewhere(stem)?),
        ];
        self.sentences.plan(plan, &filled)
    }
}
