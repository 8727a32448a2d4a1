//! A seeded part of an evaluation's samples with the advice in words: what similarity, judges and studies work on.

use crate::evaluation::advisor::Settings;
use crate::evaluation::figures::planned;
use crate::evaluation::records::{SongRecord, rounded};
use crate::evaluation::score::Judged;
use crate::protocol::Category;
use anyhow::{Context, Result, ensure};
use mixing_buddy_core::advice::BestAnswer;
use mixing_buddy_core::language::DEFAULT_QUESTION;
use mixing_buddy_core::norms::levels::all_rest_levels_from_levels;
use mixing_buddy_core::stem::{Direction, PerStem, Stem};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::Path;

/// What is wrong with the mix of an item.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Truth {
    /// The stem that was changed.
    pub stem: Stem,
    /// In which direction.
    pub direction: Direction,
    /// By how much, in dB.
    pub gain_db: f64,
}

/// A sample of an evaluation and the advice on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// Name of the item, unique within an evaluation.
    pub id: String,
    /// Name of the song.
    pub song: String,
    /// Number of the window on the song's 10 s grid.
    pub window: usize,
    /// The user's words.
    pub question: String,
    /// The stem that the question names as right.
    pub anchor: Option<Stem>,
    /// What is wrong; none where nothing is.
    pub truth: Option<Truth>,
    /// True level of each stem against the rest of the mix (RMS, dB).
    pub levels_db: PerStem<f64>,
    /// The answer without the option to abstain.
    pub best: Option<BestAnswer>,
    /// Calibrated probability that it is right.
    pub confidence: f64,
    /// Whether the user is told the answer.
    pub spoken: bool,
    /// Whether stem and direction are right.
    pub right: bool,
    /// Whether the right stem is named in the opposite direction.
    pub wrong_direction: bool,
    /// The advice in words.
    pub text: String,
}

/// Draws `count` samples: categories in turn, and within each of the windows that were drawn least, in a random order, so
/// that songs and categories are represented about equally. Samples without words are not drawn.
pub fn choose_items(records: &[SongRecord], settings: &Settings, count: usize) -> Vec<Item> {
    let windows = planned(records, settings);
    let mut rng = ChaCha8Rng::seed_from_u64(settings.seed ^ 0x6974_656d);
    let mut order: Vec<(usize, usize)> = (0..windows.len())
        .flat_map(|window| (0..windows[window].samples.len()).map(move |sample| (window, sample)))
        .collect();
    order.shuffle(&mut rng);
    // Of each category in turn; within it, of windows that were drawn least.
    let mut drawn = vec![0usize; windows.len()];
    let mut mixes: BTreeSet<(usize, usize)> = BTreeSet::new();
    let mut items = Vec::new();
    let mut dry = 0;
    while items.len() < count && dry < Category::COUNT {
        let category = Category::ALL[(items.len() + dry) % Category::COUNT];
        let candidates = order.iter().filter(|(window, sample)| {
            let sample = &windows[*window].samples[*sample];
            sample.category == category && !mixes.contains(&(*window, sample.mix))
        });
        let Some(&(window, at)) = candidates.min_by_key(|(window, _)| drawn[*window]) else {
            dry += 1;
            continue;
        };
        let planned = &windows[window];
        let sample = &planned.samples[at];
        drawn[window] += 1;
        mixes.insert((window, sample.mix));
        let Some(answered) = planned.record.model.get(sample.mix, sample.anchor) else { continue };
        if answered.text.is_empty() {
            continue;
        }
        let judged = Judged::new(planned.song, sample, answered);
        let levels = all_rest_levels_from_levels(&planned.record.flawed_dbfs(planned.flaws[sample.mix]));
        let anchor = sample.anchor.map_or("none", Stem::name);
        items.push(Item {
            id: format!("{}/{}/{}/{anchor}", sample.song, sample.window, sample.mix),
            song: sample.song.clone(),
            window: sample.window,
            question: DEFAULT_QUESTION.into(),
            anchor: sample.anchor,
            truth: sample.truth().map(|(stem, direction)| Truth {
                stem,
                direction,
                gain_db: rounded(sample.gain_db),
            }),
            levels_db: levels.map(|level| rounded(*level)),
            best: answered.best,
            confidence: judged.confidence,
            spoken: judged.spoken,
            right: judged.is_right(),
            wrong_direction: judged.is_wrong_direction(),
            text: answered.text.clone(),
        });
        dry = 0;
    }
    items
}

/// Writes items, a line each.
///
/// # Errors
/// When the file cannot be written.
pub fn write_items(path: &Path, items: &[Item]) -> Result<()> {
    let lines: Vec<String> = items.iter().map(serde_json::to_string).collect::<serde_json::Result<_>>()?;
    crate::files::replace(path, lines.join("\n") + "\n")
}

/// Reads items.
///
/// # Errors
/// When the file cannot be read, a line is not an item, an item is there twice, or there is none.
pub fn read_items(path: &Path) -> Result<Vec<Item>> {
    let items: Vec<Item> = read_lines(path)?;
    ensure!(!items.is_empty(), "{} holds no item", path.display());
    let mut known = BTreeSet::new();
    for item in &items {
        ensure!(known.insert(&item.id), "{} holds the item '{}' twice", path.display(), item.id);
    }
    Ok(items)
}

/// Reads lines of JSON; blank lines are skipped.
pub(crate) fn read_lines<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(number, line)| {
            serde_json::from_str(line).with_context(|| format!("{}, line {}", path.display(), number + 1))
        })
        .collect()
}
