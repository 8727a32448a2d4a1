//! Fits the shipped summary of usual balances to a table of stem levels: levels only, no audio.

use super::chunks::{ChunkNorms, LevelRow};
use crate::protocol::Split;
use anyhow::{Context, Result, ensure};
use mixing_buddy_core::norms::levels::{Balance, all_rest_levels_from_levels};
use mixing_buddy_core::norms::matrix::{self, Matrix};
use mixing_buddy_core::norms::summary::{KERNEL_BANDWIDTH_DB, NORMS_VERSION};
use mixing_buddy_core::norms::{Component, NormsSummary, UsualLevel};
use mixing_buddy_core::stem::{PerStem, Stem};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::path::Path;

/// Number of Gaussians: enough for the rule to answer as with the exact table, few enough to be a summary.
pub const COMPONENTS: usize = 24;

/// Variance in dB² that no component goes under, so that none can sit on a single chunk.
const VARIANCE_FLOOR_DB2: f64 = 0.5;

/// Most rounds of expectation and maximisation; the fit ends earlier when it no longer improves.
const ROUNDS: usize = 300;

/// Number of random starts; the fit with the highest likelihood is kept.
const STARTS: usize = 8;

/// Fewest chunks per Gaussian: with fewer, the fit would come close to a copy of the table, which its licence forbids.
const CHUNKS_PER_COMPONENT: usize = 16;

/// Weight under which a Gaussian has lost its points.
const LEAST_MASS: f64 = 1e-6;

/// Gain in mean log-likelihood under which a round no longer improves the fit.
const LEAST_GAIN: f64 = 1e-7;

const SOURCE: &str = "Unweighted RMS levels of the stems of MUSDB18 in 10 s chunks, published beside the code of \
    MixingBuddy-gain (Vadhulas and Lerch, preprint, November 2025); levels only, no audio. Fitted to the chunks of \
    the training songs in which every stem is above -45 dBFS and the mixture above -35 dBFS, each song weighing the same.";

const CREDIT: &str = "MUSDB18: Rafii, Liutkus, Stöter, Mimilakis, Bittner (2017), doi:10.5281/zenodo.1117372. \
    Levels: Vadhulas and Lerch (2025).";

/// Fits the `train` chunks of the table at `csv_path` and writes the summary to `out_json`.
pub fn fit_norms(csv_path: &Path, out_json: &Path, seed: u64) -> Result<NormsSummary> {
    let rows = LevelRow::read_csv(csv_path)?;
    let summary = summarise(&rows, COMPONENTS, seed)?;
    crate::files::replace(out_json, summary.to_json()?)?;
    Ok(summary)
}

/// The summary of the `train` chunks that pass the gate, with this many Gaussians.
pub fn summarise(rows: &[LevelRow], components: usize, seed: u64) -> Result<NormsSummary> {
    let chunks = ChunkNorms::from_rows(rows)?;
    let count = chunks.balances_db().len();
    ensure!(
        count >= CHUNKS_PER_COMPONENT * components,
        "{count} chunks are too few for {components} Gaussians: that would be a copy, not a summary"
    );
    let mut best: Option<(f64, Vec<Component>)> = None;
    for start in 0..STARTS {
        let mut rng = ChaCha8Rng::seed_from_u64(seed.wrapping_add(start as u64));
        let fitted = fit_mixture(chunks.balances_db(), chunks.weights(), components, &mut rng);
        if best.as_ref().is_none_or(|(likelihood, _)| fitted.0 > *likelihood) {
            best = Some(fitted);
        }
    }
    let (_, mut mixture) = best.context("no fit was made")?;
    mixture.sort_by(|a, b| b.weight.total_cmp(&a.weight));
    let total: f64 = mixture.iter().map(|component| component.weight).sum();
    for component in &mut mixture {
        component.weight = round(component.weight / total, 6);
        component.mean_db = component.mean_db.map(|value| round(value, 3));
        component.covariance_db2 = component.covariance_db2.map(|row| row.map(|value| round(value, 4)));
    }
    let spread = Spread::of_rows(rows);
    let within_song_covariance_db2 =
        std::array::from_fn(|row| std::array::from_fn(|column| round(spread.within[row][column], 4)));
    Ok(NormsSummary {
        version: NORMS_VERSION,
        source: SOURCE.to_string(),
        credit: CREDIT.to_string(),
        songs: chunks.songs(),
        chunks: count,
        kernel_bandwidth_db: KERNEL_BANDWIDTH_DB,
        components: mixture,
        within_song_covariance_db2,
        usual: spread.usual,
    })
}

