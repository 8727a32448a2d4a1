//! What mixes are drawn from: the windows in which each stem is active.

use super::settings::MixSettings;
use crate::mixing::cache::MapCache;
use crate::mixing::shares::ErrorPool;
use mixing_buddy_core::features::{BandBank, FeatureSettings};
use mixing_buddy_core::norms::NormsSummary;
use mixing_buddy_core::{PerStem, Stem};
use rand::Rng;
use rand::rngs::SmallRng;

/// A song's share of the draws grows with its windows to the power of 1 minus this: long songs count for more, but not
/// in proportion, since variety matters. Chosen, not tuned.
const SONG_LENGTH_EXPONENT: f64 = 0.7;
/// Neighbouring bins of a Hann window are correlated: about so many bins carry one independent value.
const BINS_PER_VALUE: f32 = 1.5;
/// Spread of `2 Re XY*` against `|X||Y|` in one bin, for two sounds of independent random phase: twice the standard
/// deviation of a cosine, 2 / √2.
const CROSS_SPREAD: f32 = 1.4;

/// Windows (song, window) and their cumulative weights.
pub(super) type WindowPool = (Vec<(usize, usize)>, Vec<f64>);

/// Draws mixes from a cache.
pub struct Mixer<'a> {
    pub(super) cache: &'a MapCache,
    pub(super) settings: &'a MixSettings,
    pub(super) norms: &'a NormsSummary,
    /// For each stem: windows where it is active, with cumulative weights.
    pub(super) pools: PerStem<WindowPool>,
    /// Spread of a foreign stem's cross term in each band: the more bins behind it, the more averages out.
    pub(super) cross_spread: Vec<f32>,
    /// Windows with separator errors, per stem; of use with a separator only.
    pub(super) errors: PerStem<ErrorPool>,
    /// The stems that a separator estimates.
    pub(super) separated: &'a [Stem],
    pub(super) bands: usize,
    pub(super) frames: usize,
    pub(super) seconds_per_frame: f32,
}

impl<'a> Mixer<'a> {
    /// Indexes the cache's windows.
    pub fn new(cache: &'a MapCache, settings: &'a MixSettings, norms: &'a NormsSummary) -> Self {
        let features = &cache.songs[0].header.features;
        Mixer {
            cache,
            settings,
            norms,
            pools: PerStem::from_fn(|stem| pool_of(cache, settings, stem)),
            cross_spread: cross_spread(features),
            errors: ErrorPool::of(cache, settings.largest_separator_error_db),
            separated: &features.separated,
            bands: features.bands,
            frames: cache.songs[0].header.frames,
            seconds_per_frame: features.hop_samples as f32 / features.sample_rate_hz as f32,
        }
    }
}

fn cross_spread(features: &FeatureSettings) -> Vec<f32> {
    let bank = BandBank::new(features);
    let bin_hz = features.sample_rate_hz as f32 / features.fft_samples as f32;
    let centres = bank.centres_hz();
    (0..features.bands)
        .map(|band| {
            let above = centres[(band + 1).min(features.bands - 1)];
            let below = centres[band.saturating_sub(1)];
            CROSS_SPREAD / ((above - below) / 2.0 / bin_hz / BINS_PER_VALUE).max(1.0).sqrt()
        })
        .collect()
}

fn pool_of(cache: &MapCache, settings: &MixSettings, stem: Stem) -> WindowPool {
    let (mut windows, mut cumulative, mut total) = (Vec::new(), Vec::new(), 0.0);
    for (index, song) in cache.songs.iter().enumerate() {
        let Some(position) = song.header.position(stem) else { continue };
        let active: Vec<usize> =
            (0..song.header.windows.len()).filter(|w| song.header.windows[*w].active[position]).collect();
        let source = settings.source_weights.get(&song.header.source).copied().unwrap_or(1.0);
        let each = source * (active.len() as f64).powf(-SONG_LENGTH_EXPONENT);
        for window in active {
            total += each;
            windows.push((index, window));
            cumulative.push(total);
        }
    }
    (windows, cumulative)
}

/// Draws a window by its weight; none from an empty pool.
pub(super) fn draw((windows, cumulative): &WindowPool, rng: &mut SmallRng) -> Option<(usize, usize)> {
    let at = rng.random::<f64>() * cumulative.last()?;
    let index = cumulative.partition_point(|c| *c <= at).min(windows.len() - 1);
    Some(windows[index])
}
