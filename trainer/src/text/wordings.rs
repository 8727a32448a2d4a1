//! Reads, checks and expands a file of wordings with parts in braces.

use anyhow::{Context, Result, bail, ensure};
use rand::Rng;
use rand::seq::IndexedRandom;
use std::collections::{BTreeMap, BTreeSet};

/// Sections, keys, wordings: `[loud]` in `[asked]` of `answers.toml`.
type Sections = BTreeMap<String, BTreeMap<String, Vec<String>>>;

/// Deepest nesting of parts in parts; deeper is taken for a circle.
const MAX_DEPTH: usize = 4;

/// Which form of `{is|are}` is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Number {
    /// The first.
    One,
    /// The second.
    Many,
}

/// One file of wordings.
#[derive(Clone, Debug)]
pub(super) struct WordingFile {
    name: String,
    sections: Sections,
}

impl WordingFile {
    /// Reads TOML text; `name` is for messages.
    pub fn parse(name: &str, text: &str) -> Result<Self> {
        let sections: Sections =
            toml::from_str(text).with_context(|| format!("{name} is not a file of wordings"))?;
        Ok(WordingFile { name: name.to_string(), sections })
    }

    /// The name, for messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The texts of all wordings between their placeholders.
    pub fn literals(&self) -> Vec<String> {
        let wordings = self.sections.values().flat_map(BTreeMap::values).flatten();
        wordings.flat_map(|wording| literals(wording)).collect()
    }

    /// The wordings of a key; a missing one is an error that names file and key.
    pub fn list(&self, section: &str, key: &str) -> Result<&[String]> {
        match self.sections.get(section).and_then(|keys| keys.get(key)) {
            Some(list) => Ok(list),
            None => bail!("{}: [{section}] {key} is missing", self.name),
        }
    }

    /// Refuses keys that are not in `known`: nothing would read them, and most likely they are misspelt.
    pub fn check_keys(&self, known: &[(&str, &str)], open_sections: &[&str]) -> Result<()> {
        for (section, keys) in &self.sections {
            for key in keys.keys() {
                let is_known = open_sections.contains(&section.as_str())
                    || known.iter().any(|(s, k)| s == section && k == key);
                ensure!(is_known, "{}: [{section}] {key} is not known here", self.name);
            }
        }
        Ok(())
    }

    /// Checks the wordings of a key: at least `least`, none empty or repeated, each with exactly the `needed` of the
    /// `special` placeholders, all other placeholders in one of the `parts` sections.
    pub fn check(&self, section: &str, key: &str, least: usize, rule: &Rule<'_>) -> Result<()> {
        let list = self.list(section, key)?;
        ensure!(
            list.len() >= least,
            "{}: [{section}] {key} has {} wordings; it needs {least} or more",
            self.name,
            list.len()
        );
        let mut seen = BTreeSet::new();
        for (number, wording) in list.iter().enumerate() {
            let at = || format!("{}: [{section}] {key}, wording {}, '{wording}'", self.name, number + 1);
            ensure!(!wording.trim().is_empty(), "{} is empty", at());
            ensure!(seen.insert(wording), "{} is repeated", at());
            let names = placeholders(wording).with_context(at)?;
            for name in &names {
                let known = name.contains('|')
                    || rule.special.contains(&name.as_str())
                    || rule.filled.contains(&name.as_str())
                    || rule.parts.iter().any(|part| self.list(part, name).is_ok_and(|list| !list.is_empty()));
                ensure!(known, "{} has the unknown placeholder {{{name}}}", at());
            }
            for special in rule.special {
                let (has, needs) = (names.iter().any(|name| name == special), rule.needed.contains(special));
                ensure!(has || !needs, "{} lacks {{{special}}}", at());
                ensure!(!has || needs, "{} may not have {{{special}}}", at());
            }
            let plain_digits = rule.plain && wording.chars().any(|sign| sign.is_ascii_digit());
            ensure!(!plain_digits, "{} has a digit; figures come from {{gain}}", at());
            let foreign = rule.plain && !wording.is_ascii();
            ensure!(!foreign, "{} has a character that is not ASCII", at());
        }
        Ok(())
    }

