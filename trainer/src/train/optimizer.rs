//! AdamW with warm-up, cosine decay, gradient clipping and an average of the weights, all resumable.

use anyhow::{Result, ensure};
use candle_core::{Device, Tensor, Var};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::hash::Hasher;

/// Settings of the optimizer. The defaults were chosen, not tuned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OptimizerSettings {
    /// Highest learning rate.
    pub learning_rate: f64,
    /// Steps of linear warm-up.
    pub warmup_steps: usize,
    /// Learning rate at the end, as a share of the highest.
    pub final_share: f64,
    /// Decoupled weight decay, on matrices only.
    pub weight_decay: f64,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Largest norm of the gradient over all variables; longer gradients are scaled down to it.
    pub clip_norm: f64,
    /// Decay of the running average of the weights, which the run exports; 0 for none.
    pub average_decay: f64,
}

impl Default for OptimizerSettings {
    fn default() -> Self {
        OptimizerSettings {
            learning_rate: 1e-3,
            warmup_steps: 100,
            final_share: 0.02,
            weight_decay: 0.05,
            beta1: 0.9,
            beta2: 0.98,
            clip_norm: 1.0,
            average_decay: 0.998,
        }
    }
}

impl OptimizerSettings {
    /// Learning rate of a step: linear warm-up, then half a cosine (Loshchilov and Hutter 2016).
    pub fn learning_rate_at(&self, step: usize, steps: usize) -> f64 {
        if step < self.warmup_steps {
            return self.learning_rate * (step + 1) as f64 / self.warmup_steps as f64;
        }
        let span = steps.saturating_sub(self.warmup_steps).max(1) as f64;
        let done = ((step - self.warmup_steps) as f64 / span).min(1.0);
        let cosine = 0.5 * (1.0 + (std::f64::consts::PI * done).cos());
        self.learning_rate * (self.final_share + (1.0 - self.final_share) * cosine)
    }
}

/// State of one variable.
#[derive(Clone, Debug, PartialEq)]
struct Slot {
    weights: Vec<f32>,
    first: Vec<f32>,
    second: Vec<f32>,
    average: Vec<f32>,
}

/// Gradients by variable name.
pub type Gradients = BTreeMap<String, Vec<f32>>;

/// AdamW (Loshchilov and Hutter 2019) over named variables.
pub struct AdamW {
    settings: OptimizerSettings,
    vars: BTreeMap<String, Var>,
    slots: BTreeMap<String, Slot>,
    step: usize,
}

impl AdamW {
    /// Starts from the present values of the variables.
    ///
    /// # Errors
    /// When a variable is not `f32`.
    pub fn new(vars: BTreeMap<String, Var>, settings: &OptimizerSettings) -> Result<Self> {
        let slots = vars
            .iter()
            .map(|(name, var)| {
                let weights = var.flatten_all()?.to_vec1::<f32>()?;
                let zeros = vec![0.0; weights.len()];
                Ok((
                    name.clone(),
                    Slot { average: weights.clone(), first: zeros.clone(), second: zeros, weights },
                ))
            })
            .collect::<Result<_>>()?;
        Ok(AdamW { settings: settings.clone(), vars, slots, step: 0 })
    }

    /// The variables that are trained.
    pub fn vars(&self) -> &BTreeMap<String, Var> {
        &self.vars
    }

    /// Steps taken so far.
    pub fn steps_taken(&self) -> usize {
        self.step
    }

