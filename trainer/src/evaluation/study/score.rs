//! What the ratings of a study say.

use super::make::Key;
use super::mixed::{MixedModel, Observation, fit};
use super::ratings::{AdviceRating, RatingsFile, SCALES};
use crate::evaluation::agreement::krippendorff_alpha;
use crate::evaluation::bootstrap::{FEWEST_SONGS, Figure, SongResamples, SongTally};
use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Quantile of the normal distribution for 95 % intervals of the mixed model.
const NORMAL_95: f64 = 1.96;

/// The ratings of one system.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SystemScores {
    /// Its name.
    pub system: String,
    /// Mean rating by scale, with an interval over raters.
    pub scales: BTreeMap<String, Figure>,
    /// Mean over the scales as the mixed model estimates it, for a rater and an item like these.
    pub mixed_mean: Option<f64>,
    /// Its 95 % interval.
    pub mixed_ci95: Option<[f64; 2]>,
    /// How often the mix with the advice is better than without (no difference counts half); of advice that changes it.
    pub mix_is_better: Figure,
    /// Comments, without the raters.
    pub comments: Vec<String>,
}

/// Two systems compared by the mixed model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SystemDifference {
    /// The system with the higher mean.
    pub better: String,
    /// The other one.
    pub worse: String,
    /// Difference of the means.
    pub difference: f64,
    /// Its 95 % interval; it does not correct for the number of comparisons.
    pub ci95: [f64; 2],
}

/// What a study says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StudyReport {
    /// The study.
    pub study: String,
    /// Number of raters.
    pub raters: usize,
    /// Median of their years of mixing.
    pub median_years: f64,
    /// Scored items.
    pub items: usize,
    /// Ratings without training and repeats.
    pub ratings: usize,
    /// Why there are no intervals; none where there are.
    pub intervals: Option<String>,
    /// The systems, best first.
    pub systems: Vec<SystemScores>,
    /// Every pair of systems.
    pub differences: Vec<SystemDifference>,
    /// Standard deviation between raters, between items and of the rest, of the mixed model.
    pub mixed_sd: Option<[f64; 3]>,
    /// Krippendorff's alpha by scale.
    pub alpha: BTreeMap<String, Option<f64>>,
    /// Mean absolute difference between first and second ratings, one per rater; none without repeats.
    pub inconsistency: Vec<Option<f64>>,
}

fn mean_of_scales(rating: &AdviceRating) -> f64 {
    rating.scales.values().map(|value| f64::from(*value)).sum::<f64>() / rating.scales.len().max(1) as f64
}

/// Aggregates the ratings of all raters.
///
/// # Errors
/// When there is no rating, or a rater is there twice.
pub fn score_study(key: &Key, raters: &[RatingsFile], seed: u64, resamples: usize) -> Result<StudyReport> {
    let mut ids = BTreeSet::new();
    for file in raters {
        ensure!(ids.insert(&file.rater.id), "the rater {} is there twice", file.rater.id);
    }
    let entry = |rating: &AdviceRating| key.advice.get(&rating.code).filter(|entry| !entry.training);
    // Rater, what was rated, rating; first ratings only.
    let scored: Vec<_> = (raters.iter().enumerate())
        .flat_map(|(rater, file)| file.answers.iter().map(move |rating| (rater, rating)))
        .filter(|(_, rating)| !rating.repeated)
        .filter_map(|(rater, rating)| Some((rater, entry(rating)?, rating)))
        .collect();
    ensure!(!scored.is_empty(), "there is no rating to score");
    let draws = SongResamples::new(raters.len(), resamples, seed);
    let items: BTreeSet<&str> = scored.iter().map(|(_, entry, _)| entry.item.as_str()).collect();
    let item_numbers: BTreeMap<&str, usize> =
        items.iter().enumerate().map(|(at, item)| (*item, at)).collect();
    let system_number = |name: &str| key.systems.iter().position(|system| system == name).unwrap_or_default();
    let observations: Vec<Observation> = scored
        .iter()
        .map(|(rater, entry, rating)| Observation {
            system: system_number(&entry.system),
            rater: *rater,
            item: item_numbers[entry.item.as_str()],
            value: mean_of_scales(rating),
        })
        .collect();
    // With a single rater or item there is nothing to tell a random effect by.
    let model = (raters.len() >= FEWEST_SONGS && items.len() >= FEWEST_SONGS)
        .then(|| fit(&observations).ok())
        .flatten();
    let mut systems: Vec<SystemScores> = (key.systems.iter().enumerate())
        .map(|(number, system)| {
            let of_system = || scored.iter().filter(|(_, entry, _)| entry.system == *system);
            let figure = |value: &dyn Fn(&AdviceRating) -> Option<f64>| {
                let mut tally = SongTally::new(raters.len());
                for (rater, _, rating) in of_system() {
                    if let Some(value) = value(rating) {
                        tally.add(*rater, value, 1.0);
                    }
                }
                tally.figure(&draws)
            };
            let better = |rating: &AdviceRating| match rating.preferred.as_deref()? {
                "after" => Some(1.0),
                "before" => Some(0.0),
                _ => Some(0.5),
            };
            let mixed =
                model.as_ref().map(|model| (model.means[number], model.covariance[(number, number)].sqrt()));
            let comments = of_system().map(|(_, _, rating)| rating.comment.trim().to_string());
            SystemScores {
                system: system.clone(),
                scales: SCALES
                    .iter()
                    .map(|(scale, ..)| {
                        let value =
                            |rating: &AdviceRating| rating.scales.get(*scale).map(|value| f64::from(*value));
                        (scale.to_string(), figure(&value))
                    })
                    .collect(),
                mixed_mean: mixed.map(|(mean, _)| mean),
                mixed_ci95: mixed.map(|(mean, error)| [mean - NORMAL_95 * error, mean + NORMAL_95 * error]),
                mix_is_better: figure(&better),
                comments: comments.filter(|comment| !comment.is_empty()).collect(),
            }
        })
        .collect();
    let differences = model.as_ref().map_or(Vec::new(), |model| differences(&key.systems, model));
    systems.sort_by(|a, b| b.mixed_mean.unwrap_or_default().total_cmp(&a.mixed_mean.unwrap_or_default()));
    let alpha_of = |scale: &str| {
        let mut units: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        for (_, _, rating) in &scored {
            if let Some(value) = rating.scales.get(scale) {
                units.entry(&rating.code).or_default().push(f64::from(*value));
            }
        }
        krippendorff_alpha(&units.into_values().collect::<Vec<_>>())
    };
    let mut years: Vec<f64> = raters.iter().map(|file| file.rater.years).collect();
    years.sort_by(f64::total_cmp);
    Ok(StudyReport {
        study: key.study.clone(),
        raters: raters.len(),
        median_years: years.get(years.len() / 2).copied().unwrap_or_default(),
        items: items.len(),
        ratings: scored.len(),
        intervals: (raters.len() < FEWEST_SONGS).then(|| {
            "refused: an interval over raters needs at least two raters, and here is one".to_string()
        }),
        systems,
        differences,
        mixed_sd: model
            .as_ref()
            .map(|model| [model.rater_variance, model.item_variance, model.error_variance].map(f64::sqrt)),
        alpha: SCALES.iter().map(|(scale, ..)| (scale.to_string(), alpha_of(scale))).collect(),
        inconsistency: raters.iter().map(inconsistency).collect(),
    })
}

