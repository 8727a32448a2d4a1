//! The wordings of questions and answers, read from TOML and checked, with errors that name file, key and wording.

use super::instructions::FILE as INSTRUCTIONS;
use super::wordings::{Number, Rule, Scope, WordingFile, capitalised};
use crate::protocol::Category;
use anyhow::{Context, Result, bail};
use mixing_buddy_core::language::{Decision, Intent, normalise_question};
use mixing_buddy_core::{PerStem, Stem};
use rand::Rng;
use std::collections::BTreeSet;
use std::path::Path;

const QUESTIONS: &str = "questions.toml";
const ANSWERS: &str = "answers.toml";
const HELDOUT: &str = "heldout_questions.toml";

/// Name and text of every file of wordings, as compiled in.
pub const TEMPLATE_FILES: [(&str, &str); 4] = [
    (QUESTIONS, include_str!("../../templates/questions.toml")),
    (ANSWERS, include_str!("../../templates/answers.toml")),
    (HELDOUT, include_str!("../../templates/heldout_questions.toml")),
    (INSTRUCTIONS, include_str!("../../templates/instructions.toml")),
];

/// Fewest wordings of an answer.
const LEAST_ANSWERS: usize = 10;
/// Fewest wordings of a question.
const LEAST_QUESTIONS: usize = 30;
/// Fewest held-out wordings of an intent.
const LEAST_HELDOUT: usize = 10;

/// Sections of `answers.toml` with one list per verdict.
const VERDICT_SECTIONS: [&str; 3] = ["balance", "asked", "compare"];
/// Lists of `answers.toml` with opening sentences, which are followed by a sentence of `[balance]`.
const OPENINGS: [(&str, &str); 3] = [("compare", "alone"), ("unclear", "opening"), ("other", "opening")];

/// All wordings, checked.
#[derive(Clone, Debug)]
pub struct Templates {
    questions: WordingFile,
    answers: WordingFile,
    heldout: Vec<(Intent, Vec<String>)>,
    heldout_normalised: BTreeSet<String>,
}

impl Templates {
    /// The wordings that are compiled in.
    pub fn shipped() -> Result<Self> {
        Self::parse(
            include_str!("../../templates/questions.toml"),
            include_str!("../../templates/answers.toml"),
            include_str!("../../templates/heldout_questions.toml"),
        )
    }

    /// Reads `questions.toml`, `answers.toml` and `heldout_questions.toml` from a folder.
    pub fn load(folder: &Path) -> Result<Self> {
        let read = |name: &str| {
            let path = folder.join(name);
            std::fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))
        };
        Self::parse(&read(QUESTIONS)?, &read(ANSWERS)?, &read(HELDOUT)?)
    }

    /// From the text of the three files.
    pub fn parse(questions: &str, answers: &str, heldout: &str) -> Result<Self> {
        let questions = WordingFile::parse(QUESTIONS, questions)?;
        let answers = WordingFile::parse(ANSWERS, answers)?;
        check_questions(&questions)?;
        check_answers(&answers)?;
        let heldout = parse_heldout(heldout)?;
        let heldout_normalised =
            heldout.iter().flat_map(|(_, list)| list).map(|question| normalise_question(question)).collect();
        Ok(Templates { questions, answers, heldout, heldout_normalised })
    }

    /// Wordings that are kept out of training, by intent.
    pub fn heldout(&self) -> &[(Intent, Vec<String>)] {
        &self.heldout
    }

    /// Whether a question is, after normalisation, one of the held-out wordings.
    pub fn is_heldout(&self, question: &str) -> bool {
        self.heldout_normalised.contains(&normalise_question(question))
    }

    /// Draws a question.
    pub fn question(&self, intent: Intent, rng: &mut impl Rng) -> Result<String> {
        let (section, parts, asked): (_, &[&str], _) = match intent {
            Intent::Balance => ("balance", &["parts"], None),
            Intent::Compare => ("compare", &["parts"], None),
            Intent::Unclear => ("unclear", &["parts", "unclear_parts"], None),
            Intent::About(stem) => ("stem", &["parts"], Some(stem)),
        };
        let number = if rng.random_bool(0.5) { Number::One } else { Number::Many };
        let scope = Scope { number, fixed: &[], parts };
        let name = match asked {
            None => None,
            Some(stem) => {
                let key = if number == Number::One { "one" } else { "many" };
                Some(self.questions.draw(stem.name(), key, &scope, rng)?)
            }
        };
        let fixed: Vec<(&str, &str)> = name.as_deref().map(|name| ("stem", name)).into_iter().collect();
        self.questions.draw(section, "wordings", &Scope { fixed: &fixed, ..scope }, rng)
    }

    /// Draws the sentence (with slots) of an answer. Without a reference, the answer to a comparison states that; for a
    /// stem in question that is not present, the answer states that it is absent.
    pub fn answer(
        &self,
        decision: &Decision,
        has_reference: bool,
        stems_present: &PerStem<bool>,
        rng: &mut impl Rng,
    ) -> Result<String> {
        let verdict = decision.verdict().name();
        let mut draw = |section: &str, key: &str| {
            let number = match decision.slot_stem() {
                Some(Stem::Bass) => Number::One,
                _ => Number::Many,
            };
            let fixed = [("stem", "<|stem|>"), ("gain", "<|gain|>")];
            let sentence =
                self.answers.draw(section, key, &Scope { number, fixed: &fixed, parts: &["parts"] }, rng)?;
            anyhow::Ok(capitalised(&sentence))
        };
        match decision.intent {
            Intent::Balance => draw("balance", verdict),
            Intent::About(Stem::Other) => {
                Ok(format!("{} {}", draw("other", "opening")?, draw("balance", verdict)?))
            }
            Intent::About(stem) if decision.error.is_none() && !stems_present[stem] => {
                draw("asked", "absent")
            }
            Intent::About(_) => draw("asked", verdict),
            Intent::Compare if has_reference => draw("compare", verdict),
            Intent::Compare => Ok(format!("{} {}", draw("compare", "alone")?, draw("balance", verdict)?)),
            Intent::Unclear => Ok(format!("{} {}", draw("unclear", "opening")?, draw("balance", verdict)?)),
        }
    }
}

