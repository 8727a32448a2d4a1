//! The wordings of a language, read and checked; questions drawn from them.

use super::language::Language;
use super::sentences::FIXED;
use crate::text::corpus::with_typo;
use crate::text::wordings::{Number, Rule, Scope, WordingFile, capitalised};
use anyhow::{Result, bail};
use mixing_buddy_core::Stem;
use mixing_buddy_core::conversation::{Field, Topic};
use rand::Rng;

/// Share of questions with a typing error.
const TYPO_SHARE: f64 = 0.12;
/// Share of questions without capitals and punctuation, as people type in a hurry.
const PLAIN_SHARE: f64 = 0.3;
/// Fewest wordings of a question, and of a kind of answer. Chosen, not tuned.
const LEAST_QUESTIONS: usize = 5;
const LEAST_ANSWERS: usize = 2;

/// Sections of `questions.toml` besides the fields out of reach: their keys, and whether these need {stem}.
const QUESTIONS: &[(&str, &str, bool)] = &[
    ("balance", "wordings", false),
    ("about", "wordings", true),
    ("compare", "wordings", false),
    ("compare", "stem", true),
    ("levels", "wordings", false),
    ("levels", "stem", true),
    ("why", "wordings", false),
    ("why", "stem", true),
    ("confidence", "wordings", false),
    ("first", "wordings", false),
    ("only", "wordings", true),
    ("anchor", "wordings", true),
    ("unclear", "wordings", false),
];

/// Sections of `answers.toml`, their keys, and the placeholders that each wording of a key must have.
const ANSWERS: &[(&str, &[&str], &[&str])] = &[
    ("level", &["under", "over"], &["n"]),
    ("level", &["even"], &[]),
    ("short", &["under", "over"], &["n"]),
    ("short", &["even"], &[]),
    ("distance", &["quieter", "louder"], &["n"]),
    ("distance", &["equal"], &[]),
    ("claim", &["quiet", "loud", "right"], &[]),
    ("evidence", &["reference", "reference_equal", "pair", "usual", "plain"], &[]),
    ("beside", &["stem"], &["level"]),
    ("move", &["lower", "raise"], &["gain"]),
    ("rest", &["leave"], &[]),
    ("unsure", &["opening"], &[]),
    ("kept", &["sure", "unsure", "anchor", "other"], &[]),
    ("kept", &["doubt"], &["chance", "direction"]),
    ("elsewhere", &["lower", "raise"], &["gain"]),
    ("absent", &["absent"], &[]),
    ("missing", &["reference", "stem"], &[]),
    ("because", &["off", "off_unsure", "reference", "norms"], &[]),
    ("because", &["right"], &["aim"]),
    ("sure", &["off"], &["sure", "direction"]),
    ("sure", &["right"], &["sure"]),
    ("sure", &["committed", "uncommitted"], &["limit"]),
    ("sure", &["next_off"], &["chance", "direction"]),
    ("sure", &["next_right"], &["chance"]),
    ("first", &["first", "first_unsure"], &[]),
    ("only", &["named", "named_unsure", "other", "right"], &[]),
    ("compare", &["opening"], &[]),
    ("compare", &["stem"], &["distance"]),
    ("levels", &["opening", "absent"], &[]),
    ("levels", &["stem"], &["level"]),
    ("no", &["any"], &[]),
    ("no", &["unclear"], &[]),
    (
        "plan",
        &[
            "off",
            "off_unsure",
            "right",
            "right_unsure",
            "kept",
            "kept_elsewhere",
            "why_off",
            "why_right",
            "first",
            "only_named",
            "only_other",
            "only_right",
            "no_reference",
            "no_reference_right",
            "absent",
        ],
        &[],
    ),
];

/// Placeholders that hold a figure or a word that depends on one: a wording has them where its key needs them, nowhere else.
const FIGURES: &[&str] = &["n", "gain", "chance", "sure", "limit", "direction", "aim", "distance", "level"];
/// Keys in which the level and its distance are free.
const FREE_FIGURES: &[&str] = &["evidence"];

/// The wordings of a language, checked.
#[derive(Clone, Debug)]
pub struct ConversationWordings {
    /// The language.
    pub language: Language,
    questions: WordingFile,
    pub(super) answers: WordingFile,
}

impl ConversationWordings {
    /// Those that are compiled in.
    ///
    /// # Errors
    /// Never in practice: a test reads them.
    pub fn shipped(language: Language) -> Result<Self> {
        let files = language.files();
        Self::parse(language, files.questions, files.answers)
    }

    /// From the texts of the two files.
    ///
    /// # Errors
    /// When a wording breaks a rule; the error names file, key and wording.
    pub fn parse(language: Language, questions: &str, answers: &str) -> Result<Self> {
        let code = language.code();
        let questions = WordingFile::parse(&format!("{code}/questions.toml"), questions)?;
        let answers = WordingFile::parse(&format!("{code}/answers.toml"), answers)?;
        check_questions(&questions)?;
        check_answers(&answers)?;
        Ok(ConversationWordings { language, questions, answers })
    }

