//! Semantic similarity of the advice to references, beside what it would be for advice of a random other item and for
//! advice in the wrong direction: closeness alone is blind to direction, and the report shows by how much.

use super::items::{Item, Truth};
use super::references::{Reference, written_advice, written_references};
use crate::evaluation::bootstrap::{Figure, SongResamples, SongTally};
use anyhow::{Result, ensure};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Turns texts into vectors of length 1.
pub trait TextEmbedder {
    /// The vector of a text.
    ///
    /// # Errors
    /// When the text cannot be embedded.
    fn embed(&self, text: &str) -> Result<Vec<f32>>;
}

/// Similarities are cosines; each figure is a mean over items, of the mean over the item's references.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SimilarityReport {
    /// Number of items.
    pub items: usize,
    /// Number of songs that they are of.
    pub songs: usize,
    /// Items with expert annotations; the others have references that we wrote.
    pub annotated_items: usize,
    /// Number of references.
    pub references: usize,
    /// Who made them.
    pub raters: Vec<String>,
    /// The advice against the references of its item.
    pub advice: Figure,
    /// The same for advice whose stem and direction are right.
    pub right_advice: Figure,
    /// The same for advice whose stem or direction is wrong.
    pub wrong_advice: Figure,
    /// The advice against the references of another, random item.
    pub random_pair: Figure,
    /// An item's references against each other: how alike experts are.
    pub references_among_each_other: Figure,
    /// Sentences that we wrote in the right direction against the references, of flawed items.
    pub right_direction: Figure,
    /// The same sentences in the wrong direction.
    pub wrong_direction: Figure,
    /// How often the sentence in the right direction is closer than its twin in the wrong one: 0.5 is blind.
    pub direction_is_told: Figure,
}

/// Measures items. `annotations` holds what experts said, by item; items without get sentences that we wrote.
///
/// # Errors
/// When there is no item, or a text cannot be embedded.
pub fn similarity(
    items: &[Item],
    annotations: &BTreeMap<String, Vec<Reference>>,
    embedder: &dyn TextEmbedder,
    seed: u64,
    resamples: usize,
) -> Result<SimilarityReport> {
    ensure!(!items.is_empty(), "there is no item to compare");
    let mut known: BTreeMap<String, Vec<f32>> = BTreeMap::new();
    let mut embed = |text: &str| -> Result<Vec<f32>> {
        if let Some(vector) = known.get(text) {
            return Ok(vector.clone());
        }
        let vector = embedder.embed(text)?;
        known.insert(text.to_string(), vector.clone());
        Ok(vector)
    };
    let mut songs: BTreeMap<&str, usize> = BTreeMap::new();
    for item in items {
        let next = songs.len();
        songs.entry(&item.song).or_insert(next);
    }
    let draws = SongResamples::new(songs.len(), resamples, seed);
    let references: Vec<Vec<Reference>> = items
        .iter()
        .map(|item| annotations.get(&item.id).cloned().unwrap_or_else(|| written_references(item)))
        .collect();
    let vectors: Vec<Vec<Vec<f32>>> = references
        .iter()
        .map(|of_item| of_item.iter().map(|reference| embed(&reference.text)).collect())
        .collect::<Result<_>>()?;

    let mut tallies: [SongTally; 8] = std::array::from_fn(|_| SongTally::new(songs.len()));
    let [advice, right, wrong, random, among, right_direction, wrong_direction, told] = &mut tallies;
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x7369_6d69);
    for (at, item) in items.iter().enumerate() {
        let song = songs[item.song.as_str()];
        let own = &vectors[at];
        let said = embed(&item.text)?;
        let value = mean_cosine(&said, own);
        advice.add(song, value, 1.0);
        if item.right { &mut *right } else { &mut *wrong }.add(song, value, 1.0);
        if items.len() > 1 {
            let other = (at + 1 + rng.random_range(0..items.len() - 1)) % items.len();
            random.add(song, mean_cosine(&said, &vectors[other]), 1.0);
        }
        for (index, reference) in own.iter().enumerate() {
            let others = own.iter().enumerate().filter(|(other, _)| *other != index);
            for (_, other) in others {
                among.add(song, cosine(reference, other), 1.0);
            }
        }
        let Some(truth) = item.truth else { continue };
        let flipped = Truth { direction: truth.direction.opposite(), ..truth };
        for (good, bad) in written_advice(Some(truth)).iter().zip(written_advice(Some(flipped))) {
            // A sentence must not be compared with itself.
            let is_itself = |reference: usize| references[at][reference].text == *good;
            let others = own.iter().enumerate().filter(|(reference, _)| !is_itself(*reference));
            let against: Vec<&Vec<f32>> = others.map(|(_, vector)| vector).collect();
            let near = mean_of(&embed(good)?, &against);
            let far = mean_of(&embed(&bad)?, &against);
            right_direction.add(song, near, 1.0);
            wrong_direction.add(song, far, 1.0);
            told.add(
                song,
                if near > far {
                    1.0
                } else if near == far {
                    0.5
                } else {
                    0.0
                },
                1.0,
            );
        }
    }
    let mut raters: Vec<String> =
        references.iter().flatten().map(|reference| reference.rater.clone()).collect();
    raters.sort();
    raters.dedup();
    let figure = |tally: &SongTally| tally.figure(&draws);
    Ok(SimilarityReport {
        items: items.len(),
        songs: songs.len(),
        annotated_items: items.iter().filter(|item| annotations.contains_key(&item.id)).count(),
        references: references.iter().map(Vec::len).sum(),
        raters,
        advice: figure(advice),
        right_advice: figure(right),
        wrong_advice: figure(wrong),
        random_pair: figure(random),
        references_among_each_other: figure(among),
        right_direction: figure(right_direction),
        wrong_direction: figure(wrong_direction),
        direction_is_told: figure(told),
    })
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

fn mean_cosine(said: &[f32], references: &[Vec<f32>]) -> f64 {
    mean_of(said, &references.iter().collect::<Vec<_>>())
}

fn mean_of(said: &[f32], references: &[&Vec<f32>]) -> f64 {
    references.iter().map(|reference| cosine(said, reference)).sum::<f64>() / references.len().max(1) as f64
}
