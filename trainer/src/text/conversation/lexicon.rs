//! The words by which answers are checked, read from `lexicon.toml`.

use super::language::Language;
use anyhow::{Context, Result, bail, ensure};
use mixing_buddy_core::Stem;
use std::collections::BTreeMap;

/// Sections and keys, besides the stems.
const KEYS: &[(&str, &[&str])] = &[
    ("stems", &["not_meant"]),
    (
        "claims",
        &[
            "too_loud",
            "too_quiet",
            "covers",
            "little_loud",
            "little_quiet",
            "lower",
            "raise",
            "lower_by",
            "raise_by",
            "right",
            "negation",
            "hedge",
            "second",
            "condition",
        ],
    ),
    ("sides", &["under", "over", "quieter", "louder", "than"]),
    ("contexts", &["splits", "pronouns", "reference", "usual", "here"]),
    ("units", &["loudness", "gain", "percent", "ignored"]),
    ("no", &["refusal"]),
];

/// A list of phrases, each as its words.
pub type Phrases = Vec<Vec<String>>;

/// The lexicon of a language, checked.
#[derive(Clone, Debug)]
pub struct Lexicon {
    /// The language.
    pub language: Language,
    lists: BTreeMap<(String, String), Phrases>,
}

impl Lexicon {
    /// The one that is compiled in.
    ///
    /// # Errors
    /// Never in practice: a test reads it.
    pub fn shipped(language: Language) -> Result<Self> {
        Self::parse(language, language.files().lexicon)
    }

    /// From the text of `lexicon.toml`.
    ///
    /// # Errors
    /// When a key is missing, empty or not known.
    pub fn parse(language: Language, text: &str) -> Result<Self> {
        let name = format!("{}/lexicon.toml", language.code());
        let sections: BTreeMap<String, BTreeMap<String, Vec<String>>> =
            toml::from_str(text).with_context(|| format!("{name} is not a lexicon"))?;
        let mut lists = BTreeMap::new();
        let stems = Stem::ALL.map(Stem::name);
        for (section, keys) in sections {
            for (key, phrases) in keys {
                let known = KEYS.iter().any(|(s, keys)| *s == section && keys.contains(&key.as_str()))
                    || (section == "stems" && stems.contains(&key.as_str()));
                ensure!(known, "{name}: [{section}] {key} is not known");
                let phrases: Phrases = phrases
                    .iter()
                    .map(|phrase| phrase.split_whitespace().map(String::from).collect())
                    .collect();
                ensure!(!phrases.is_empty(), "{name}: [{section}] {key} is empty");
                lists.insert((section.clone(), key), phrases);
            }
        }
        let wanted = KEYS.iter().flat_map(|(section, keys)| keys.iter().map(move |key| (*section, *key)));
        for (section, key) in wanted.chain(stems.map(|stem| ("stems", stem))) {
            if !lists.contains_key(&(section.to_string(), key.to_string())) {
                bail!("{name}: [{section}] {key} is missing");
            }
        }
        Ok(Lexicon { language, lists })
    }

    /// The phrases of a key; none for a key that is not known.
    pub fn phrases(&self, section: &str, key: &str) -> &[Vec<String>] {
        self.lists.get(&(section.to_string(), key.to_string())).map_or(&[], Vec::as_slice)
    }

    /// The longest phrase of a key with which the words begin: its length, none where there is none.
    pub fn begins(&self, section: &str, key: &str, words: &[String]) -> Option<usize> {
        let fits = |phrase: &&Vec<String>| {
            words.len() >= phrase.len() && words.iter().zip(*phrase).all(|(a, b)| a == b)
        };
        self.phrases(section, key).iter().filter(fits).map(Vec::len).max()
    }

    /// Where phrases of a key begin in the words.
    pub fn places(&self, section: &str, key: &str, words: &[String]) -> Vec<usize> {
        (0..words.len()).filter(|at| self.begins(section, key, &words[*at..]).is_some()).collect()
    }

    /// Whether a phrase of a key occurs.
    pub fn occurs(&self, section: &str, key: &str, words: &[String]) -> bool {
        !self.places(section, key, words).is_empty()
    }

    /// The stem whose name the words begin with, and the length of the name. The longest name wins.
    pub fn stem(&self, words: &[String]) -> Option<(Stem, usize)> {
        let names =
            Stem::ALL.into_iter().filter_map(|stem| Some((stem, self.begins("stems", stem.name(), words)?)));
        names.max_by_key(|(_, length)| *length)
    }
}