    /// Draws a wording of a key and expands it.
    pub fn draw(&self, section: &str, key: &str, scope: &Scope<'_>, rng: &mut impl Rng) -> Result<String> {
        let wording = self.list(section, key)?.choose(rng).context("checked on loading: no list is empty")?;
        self.expand(wording, scope, rng, 0)
    }

    /// Expands one wording: see [`Scope`].
    pub fn expand(
        &self,
        wording: &str,
        scope: &Scope<'_>,
        rng: &mut impl Rng,
        depth: usize,
    ) -> Result<String> {
        ensure!(depth < MAX_DEPTH, "{}: '{wording}' contains itself", self.name);
        let mut text = String::new();
        let mut rest = wording;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) =
                after.split_once('}').with_context(|| format!("'{wording}' has an open brace"))?;
            text.push_str(before);
            if let Some((one, many)) = name.split_once('|') {
                text.push_str(if scope.number == Number::One { one } else { many });
            } else if let Some((_, fixed)) = scope.fixed.iter().find(|(key, _)| *key == name) {
                text.push_str(fixed);
            } else {
                let part = scope
                    .parts
                    .iter()
                    .find_map(|section| self.list(section, name).ok())
                    .and_then(|list| list.choose(rng))
                    .with_context(|| format!("{}: {{{name}}} in '{wording}' is unknown", self.name))?;
                text.push_str(&self.expand(part, scope, rng, depth + 1)?);
            }
            rest = after;
        }
        text.push_str(rest);
        Ok(text.split_whitespace().collect::<Vec<_>>().join(" "))
    }
}

/// What the wordings of a key must and may hold.
pub(super) struct Rule<'a> {
    /// Placeholders that are filled by the caller, such as `stem`.
    pub special: &'a [&'a str],
    /// Those of them that each wording must have; the others it may not.
    pub needed: &'a [&'a str],
    /// Placeholders that are filled by the caller, and that a wording may have or not.
    pub filled: &'a [&'a str],
    /// Sections whose keys are placeholders.
    pub parts: &'a [&'a str],
    /// Whether digits and characters outside ASCII are forbidden, as in answers.
    pub plain: bool,
}

/// What placeholders stand for.
pub(super) struct Scope<'a> {
    /// The form of `{is|are}`.
    pub number: Number,
    /// Placeholders with one meaning.
    pub fixed: &'a [(&'a str, &'a str)],
    /// Sections whose keys the other placeholders are drawn from.
    pub parts: &'a [&'a str],
}

/// With capitals where sentences begin; a slot at the beginning stays as it is.
pub(super) fn capitalised(sentence: &str) -> String {
    let mut begins = true;
    let mut text = String::with_capacity(sentence.len());
    for sign in sentence.chars() {
        if begins && !sign.is_whitespace() {
            text.extend(sign.to_uppercase());
            begins = false;
        } else {
            text.push(sign);
        }
        if matches!(sign, '.' | '!' | '?') {
            begins = true;
        }
    }
    text
}

/// The texts of a wording between its placeholders.
fn literals(wording: &str) -> Vec<String> {
    let parts = wording.split('{').map(|part| part.split_once('}').map_or(part, |(_, text)| text).trim());
    parts.filter(|text| !text.is_empty()).map(String::from).collect()
}

fn placeholders(wording: &str) -> Result<Vec<String>> {
    let mut names = Vec::new();
    let mut rest = wording;
    while let Some((before, after)) = rest.split_once('{') {
        ensure!(!before.contains('}'), "has a closing brace that nothing opened");
        let (name, after) = after.split_once('}').context("has an open brace")?;
        ensure!(!name.is_empty() && !name.contains('{'), "has an empty or nested brace");
        names.push(name.to_string());
        rest = after;
    }
    ensure!(!rest.contains('}'), "has a closing brace that nothing opened");
    Ok(names)
}