fn round(value: f64, digits: i32) -> f64 {
    let scale = 10_f64.powi(digits);
    (value * scale).round() / scale
}

/// Weighted expectation-maximisation; returns the mean log-likelihood and the components.
fn fit_mixture(
    points: &[Balance],
    weights: &[f64],
    count: usize,
    rng: &mut ChaCha8Rng,
) -> (f64, Vec<Component>) {
    let (_, covariance) = weighted_moments(points, weights);
    let mut mixture: Vec<Component> = spread_out_means(points, weights, count, rng)
        .into_iter()
        .map(|mean_db| Component {
            weight: 1.0 / count as f64,
            mean_db,
            covariance_db2: covariance
                .map(|row| row.map(|value| value / (count as f64).powf(2.0 / Stem::TARGET_COUNT as f64))),
        })
        .collect();
    let mut likelihood = f64::NEG_INFINITY;
    let mut shares = vec![vec![0.0; points.len()]; count];
    for _ in 0..ROUNDS {
        let before = likelihood;
        likelihood = expect(points, weights, &mixture, &mut shares);
        for (component, share) in mixture.iter_mut().zip(&shares) {
            let mass: f64 = share.iter().sum();
            // A component that lost its points keeps its place with almost no weight.
            component.weight = mass.max(LEAST_MASS);
            if mass > LEAST_MASS {
                let (mean_db, covariance) = weighted_moments(points, share);
                component.mean_db = mean_db;
                component.covariance_db2 =
                    matrix::add_diagonal(&covariance, [VARIANCE_FLOOR_DB2; Stem::TARGET_COUNT]);
            }
        }
        if (likelihood - before).abs() < LEAST_GAIN {
            break;
        }
    }
    (likelihood, mixture)
}

/// Shares each point's weight among the components; returns the weighted mean log-likelihood.
fn expect(points: &[Balance], weights: &[f64], mixture: &[Component], shares: &mut [Vec<f64>]) -> f64 {
    for (component, share) in mixture.iter().zip(shares.iter_mut()) {
        let lower =
            matrix::cholesky(&component.covariance_db2).expect("the floor keeps it positive definite");
        let whitening = matrix::invert_lower(&lower);
        let log_scale =
            component.weight.ln() - (0..Stem::TARGET_COUNT).map(|c| lower[c][c].ln()).sum::<f64>();
        for (point, value) in points.iter().zip(share.iter_mut()) {
            let offset = std::array::from_fn(|c| point[c] - component.mean_db[c]);
            let length: f64 = matrix::apply(&whitening, offset).iter().map(|x| x * x).sum();
            *value = log_scale - 0.5 * length;
        }
    }
    let mut likelihood = 0.0;
    for (index, weight) in weights.iter().enumerate() {
        let highest = shares.iter().map(|share| share[index]).fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = shares.iter().map(|share| (share[index] - highest).exp()).sum();
        likelihood += weight * (highest + total.ln());
        for share in shares.iter_mut() {
            share[index] = weight * (share[index] - highest).exp() / total;
        }
    }
    likelihood
}

/// First means far from one another (k-means++).
fn spread_out_means(points: &[Balance], weights: &[f64], count: usize, rng: &mut ChaCha8Rng) -> Vec<Balance> {
    let mut distances = vec![1.0_f64; points.len()];
    let mut means: Vec<Balance> = Vec::with_capacity(count);
    for _ in 0..count {
        let total: f64 = distances.iter().zip(weights).map(|(d, w)| d * w).sum();
        let mut left = rng.random::<f64>() * total;
        let chosen = distances
            .iter()
            .zip(weights)
            .position(|(distance, weight)| {
                left -= distance * weight;
                left < 0.0
            })
            .unwrap_or(points.len() - 1);
        let mean = points[chosen];
        for (distance, point) in distances.iter_mut().zip(points) {
            let square: f64 = (0..Stem::TARGET_COUNT).map(|c| (point[c] - mean[c]).powi(2)).sum();
            *distance = if means.is_empty() { square } else { distance.min(square) };
        }
        means.push(mean);
    }
    means
}

