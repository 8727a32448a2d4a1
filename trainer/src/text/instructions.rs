//! Instructions as a training set gives them: general ones, with an anchor, with a reference. They are read from
//! `instructions.toml` and checked.

use super::wordings::{Number, Rule, Scope, WordingFile, capitalised};
use anyhow::{Context, Result};
use mixing_buddy_core::Stem;
use rand::Rng;
use std::path::Path;

/// Name of the file of instructions.
pub(super) const FILE: &str = "instructions.toml";
/// Fewest wordings of a kind.
const LEAST: usize = 10;
/// The kinds, and the placeholders that each of their wordings must have.
const KINDS: [(&str, &[&str]); 3] = [("generic", &[]), ("anchor", &["anchor"]), ("reference", &[])];

/// All instructions, checked.
#[derive(Clone, Debug)]
pub struct Instructions {
    file: WordingFile,
}

impl Instructions {
    /// Those that are compiled in.
    ///
    /// # Errors
    /// Never in practice: a test reads them.
    pub fn shipped() -> Result<Self> {
        Self::parse(include_str!("../../templates/instructions.toml"))
    }

    /// Reads `instructions.toml` from a folder.
    ///
    /// # Errors
    /// When it is missing, or a wording breaks a rule; the error names key and wording.
    pub fn load(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let text =
            std::fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        Self::parse(&text)
    }

    /// From the file's text.
    ///
    /// # Errors
    /// As [`Instructions::load`].
    pub fn parse(text: &str) -> Result<Self> {
        let file = WordingFile::parse(FILE, text)?;
        let known = KINDS.map(|(section, _)| (section, "wordings"));
        file.check_keys(&known, &["parts"])?;
        for (section, needed) in KINDS {
            let rule = Rule { special: &["anchor"], needed, filled: &[], parts: &["parts"], plain: false };
            file.check(section, "wordings", LEAST, &rule)?;
        }
        Ok(Instructions { file })
    }

    /// A general instruction.
    ///
    /// # Errors
    /// When parts of a wording contain each other in a circle.
    pub fn generic(&self, rng: &mut impl Rng) -> Result<String> {
        self.draw("generic", None, rng)
    }

    /// One that names a stem which is right.
    ///
    /// # Errors
    /// As [`Instructions::generic`].
    pub fn with_anchor(&self, anchor: Stem, rng: &mut impl Rng) -> Result<String> {
        self.draw("anchor", Some(anchor), rng)
    }

    /// One that goes with a reference.
    ///
    /// # Errors
    /// As [`Instructions::generic`].
    pub fn with_reference(&self, rng: &mut impl Rng) -> Result<String> {
        self.draw("reference", None, rng)
    }

    fn draw(&self, section: &str, anchor: Option<Stem>, rng: &mut impl Rng) -> Result<String> {
        let number = if anchor == Some(Stem::Bass) { Number::One } else { Number::Many };
        let fixed: Vec<(&str, &str)> = anchor.iter().map(|stem| ("anchor", stem.name())).collect();
        let text =
            self.file.draw(section, "wordings", &Scope { number, fixed: &fixed, parts: &["parts"] }, rng)?;
        Ok(capitalised(&text))
    }
}
