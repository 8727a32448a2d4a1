//! What an expert says to an item: annotations from a file, or sentences that we wrote, and call so.

use super::items::{Item, Truth, read_lines};
use anyhow::{Result, ensure};
use mixing_buddy_core::stem::{Direction, Stem};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Rater of the sentences below.
pub const WRITTEN_BY: &str = "written by the authors of this program";

/// What one rater says to one item: a line of the file of annotations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// The item's name.
    pub item: String,
    /// Who said it.
    pub rater: String,
    /// What was said.
    pub text: String,
}

/// Reads annotations (JSONL with `item`, `rater` and `text`), by item.
///
/// # Errors
/// When the file cannot be read, a line is of another form or blank, an item is not among `items`, or a rater has two
/// texts on one.
pub fn read_references(path: &Path, items: &[Item]) -> Result<BTreeMap<String, Vec<Reference>>> {
    let known: BTreeSet<&str> = items.iter().map(|item| item.id.as_str()).collect();
    let mut by_item: BTreeMap<String, Vec<Reference>> = BTreeMap::new();
    for reference in read_lines::<Reference>(path)? {
        let Reference { item, rater, text } = &reference;
        ensure!(known.contains(item.as_str()), "{}: there is no item '{item}'", path.display());
        ensure!(!text.trim().is_empty(), "{}: {rater} says nothing to '{item}'", path.display());
        let of_item = by_item.entry(item.clone()).or_default();
        let is_new = of_item.iter().all(|other| other.rater != *rater);
        ensure!(is_new, "{}: {rater} has two texts on '{item}'", path.display());
        of_item.push(reference);
    }
    Ok(by_item)
}

/// Sentences for a balanced mix. None of these lists is among the wordings that the model learns.
const BALANCED: [&str; 4] = [
    "I'd keep every fader where it is; this mix is balanced.",
    "All the levels are right, there is nothing that needs fixing.",
    "Vocals, drums and bass are in proportion to each other. Don't change the gains.",
    "No correction is needed, the relative levels are what I would aim for.",
];
const QUIET: [&str; 4] = [
    "I'd bring the {stem} up by roughly {gain} dB because the rest of the band masks the {stem}.",
    "The level of the {stem} is too low; increase the gain by {gain} dB.",
    "You can hardly hear the {stem}. A boost of {gain} dB on that fader fixes the balance.",
    "Make the {stem} louder, about {gain} dB, so that the part is in front again.",
];
const LOUD: [&str; 4] = [
    "I'd take the {stem} down by roughly {gain} dB because the {stem} dominates the rest of the band.",
    "The level of the {stem} is too high; reduce the gain by {gain} dB.",
    "The {stem} drowns everything else. A cut of {gain} dB on that fader fixes the balance.",
    "Make the {stem} softer, about {gain} dB, so that the other parts are in front again.",
];

fn filled(wording: &str, stem: Stem, gain_db: f64) -> String {
    // To half a dB, as an engineer would say it.
    let gain = (gain_db.abs() * 2.0).round() / 2.0;
    wording.replace("{stem}", stem.name()).replace("{gain}", &format!("{gain}"))
}

/// The sentences for what is wrong, or for a balanced mix.
pub fn written_advice(truth: Option<Truth>) -> Vec<String> {
    match truth {
        None => BALANCED.map(String::from).to_vec(),
        Some(Truth { stem, direction, gain_db }) => {
            let wordings = if direction == Direction::Quiet { QUIET } else { LOUD };
            wordings.map(|wording| filled(wording, stem, gain_db)).to_vec()
        }
    }
}

/// The sentences for an item, as references.
pub fn written_references(item: &Item) -> Vec<Reference> {
    let texts = written_advice(item.truth).into_iter();
    texts.map(|text| Reference { item: item.id.clone(), rater: WRITTEN_BY.into(), text }).collect()
}