fn weighted_moments(points: &[Balance], weights: &[f64]) -> (Balance, Matrix) {
    let total: f64 = weights.iter().sum();
    let mut mean = [0.0; Stem::TARGET_COUNT];
    for (point, weight) in points.iter().zip(weights) {
        for c in 0..Stem::TARGET_COUNT {
            mean[c] += weight * point[c] / total;
        }
    }
    let mut covariance = [[0.0; Stem::TARGET_COUNT]; Stem::TARGET_COUNT];
    for (point, weight) in points.iter().zip(weights) {
        let offset: Balance = std::array::from_fn(|c| point[c] - mean[c]);
        for row in 0..Stem::TARGET_COUNT {
            for column in 0..Stem::TARGET_COUNT {
                covariance[row][column] += weight * offset[row] * offset[column] / total;
            }
        }
    }
    (mean, covariance)
}

/// How levels spread between songs and within them.
struct Spread {
    within: Matrix,
    usual: PerStem<UsualLevel>,
}

impl Spread {
    fn of_rows(rows: &[LevelRow]) -> Spread {
        let mut songs = BTreeMap::<&str, Vec<PerStem<f64>>>::new();
        for row in rows.iter().filter(|row| row.split == Split::Train && row.passes_gate()) {
            songs.entry(&row.song).or_default().push(all_rest_levels_from_levels(&row.stems_dbfs));
        }
        Spread {
            within: within_song_covariance(&songs),
            usual: PerStem::from_fn(|stem| band_of(&songs, stem)),
        }
    }
}

/// Mean over songs of two chunks or more of the covariance around the song's mean (divided by n - 1).
fn within_song_covariance(songs: &BTreeMap<&str, Vec<PerStem<f64>>>) -> Matrix {
    let mut within = [[0.0; Stem::TARGET_COUNT]; Stem::TARGET_COUNT];
    let several: Vec<_> = songs.values().filter(|chunks| chunks.len() > 1).collect();
    for chunks in &several {
        let points: Vec<Balance> = chunks.iter().map(|c| c.targets().into_array()).collect();
        let (_, covariance) = weighted_moments(&points, &vec![1.0; points.len()]);
        let unbiased = points.len() as f64 / (points.len() - 1) as f64;
        for row in 0..Stem::TARGET_COUNT {
            for column in 0..Stem::TARGET_COUNT {
                within[row][column] += covariance[row][column] * unbiased / several.len() as f64;
            }
        }
    }
    within
}

fn band_of(songs: &BTreeMap<&str, Vec<PerStem<f64>>>, stem: Stem) -> UsualLevel {
    let count = songs.len() as f64;
    let mut values: Vec<(f64, f64)> = songs
        .values()
        .flat_map(|chunks| chunks.iter().map(|c| (c[stem], 1.0 / (count * chunks.len() as f64))))
        .collect();
    values.sort_by(|a, b| a.0.total_cmp(&b.0));
    let quantile = |part: f64| {
        let mut sum = 0.0;
        let found = values.iter().find(|(_, weight)| {
            sum += weight;
            sum >= part
        });
        found.or(values.last()).map_or(0.0, |(value, _)| *value)
    };
    let mean: f64 = values.iter().map(|(value, weight)| value * weight).sum();
    let variance: f64 = values.iter().map(|(value, weight)| weight * (value - mean).powi(2)).sum();
    let song_means: Vec<f64> = songs
        .values()
        .map(|chunks| chunks.iter().map(|c| c[stem]).sum::<f64>() / chunks.len() as f64)
        .collect();
    let between = song_means.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
    let several: Vec<_> = songs.values().zip(&song_means).filter(|(chunks, _)| chunks.len() > 1).collect();
    let within: f64 = several
        .iter()
        .map(|(chunks, mean)| {
            chunks.iter().map(|c| (c[stem] - *mean).powi(2)).sum::<f64>() / (chunks.len() - 1) as f64
        })
        .sum::<f64>()
        / several.len().max(1) as f64;
    UsualLevel {
        mean_db: round(mean, 2),
        sd_db: round(variance.sqrt(), 2),
        p10_db: round(quantile(0.1), 2),
        p90_db: round(quantile(0.9), 2),
        song_to_song_sd_db: round(between.sqrt(), 2),
        within_song_sd_db: round(within.sqrt(), 2),
    }
}