fn check_questions(file: &WordingFile) -> Result<()> {
    let open = ["parts", "unclear_parts"];
    let mut known =
        vec![("balance", "wordings"), ("stem", "wordings"), ("compare", "wordings"), ("unclear", "wordings")];
    for stem in Stem::ALL {
        known.extend([(stem.name(), "one"), (stem.name(), "many")]);
    }
    file.check_keys(&known, &open)?;
    for (section, key) in known {
        let is_name = key != "wordings";
        let needed: &[&str] = if section == "stem" { &["stem"] } else { &[] };
        let rule = Rule { special: &["stem"], needed, filled: &[], parts: &open, plain: false };
        if is_name {
            for name in file.list(section, key)? {
                if name.contains('{') {
                    bail!("{QUESTIONS}: [{section}] {key}, '{name}' may not have placeholders");
                }
            }
        } else {
            file.check(section, key, LEAST_QUESTIONS, &rule)?;
        }
    }
    Ok(())
}

fn check_answers(file: &WordingFile) -> Result<()> {
    let mut lists: Vec<(&str, &str, &[&str])> = vec![("asked", "absent", &["stem"])];
    for section in VERDICT_SECTIONS {
        for key in Category::ALL.map(Category::name) {
            let needed: &[&str] = match (section, key) {
                ("asked", "no_error") => &["stem"],
                (_, "no_error") => &[],
                _ => &["stem", "gain"],
            };
            lists.push((section, key, needed));
        }
    }
    lists.extend(OPENINGS.map(|(section, key)| (section, key, &[] as &[&str])));
    let known: Vec<(&str, &str)> = lists.iter().map(|(section, key, _)| (*section, *key)).collect();
    file.check_keys(&known, &["parts"])?;
    for (section, key, needed) in lists {
        let rule = Rule { special: &["stem", "gain"], needed, filled: &[], parts: &["parts"], plain: true };
        file.check(section, key, LEAST_ANSWERS, &rule)?;
    }
    Ok(())
}

fn parse_heldout(text: &str) -> Result<Vec<(Intent, Vec<String>)>> {
    let mut lists: std::collections::BTreeMap<String, Vec<String>> =
        toml::from_str(text).with_context(|| format!("{HELDOUT} is not a list of questions"))?;
    let mut heldout = Vec::new();
    for intent in Intent::ALL {
        let list = lists.remove(intent.name()).unwrap_or_default();
        if list.len() < LEAST_HELDOUT {
            bail!(
                "{HELDOUT}: {} has {} questions; it needs {LEAST_HELDOUT} or more",
                intent.name(),
                list.len()
            );
        }
        heldout.push((intent, list));
    }
    if let Some(key) = lists.keys().next() {
        bail!("{HELDOUT}: {key} is not an intent");
    }
    Ok(heldout)
}
