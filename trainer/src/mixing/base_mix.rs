//! A song at usual levels, and what the separator says of it.

use super::cache::pairs_of;
use super::shares::{level_error_db, share_errors, true_shares};
use anyhow::Result;
use mixing_buddy_core::audio::StereoPcm;
use mixing_buddy_core::features::{FeatureSettings, ShareStream};
use mixing_buddy_core::norms::{NormsSummary, levels_from_rest_levels};
use mixing_buddy_core::separator::Separator;
use mixing_buddy_core::{CancelFlag, GainStep, Stem};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;

/// Spread in dB that is added to the norms' balances. Chosen, not tuned: the same as in the mixes of training.
const NORMS_EXTRA_SD_DB: f64 = 2.0;
/// Share of the songs in which one stem is off: the separator is asked about flawed mixes. Chosen, not tuned.
const FLAWED: f64 = 0.5;
/// A stem sounds where its power per sample is above this (-60 dB of full scale).
const SOUNDING: f64 = 1e-6;

/// The separator's errors about a stem in a window.
pub struct SeparatorErrors {
    /// Of its share of each cell, as a difference of log odds, `[frames, bands]`.
    pub log_odds: Vec<f32>,
    /// Of its level of the stem against the rest in dB.
    pub level_db: f32,
}

/// The gains of a song's stems in its base mix, and the separator's shares of that mix.
pub struct BaseMix {
    /// Amplitude factor of each stem present.
    gains: Vec<f32>,
    /// Per separated stem, `[frames of the song, bands]`.
    shares: Vec<Vec<f32>>,
    bands: usize,
}

impl BaseMix {
    /// Draws levels for a song and runs the separator over it. The stems are at the rate of the features.
    ///
    /// # Errors
    /// When the rate cannot be resampled.
    pub fn new(
        stems: &[(Stem, StereoPcm)],
        features: &FeatureSettings,
        separator: &Arc<Separator>,
        rng: &mut ChaCha8Rng,
    ) -> Result<Self> {
        let gains = draw_gains(stems, features, rng);
        let length = stems.iter().map(|(_, pcm)| pcm.len()).max().unwrap_or(0);
        let (mut left, mut right) = (vec![0.0; length], vec![0.0; length]);
        for ((_, pcm), gain) in stems.iter().zip(&gains) {
            left.iter_mut().zip(&pcm.left).for_each(|(sum, x)| *sum += gain * x);
            right.iter_mut().zip(&pcm.right).for_each(|(sum, x)| *sum += gain * x);
        }
        let (mut stream, cancel) = (ShareStream::new(Arc::clone(separator), features)?, CancelFlag::new());
        let mut slabs = Vec::new();
        stream.push(&left, &right, &cancel, |slab| slabs.push(slab))?;
        let needed = (length / features.hop_samples).div_ceil(features.slab_frames());
        stream.finish(needed.saturating_sub(slabs.len()), &cancel, |slab| slabs.push(slab))?;
        let slab_values = features.slab_frames() * features.bands;
        let shares = (0..features.separated.len())
            .map(|index| {
                slabs
                    .iter()
                    .flat_map(|slab| &slab[index * slab_values..(index + 1) * slab_values])
                    .copied()
                    .collect()
            })
            .collect();
        Ok(BaseMix { gains, shares, bands: features.bands })
    }

    /// The separator's errors in the window that begins at `first_frame` of the song, per separated stem. `maps` are the window's
    /// maps of all pairs of `present` stems, cross terms doubled.
    pub fn errors(
        &self,
        first_frame: usize,
        maps: &[f32],
        present: &[Stem],
        separated: &[Stem],
    ) -> Vec<SeparatorErrors> {
        let cells = maps.len() / pairs_of(present.len()).count().max(1);
        let mut mix = vec![0.0; cells];
        let mut parts: Vec<Vec<f32>> = vec![Vec::new(); present.len()];
        for (pair, (i, j)) in pairs_of(present.len()).enumerate() {
            let gain = self.gains[i] * self.gains[j];
            let map = &maps[pair * cells..(pair + 1) * cells];
            mix.iter_mut().zip(map).for_each(|(sum, value)| *sum += gain * value);
            if i == j {
                parts[i] = map.iter().map(|value| gain * value).collect();
            }
        }
        mix.iter_mut().for_each(|value| *value = value.max(0.0));
        let silence = vec![0.0; cells];
        let first = first_frame * self.bands;
        separated
            .iter()
            .zip(&self.shares)
            .map(|(stem, shares)| {
                let part = present.iter().position(|other| other == stem).map_or(&silence, |at| &parts[at]);
                let (found, truth) = (&shares[first..first + cells / 2], true_shares(part, &mix, self.bands));
                SeparatorErrors {
                    log_odds: share_errors(found, &truth),
                    level_db: level_error_db(found, &truth, &mix, self.bands),
                }
            })
            .collect()
    }
}

/// Amplitude factors that bring the stems to a balance after the norms, half of the time with one stem off.
fn draw_gains(stems: &[(Stem, StereoPcm)], features: &FeatureSettings, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let norms = NormsSummary::shipped();
    let mut levels_db = loop {
        if let Some(levels) =
            levels_from_rest_levels(norms.sample_window(NORMS_EXTRA_SD_DB, &mut || rng.random()))
        {
            break levels;
        }
    };
    if rng.random_bool(FLAWED) {
        let off = stems[rng.random_range(0..stems.len())].0;
        levels_db[off] += rng.random_range(-f64::from(GainStep::MAX_DB)..f64::from(GainStep::MAX_DB));
    }
    let second = features.sample_rate_hz as usize;
    stems
        .iter()
        .map(|(stem, pcm)| {
            let (mut power, mut seconds) = (0.0, 0usize);
            for (left, right) in pcm.left.chunks(second).zip(pcm.right.chunks(second)) {
                let sum: f64 = left.iter().chain(right).map(|x| f64::from(*x).powi(2)).sum();
                let mean = sum / (2 * left.len()) as f64;
                if mean > SOUNDING {
                    power += mean;
                    seconds += 1;
                }
            }
            let mean = power / seconds.max(1) as f64;
            if mean > 0.0 { (10f64.powf(levels_db[*stem] / 10.0) / mean).sqrt() as f32 } else { 1.0 }
        })
        .collect()
}
