//! Splits a batch over threads: each computes the gradient of its share, and the shares are added up.
//!
//! candle runs elementwise operations on one thread, so whole forward and backward passes side by side use the cores
//! better than a parallel matmul does.

use super::optimizer::Gradients;
use anyhow::{Result, anyhow, ensure};
use candle_core::{Tensor, Var};
use std::collections::BTreeMap;

/// What one shard of a batch gives.
pub struct ShardOutcome {
    /// Loss to differentiate, a scalar.
    pub loss: Tensor,
    /// Figures for the log, by name.
    pub figures: Vec<(&'static str, f64)>,
}

impl ShardOutcome {
    /// The figure `name`; none where it has no such figure.
    pub fn figure(&self, name: &str) -> Option<f64> {
        self.figures.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }
}

/// Runs `shard(index)` for each of `count` shards on its own thread and adds up gradients, each weighted `1 / count`.
///
/// The sum is made in shard order, so that the result does not depend on which thread is first.
///
/// # Errors
/// When a shard fails or panics, or its loss is not a number.
pub fn gradients(
    vars: &BTreeMap<String, Var>,
    count: usize,
    shard: impl Fn(usize) -> Result<ShardOutcome> + Sync,
) -> Result<(Gradients, Vec<(&'static str, f64)>)> {
    let run = |index: usize| -> Result<(Gradients, Vec<(&'static str, f64)>)> {
        let outcome = shard(index)?;
        let loss = outcome.loss.to_scalar::<f32>()?;
        ensure!(loss.is_finite(), "the loss of part {} of {count} of its batch is {loss}", index + 1);
        let store = outcome.loss.backward()?;
        let mut gradients = Gradients::new();
        for (name, var) in vars {
            if let Some(gradient) = store.get(var) {
                gradients.insert(name.clone(), gradient.flatten_all()?.to_vec1::<f32>()?);
            }
        }
        Ok((gradients, outcome.figures))
    };
    let results: Vec<_> = if count == 1 {
        vec![run(0)]
    } else {
        std::thread::scope(|scope| {
            let run = &run;
            let handles: Vec<_> = (0..count).map(|index| scope.spawn(move || run(index))).collect();
            handles
                .into_iter()
                .map(|handle| handle.join().unwrap_or_else(|_| Err(anyhow!("a training thread panicked"))))
                .collect()
        })
    };
    let share = 1.0 / count as f32;
    let (mut total, mut figures) = (Gradients::new(), Vec::new());
    for (index, result) in results.into_iter().enumerate() {
        let (gradients, of_shard) = result?;
        for (name, gradient) in gradients {
            match total.get_mut(&name) {
                Some(sum) => sum.iter_mut().zip(&gradient).for_each(|(sum, g)| *sum += g * share),
                None => _ = total.insert(name, gradient.into_iter().map(|g| g * share).collect()),
            }
        }
        if index == 0 {
            figures = of_shard.iter().map(|(name, value)| (*name, value / count as f64)).collect();
        } else {
            for ((_, sum), (_, value)) in figures.iter_mut().zip(&of_shard) {
                *sum += value / count as f64;
            }
        }
    }
    Ok((total, figures))
}
