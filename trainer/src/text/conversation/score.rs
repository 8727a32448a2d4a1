//! All checks on many answers, counted.

use super::contradiction::{Contradiction, contradictions};
use super::language::Language;
use super::lexicon::Lexicon;
use super::runs::WordRuns;
use super::subject::{is_about, is_no};
use anyhow::Result;
use mixing_buddy_core::conversation::{Facts, Topic};
use serde::Serialize;
use std::collections::BTreeMap;

/// Answers that are shown as examples of each fault.
const EXAMPLES: usize = 20;

/// An answer to be scored.
#[derive(Clone, Copy, Debug)]
pub struct ReadTurn<'a> {
    /// The language of the answer.
    pub language: Language,
    /// What is known of the window.
    pub facts: &'a Facts,
    /// What the question is about.
    pub topic: Topic,
    /// The question.
    pub question: &'a str,
    /// The answer.
    pub answer: &'a str,
}

/// How many of so many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Share {
    /// Those that count.
    pub count: usize,
    /// All.
    pub of: usize,
}

impl Share {
    fn add(&mut self, counts: bool) {
        self.count += usize::from(counts);
        self.of += 1;
    }

    /// The share, 0 to 1; none of none.
    pub fn share(self) -> Option<f64> {
        (self.of > 0).then(|| self.count as f64 / self.of as f64)
    }
}

/// An answer with a fault.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fault {
    /// The check that it fails.
    pub check: &'static str,
    /// The question.
    pub question: String,
    /// The answer.
    pub answer: String,
    /// What is wrong, where the check says it.
    pub details: Vec<Contradiction>,
}

/// The counts of all checks.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Score {
    /// Answers that should explain, and of them those that contradict the facts.
    pub contradicting: Share,
    /// The same, and of them those that share no run of eight words with templates or training texts.
    pub own_words: Share,
    /// Answers to questions about a stem, and of them those about that stem.
    pub about_the_stem: Share,
    /// Answers to questions out of reach, and of them those that are a short no.
    pub noes: Share,
    /// The first faults of each check.
    pub faults: Vec<Fault>,
}

/// Counts the faults of answers.
pub struct Scorer {
    lexicons: BTreeMap<Language, Lexicon>,
    runs: WordRuns,
    score: Score,
}

impl Scorer {
    /// A scorer that knows these runs of words.
    ///
    /// # Errors
    /// When a lexicon is not sound.
    pub fn new(runs: WordRuns) -> Result<Self> {
        let lexicon = |language| Ok((language, Lexicon::shipped(language)?));
        let lexicons = Language::ALL.into_iter().map(lexicon).collect::<Result<_>>()?;
        Ok(Scorer { lexicons, runs, score: Score::default() })
    }

    /// Checks an answer.
    pub fn add(&mut self, turn: ReadTurn<'_>) {
        let Some(lexicon) = self.lexicons.get(&turn.language) else { return };
        if turn.topic.is_out_of_reach() {
            let no = is_no(turn.answer, lexicon);
            self.score.noes.add(no);
            self.fault("no", no, turn, Vec::new());
            return;
        }
        let found = contradictions(turn.answer, turn.facts, lexicon);
        let about = turn.topic.asked_stem().map(|stem| is_about(turn.answer, stem, lexicon));
        self.score.contradicting.add(!found.is_empty());
        self.score.own_words.add(self.runs.shared(turn.answer).is_none());
        self.fault("contradiction", found.is_empty(), turn, found);
        if let Some(is_about) = about {
            self.score.about_the_stem.add(is_about);
            self.fault("about", is_about, turn, Vec::new());
        }
    }

    /// The counts.
    pub fn finish(self) -> Score {
        self.score
    }

    fn fault(
        &mut self,
        check: &'static str,
        is_right: bool,
        turn: ReadTurn<'_>,
        details: Vec<Contradiction>,
    ) {
        let shown = self.score.faults.iter().filter(|fault| fault.check == check).count();
        if !is_right && shown < EXAMPLES {
            let (question, answer) = (turn.question.to_string(), turn.answer.to_string());
            self.score.faults.push(Fault { check, question, answer, details });
        }
    }
}