fn differences(systems: &[String], model: &MixedModel) -> Vec<SystemDifference> {
    let mut all = Vec::new();
    for a in 0..systems.len() {
        for b in a + 1..systems.len() {
            let (better, worse) = if model.means[a] >= model.means[b] { (a, b) } else { (b, a) };
            let (difference, error) = model.difference(better, worse);
            all.push(SystemDifference {
                better: systems[better].clone(),
                worse: systems[worse].clone(),
                difference,
                ci95: [difference - NORMAL_95 * error, difference + NORMAL_95 * error],
            });
        }
    }
    all
}

/// Mean absolute difference between a rater's first and second ratings.
fn inconsistency(file: &RatingsFile) -> Option<f64> {
    let mut distances = Vec::new();
    for second in file.answers.iter().filter(|rating| rating.repeated) {
        let first = file.answers.iter().find(|rating| !rating.repeated && rating.code == second.code)?;
        for (scale, value) in &second.scales {
            distances.push((f64::from(*value) - f64::from(*first.scales.get(scale)?)).abs());
        }
    }
    (!distances.is_empty()).then(|| distances.iter().sum::<f64>() / distances.len() as f64)
}

impl fmt::Display for StudyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} raters (median {} years of mixing), {} items, {} ratings; 1 to 5 [95 % interval over raters]",
            self.raters, self.median_years, self.items, self.ratings
        )?;
        if let Some(reason) = &self.intervals {
            writeln!(f, "Intervals {reason}.")?;
        }
        for system in &self.systems {
            writeln!(f, "\n{}", system.system)?;
            for (scale, figure) in &system.scales {
                writeln!(f, "  {scale:<24}{}", written(figure))?;
            }
            writeln!(f, "  {:<24}{}", "mix with it is better", written(&system.mix_is_better))?;
            if let (Some(mean), Some([low, high])) = (system.mixed_mean, system.mixed_ci95) {
                writeln!(f, "  {:<24}{mean:>6.2}  [{low:.2}, {high:.2}]", "all scales, mixed model")?;
            }
        }
        writeln!(f)?;
        for difference in &self.differences {
            let [low, high] = difference.ci95;
            let SystemDifference { better, worse, difference, .. } = difference;
            writeln!(f, "{better} over {worse}: {difference:+.2}  [{low:+.2}, {high:+.2}]")?;
        }
        writeln!(f, "\nAgreement between raters (Krippendorff's alpha)")?;
        for (scale, alpha) in &self.alpha {
            let alpha = alpha.map_or("-".to_string(), |alpha| format!("{alpha:.2}"));
            writeln!(f, "  {scale:<24}{alpha:>6}")?;
        }
        let known: Vec<f64> = self.inconsistency.iter().flatten().copied().collect();
        if !known.is_empty() {
            let mean = known.iter().sum::<f64>() / known.len() as f64;
            writeln!(
                f,
                "Second ratings differ from first ones by {mean:.2} on average, {} raters",
                known.len()
            )?;
        }
        Ok(())
    }
}

fn written(figure: &Figure) -> String {
    let value = figure.value.map_or("-".to_string(), |value| format!("{value:.2}"));
    let interval = figure.ci95.map_or(String::new(), |[low, high]| format!("  [{low:.2}, {high:.2}]"));
    format!("{value:>6}{interval}")
}
