//! Wordings of questions that are never drawn for training.

use super::language::Language;
use anyhow::{Context, Result, bail};
use mixing_buddy_core::Stem;
use mixing_buddy_core::conversation::{Field, Topic};
use mixing_buddy_core::language::normalise_question;
use std::collections::{BTreeMap, BTreeSet};

/// A held-out question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldOutQuestion {
    /// Its language.
    pub language: Language,
    /// What it is about.
    pub topic: Topic,
    /// The words.
    pub question: String,
}

/// The held-out questions of a language.
#[derive(Clone, Debug)]
pub struct HeldOut {
    questions: Vec<HeldOutQuestion>,
    normalised: BTreeSet<String>,
}

impl HeldOut {
    /// Those that are compiled in.
    ///
    /// # Errors
    /// Never in practice: a test reads them.
    pub fn shipped(language: Language) -> Result<Self> {
        Self::parse(language, language.files().held_out)
    }

    /// From the text of `heldout.toml`.
    ///
    /// # Errors
    /// When a key is no topic, stem or field, or a question is repeated; the error names it.
    pub fn parse(language: Language, text: &str) -> Result<Self> {
        let name = format!("{}/heldout.toml", language.code());
        let sections: BTreeMap<String, BTreeMap<String, Vec<String>>> =
            toml::from_str(text).with_context(|| format!("{name} is not a list of questions"))?;
        let (mut questions, mut normalised) = (Vec::new(), BTreeSet::new());
        for (section, keys) in sections {
            for (key, list) in keys {
                let topic = topic_of(&section, &key)
                    .with_context(|| format!("{name}: [{section}] {key} is not known"))?;
                for question in list {
                    // "?!?" has no words, but is a question, too.
                    let plain = normalise_question(&question);
                    if !plain.is_empty() && !normalised.insert(plain) {
                        bail!("{name}: '{question}' is repeated");
                    }
                    questions.push(HeldOutQuestion { language, topic, question });
                }
            }
        }
        Ok(HeldOut { questions, normalised })
    }

    /// All questions.
    pub fn questions(&self) -> &[HeldOutQuestion] {
        &self.questions
    }

    /// Whether a question is, after normalization, one of these.
    pub fn contains(&self, question: &str) -> bool {
        self.normalised.contains(&normalise_question(question))
    }
}

fn topic_of(section: &str, key: &str) -> Option<Topic> {
    if section == "out_of_reach" {
        let field = Field::ALL.into_iter().find(|field| field.name() == key);
        return field.map(Topic::OutOfReach).or((key == "unclear").then_some(Topic::Unclear));
    }
    let stem = if key == "any" { None } else { Some(key.parse::<Stem>().ok()?) };
    Some(match section {
        "balance" if stem.is_none() => Topic::Balance,
        "confidence" if stem.is_none() => Topic::Confidence,
        "first" if stem.is_none() => Topic::First,
        "about" => Topic::About(stem?),
        "only" => Topic::Only(stem?),
        "compare" => Topic::Compare(stem),
        "levels" => Topic::Levels(stem),
        "why" => Topic::Why(stem),
        _ => return None,
    })
}
