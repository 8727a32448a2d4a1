//! 95 % intervals by bootstrap over songs: whole songs are drawn with replacement, their samples pooled.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Lower and upper end of a 95 % interval.
pub type Interval = [f64; 2];

/// Fewest songs of which an interval over songs can be stated: a single one always draws itself.
pub const FEWEST_SONGS: usize = 2;

/// A figure and its 95 % interval; none where nothing could be counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// The figure.
    pub value: Option<f64>,
    /// Its interval by bootstrap over songs.
    pub ci95: Option<Interval>,
}

/// Part and whole per song, for a share or a mean over all songs' samples.
#[derive(Clone, Debug)]
pub(crate) struct SongTally(Vec<(f64, f64)>);

impl SongTally {
    pub fn new(songs: usize) -> Self {
        SongTally(vec![(0.0, 0.0); songs])
    }

    pub fn add(&mut self, song: usize, part: f64, whole: f64) {
        self.0[song].0 += part;
        self.0[song].1 += whole;
    }

    pub fn figure(&self, resamples: &SongResamples) -> Figure {
        let ratio = |weights: &[f64]| {
            let (mut part, mut whole) = (0.0, 0.0);
            for ((of_part, of_whole), weight) in self.0.iter().zip(weights) {
                part += of_part * weight;
                whole += of_whole * weight;
            }
            (whole > 0.0).then(|| part / whole)
        };
        Figure { value: ratio(&resamples.plain()), ci95: resamples.interval(ratio) }
    }
}

/// How often each song is drawn in each resample. Figures of the same resamples can be compared pair by pair.
#[derive(Clone, Debug)]
pub struct SongResamples {
    songs: usize,
    draws: Vec<Vec<f64>>,
}

impl SongResamples {
    /// Draws `resamples` times as many songs as there are, with replacement. Fewer than [`FEWEST_SONGS`] are never drawn,
    /// so that their figures have no intervals.
    pub fn new(songs: usize, resamples: usize, seed: u64) -> SongResamples {
        let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x626f_6f74);
        let draws = (0..if songs < FEWEST_SONGS { 0 } else { resamples })
            .map(|_| {
                let mut counts = vec![0.0; songs];
                for _ in 0..songs {
                    counts[rng.random_range(0..songs)] += 1.0;
                }
                counts
            })
            .collect();
        SongResamples { songs, draws }
    }

    /// As [`SongResamples::new`], for songs with the numbers `known`: other numbers are never drawn.
    pub fn among(known: &BTreeSet<usize>, resamples: usize, seed: u64) -> SongResamples {
        let compact = Self::new(known.len(), resamples, seed);
        let songs = known.last().map_or(0, |last| last + 1);
        let spread = |counts: Vec<f64>| {
            let mut weights = vec![0.0; songs];
            known.iter().zip(counts).for_each(|(song, count)| weights[*song] = count);
            weights
        };
        SongResamples { songs, draws: compact.draws.into_iter().map(spread).collect() }
    }

    /// Weight of each song without resampling: 1.
    pub fn plain(&self) -> Vec<f64> {
        vec![1.0; self.songs]
    }

    /// Weight of each song in each resample.
    pub fn draws(&self) -> &[Vec<f64>] {
        &self.draws
    }

    /// The 95 % interval of a figure given as a function of the songs' weights; none where it often has no value.
    pub fn interval(&self, figure: impl Fn(&[f64]) -> Option<f64>) -> Option<Interval> {
        percentiles(self.draws.iter().filter_map(|weights| figure(weights)).collect(), self.draws.len())
    }
}

/// 2.5th and 97.5th percentile; none where fewer than half of the `expected` values are present.
pub(crate) fn percentiles(mut values: Vec<f64>, expected: usize) -> Option<Interval> {
    if values.is_empty() || values.len() * 2 < expected {
        return None;
    }
    values.sort_by(f64::total_cmp);
    let at = |part: f64| {
        let position = part * (values.len() - 1) as f64;
        let (low, high) = (position.floor() as usize, position.ceil() as usize);
        values[low] + (values[high] - values[low]) * (position - low as f64)
    };
    Some([at(0.025), at(0.975)])
}