    /// A question on a topic. With `anchor`, it begins with the statement that this stem is right.
    ///
    /// # Errors
    /// When parts of a wording contain each other in a circle.
    pub fn question(&self, topic: Topic, anchor: Option<Stem>, rng: &mut impl Rng) -> Result<String> {
        let (section, key) = match topic {
            Topic::Balance => ("balance", "wordings"),
            Topic::About(_) => ("about", "wordings"),
            Topic::Compare(stem) => ("compare", key_of(stem)),
            Topic::Levels(stem) => ("levels", key_of(stem)),
            Topic::Why(stem) => ("why", key_of(stem)),
            Topic::Confidence => ("confidence", "wordings"),
            Topic::First => ("first", "wordings"),
            Topic::Only(_) => ("only", "wordings"),
            Topic::OutOfReach(field) => (field.name(), "wordings"),
            Topic::Unclear => ("unclear", "wordings"),
        };
        let mut question = self.asked(section, key, topic.asked_stem(), rng)?;
        if let Some(anchor) = anchor {
            question = format!("{} {question}", self.asked("anchor", "wordings", Some(anchor), rng)?);
        }
        let question = if rng.random_bool(PLAIN_SHARE) {
            question.trim_end_matches(['?', '.', '!']).to_lowercase()
        } else {
            capitalised(&question)
        };
        Ok(if rng.random_bool(TYPO_SHARE) { with_typo(&question, rng) } else { question })
    }

    fn asked(&self, section: &str, key: &str, stem: Option<Stem>, rng: &mut impl Rng) -> Result<String> {
        let number = if rng.random_bool(0.5) { Number::One } else { Number::Many };
        let parts: &[&str] = &["words"];
        let name = stem.map(|stem| {
            let form = if number == Number::One { "one" } else { "many" };
            self.questions.draw(stem.name(), form, &Scope { number, fixed: &[], parts }, rng)
        });
        let name = name.transpose()?;
        let fixed: Vec<(&str, &str)> = name.as_deref().map(|name| ("stem", name)).into_iter().collect();
        let question = self.questions.draw(section, key, &Scope { number, fixed: &fixed, parts }, rng)?;
        Ok(tidy(&question))
    }

    /// The literal parts of all wordings of answers, between their placeholders.
    pub fn literals(&self) -> Vec<String> {
        self.answers.literals()
    }
}

fn key_of(stem: Option<Stem>) -> &'static str {
    if stem.is_some() { "stem" } else { "wordings" }
}

/// Removes spaces before punctuation that empty parts leave, and doubled stops.
pub(super) fn tidy(text: &str) -> String {
    let mut tidied = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for sign in [",", ".", "?", "!", ";", ":"] {
        tidied = tidied.replace(&format!(" {sign}"), sign);
    }
    tidied.replace("..", ".").replace(",,", ",").replace("?.", "?")
}

fn check_questions(file: &WordingFile) -> Result<()> {
    let mut keys: Vec<(&str, &str, bool)> = QUESTIONS.to_vec();
    keys.extend(Field::ALL.map(|field| (field.name(), "wordings", false)));
    let mut known: Vec<(&str, &str)> = keys.iter().map(|(section, key, _)| (*section, *key)).collect();
    for stem in Stem::ALL {
        known.extend([(stem.name(), "one"), (stem.name(), "many")]);
    }
    file.check_keys(&known, &["words"])?;
    for (section, key, is_about_stem) in keys {
        let needed: &[&str] = if is_about_stem { &["stem"] } else { &[] };
        let rule = Rule { special: &["stem"], needed, filled: &[], parts: &["words"], plain: false };
        file.check(section, key, LEAST_QUESTIONS, &rule)?;
    }
    Ok(())
}

fn check_answers(file: &WordingFile) -> Result<()> {
    let mut known: Vec<(&str, &str)> =
        ANSWERS.iter().flat_map(|(section, keys, _)| keys.iter().map(move |key| (*section, *key))).collect();
    known.extend(Field::ALL.map(|field| ("matter", field.name())));
    // The forms of a stem's name differ from language to language.
    let open: Vec<&str> = Stem::ALL.into_iter().map(Stem::name).chain(["words"]).collect();
    file.check_keys(&known, &open)?;
    for stem in Stem::ALL {
        file.list(stem.name(), "the")?;
    }
    for (section, keys, needed) in ANSWERS {
        for key in *keys {
            if *section == "plan" {
                if file.list(section, key)?.is_empty() {
                    bail!("{}: [{section}] {key} is empty", file.name());
                }
                continue;
            }
            let special = if FREE_FIGURES.contains(section) { &["n", "gain"] as &[&str] } else { FIGURES };
            let rule = Rule { special, needed, filled: FIXED, parts: &["words", "vocals"], plain: false };
            file.check(section, key, LEAST_ANSWERS, &rule)?;
        }
    }
    for field in Field::ALL {
        file.list("matter", field.name())?;
    }
    Ok(())
}