    /// One step; returns the norm of the gradient before clipping. Variables without a gradient stay as they are.
    ///
    /// # Errors
    /// When the gradient is not finite (the weights stay as they are), or a tensor cannot be set.
    pub fn step(&mut self, gradients: &Gradients, learning_rate: f64) -> Result<f64> {
        let norm = gradients.values().flatten().map(|g| f64::from(*g) * f64::from(*g)).sum::<f64>().sqrt();
        ensure!(norm.is_finite(), "the gradient of step {} is not a number", self.step + 1);
        self.step += 1;
        let s = &self.settings;
        let clip = (s.clip_norm / norm.max(1e-12)).min(1.0) as f32;
        let correct1 = (1.0 - s.beta1.powi(self.step as i32)) as f32;
        let correct2 = (1.0 - s.beta2.powi(self.step as i32)) as f32;
        let (b1, b2, rate) = (s.beta1 as f32, s.beta2 as f32, learning_rate as f32);
        // The average follows closely at first; otherwise the average of a short run would be its start.
        let average_decay = s.average_decay.min((1.0 + self.step as f64) / (10.0 + self.step as f64)) as f32;
        for (name, gradient) in gradients {
            let (Some(slot), Some(var)) = (self.slots.get_mut(name), self.vars.get(name)) else { continue };
            let decay = if var.rank() >= 2 { rate * s.weight_decay as f32 } else { 0.0 };
            let state =
                slot.weights.iter_mut().zip(&mut slot.first).zip(&mut slot.second).zip(&mut slot.average);
            for ((((weight, first), second), average), gradient) in state.zip(gradient) {
                let gradient = gradient * clip;
                *first = b1 * *first + (1.0 - b1) * gradient;
                *second = b2 * *second + (1.0 - b2) * gradient * gradient;
                let update = (*first / correct1) / ((*second / correct2).sqrt() + 1e-8);
                *weight -= decay * *weight + rate * update;
                *average = average_decay * *average + (1.0 - average_decay) * *weight;
            }
            var.set(&Tensor::from_slice(&slot.weights, var.shape(), var.device())?)?;
        }
        Ok(norm)
    }

    /// Feeds the bits of all weights into a hash.
    pub fn feed_weights(&self, hasher: &mut dyn Hasher) {
        self.slots
            .values()
            .flat_map(|slot| &slot.weights)
            .for_each(|weight| hasher.write_u32(weight.to_bits()));
    }

    /// The averaged weights (or the last ones without averaging), by name.
    ///
    /// # Errors
    /// As tensor operations.
    pub fn averaged(&self) -> Result<BTreeMap<String, Tensor>> {
        self.slots
            .iter()
            .map(|(name, slot)| {
                let values = if self.settings.average_decay > 0.0 { &slot.average } else { &slot.weights };
                Ok((name.clone(), Tensor::from_slice(values, self.vars[name].shape(), &Device::Cpu)?))
            })
            .collect()
    }

    /// Runs `body` while the variables have their averaged values.
    ///
    /// # Errors
    /// Those of `body`, and as tensor operations.
    pub fn with_averaged<T>(&self, body: impl FnOnce() -> Result<T>) -> Result<T> {
        let set = |values: &dyn Fn(&Slot) -> &Vec<f32>| -> Result<()> {
            for (name, slot) in &self.slots {
                let var = &self.vars[name];
                var.set(&Tensor::from_slice(values(slot), var.shape(), var.device())?)?;
            }
            Ok(())
        };
        if self.settings.average_decay > 0.0 {
            set(&|slot| &slot.average)?;
        }
        let result = body();
        set(&|slot| &slot.weights)?;
        result
    }

    /// All state that a resumed run needs, as tensors: `weights.…`, `first.…`, `second.…`, `average.…`.
    ///
    /// # Errors
    /// As tensor operations.
    pub fn state(&self) -> Result<BTreeMap<String, Tensor>> {
        let mut state = BTreeMap::new();
        for (name, slot) in &self.slots {
            let shape = self.vars[name].shape();
            let parts = [
                ("weights", &slot.weights),
                ("first", &slot.first),
                ("second", &slot.second),
                ("average", &slot.average),
            ];
            for (part, values) in parts {
                state.insert(format!("{part}.{name}"), Tensor::from_slice(values, shape, &Device::Cpu)?);
            }
        }
        Ok(state)
    }

    /// Restores a saved state.
    ///
    /// # Errors
    /// When a tensor is missing or has another shape: the checkpoint is of another architecture.
    pub fn restore(&mut self, state: &BTreeMap<String, Tensor>, step: usize) -> Result<()> {
        for (name, slot) in &mut self.slots {
            let var = &self.vars[name];
            let read = |part: &str| -> Result<Vec<f32>> {
                let key = format!("{part}.{name}");
                let tensor =
                    state.get(&key).ok_or_else(|| anyhow::anyhow!("the checkpoint has no '{key}'"))?;
                ensure!(
                    tensor.shape() == var.shape(),
                    "the checkpoint is of another architecture: '{name}' has shape {:?}, expected {:?}",
                    tensor.shape(),
                    var.shape()
                );
                Ok(tensor.flatten_all()?.to_vec1()?)
            };
            *slot = Slot {
                weights: read("weights")?,
                first: read("first")?,
                second: read("second")?,
                average: read("average")?,
            };
            var.set(&Tensor::from_slice(&slot.weights, var.shape(), var.device())?)?;
        }
        self.step = step;
        Ok(())
    }
}
