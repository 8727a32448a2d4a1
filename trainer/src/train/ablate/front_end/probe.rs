//! A small network from the features of a frozen front end to the levels of four stems.

use crate::train::optimizer::{AdamW, OptimizerSettings};
use crate::train::shards::{BatchSplit, ShardOutcome, gradients};
use anyhow::Result;
use candle_core::{Device, Tensor};
use mixing_buddy_core::Stem;
use mixing_buddy_core::nn::{Linear, Params};
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

/// What a probe learns from and is measured with: the features of a mix and the level of each stem against the rest.
pub struct ProbeWindow {
    /// Number of the song.
    pub song: usize,
    /// The features of the front end.
    pub features: Vec<f32>,
    /// True levels in dB.
    pub true_db: [f32; Stem::COUNT],
}

/// Share of the features that is dropped in a step, so that a probe does not memorize its few mixes. Chosen, not tuned.
const DROPPED_SHARE: f64 = 0.2;
/// Errors in dB beyond which the loss grows linearly, not as the square: some windows cannot be measured. Chosen, not
/// tuned.
const HUBER_DB: f32 = 3.0;
/// The network learns levels divided by this.
const SCALE_DB: f32 = 6.0;

/// A trained probe.
pub struct Probe {
    mean: Vec<f32>,
    scale: Vec<f32>,
    inner: Linear,
    outer: Linear,
}

impl Probe {
    /// Trains a probe of `hidden` units for `steps` steps of `batch` mixes.
    ///
    /// # Errors
    /// As tensor operations.
    pub fn train(
        mixes: &[ProbeWindow],
        hidden: usize,
        (steps, batch): (usize, usize),
        seed: u64,
    ) -> Result<Self> {
        let width = mixes.first().map_or(0, |mix| mix.features.len());
        let (mean, scale) = spread(mixes, width);
        let device = Device::Cpu;
        let params = Params::train(seed, &device);
        let probe = Probe {
            mean,
            scale,
            inner: Linear::new(&params, "inner", (width, hidden), true, None)?,
            outer: Linear::new(&params, "outer", (hidden, Stem::COUNT), true, None)?,
        };
        let settings =
            OptimizerSettings { learning_rate: 1e-3, average_decay: 0.995, ..OptimizerSettings::default() };
        let mut optimizer = AdamW::new(params.vars(), &settings)?;
        let mut rng = SmallRng::seed_from_u64(seed);
        let mut order: Vec<usize> = Vec::new();
        for step in 0..steps {
            let mut input = Vec::with_capacity(batch * width);
            let mut target = Vec::with_capacity(batch * Stem::COUNT);
            for _ in 0..batch {
                if order.is_empty() {
                    order = (0..mixes.len()).collect();
                    order.shuffle(&mut rng);
                }
                let mix = &mixes[order.pop().unwrap_or(0)];
                let keep = 1.0 / (1.0 - DROPPED_SHARE) as f32;
                let standard = probe.standardised(&mix.features);
                input.extend(standard.map(|x| if rng.random_bool(DROPPED_SHARE) { 0.0 } else { keep * x }));
                target.extend(mix.true_db.map(|level| level / SCALE_DB));
            }
            let input = Tensor::from_vec(input, (batch, width), &device)?;
            let target = Tensor::from_vec(target, (batch, Stem::COUNT), &device)?;
            let off = (probe.levels(&input)? - target)?.abs()?;
            let bound = f64::from(HUBER_DB / SCALE_DB);
            let near = off.clamp(0.0, bound)?;
            let loss = ((&near * &near)? * 0.5 + ((off - &near)? * bound)?)?.mean_all()?;
            let outcome = |_| Ok(ShardOutcome { loss: loss.clone(), figures: Vec::new() });
            let (gradients, _) = gradients(optimizer.vars(), BatchSplit::new(batch, 1, 1)?, outcome)?;
            optimizer.step(&gradients, settings.learning_rate_at(step, steps))?;
        }
        Ok(probe)
    }

    /// Levels in dB of the four stems of a mix.
    ///
    /// # Errors
    /// As tensor operations.
    pub fn levels_db(&self, features: &[f32]) -> Result<[f32; Stem::COUNT]> {
        let input: Vec<f32> = self.standardised(features).collect();
        let input = Tensor::from_vec(input, (1, features.len()), &Device::Cpu)?;
        let levels = self.levels(&input)?.flatten_all()?.to_vec1::<f32>()?;
        Ok(std::array::from_fn(|stem| levels[stem] * SCALE_DB))
    }

    fn levels(&self, input: &Tensor) -> Result<Tensor> {
        let inner = self.inner.forward(input, None)?.silu()?;
        Ok(self.outer.forward(&inner, None)?)
    }

    fn standardised<'a>(&'a self, features: &'a [f32]) -> impl Iterator<Item = f32> + 'a {
        features.iter().zip(&self.mean).zip(&self.scale).map(|((x, mean), scale)| (x - mean) * scale)
    }
}

/// Mean of each feature, and one over its standard deviation.
fn spread(mixes: &[ProbeWindow], width: usize) -> (Vec<f32>, Vec<f32>) {
    let count = mixes.len().max(1) as f32;
    let mut mean = vec![0.0; width];
    mixes.iter().for_each(|mix| mean.iter_mut().zip(&mix.features).for_each(|(sum, x)| *sum += x / count));
    let mut square = vec![0.0; width];
    for mix in mixes {
        for ((sum, x), mean) in square.iter_mut().zip(&mix.features).zip(&mean) {
            *sum += (x - mean) * (x - mean) / count;
        }
    }
    let scale = square.into_iter().map(|variance: f32| 1.0 / variance.sqrt().max(1e-4)).collect();
    (mean, scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_learns_what_the_features_contain_and_nothing_else() {
        let mut rng = SmallRng::seed_from_u64(1);
        let mut mixes = |count: usize| -> Vec<ProbeWindow> {
            (0..count)
                .map(|song| {
                    let features: Vec<f32> = (0..12).map(|_| rng.random_range(-1.0..1.0)).collect();
                    let true_db = [
                        8.0 * features[0],
                        5.0 * features[1].abs() - 2.0,
                        3.0 * features[2] - 4.0,
                        rng.random_range(-8.0..8.0),
                    ];
                    ProbeWindow { song, features, true_db }
                })
                .collect()
        };
        let (known, unknown) = (mixes(600), mixes(100));
        let probe = Probe::train(&known, 32, (600, 32), 3).unwrap();
        let error = |stem: usize| {
            let off =
                |mix: &ProbeWindow| (probe.levels_db(&mix.features).unwrap()[stem] - mix.true_db[stem]).abs();
            unknown.iter().map(off).sum::<f32>() / unknown.len() as f32
        };
        assert!(error(0) < 1.5 && error(1) < 1.2 && error(2) < 1.0, "{} {} {}", error(0), error(1), error(2));
        assert!(error(3) > 3.0, "{}", error(3));
    }
}
