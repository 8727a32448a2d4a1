//! Named weights: trainable variables while training, loaded tensors in inference.

use candle_core::quantized::QTensor;
use candle_core::{Device, Result, Shape, Tensor, Var, bail};
use normal::SeededNormal;
pub(crate) use normal::mix_bits;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

mod normal;

/// How a fresh variable starts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// All the same value.
    Const(f32),
    /// Normal with this standard deviation.
    Normal(f32),
}

enum Store {
    /// Fresh or loaded variables; what is asked for and missing is made.
    Train { vars: BTreeMap<String, Var>, quantized: BTreeMap<String, Arc<QTensor>>, seed: u64 },
    /// Weights of a file. What is missing is an error.
    Load { dense: BTreeMap<String, Tensor>, quantized: BTreeMap<String, Arc<QTensor>> },
}

/// A place in the tree of named weights. Cloning is cheap; [`Params::pp`] descends.
///
/// Names mirror the Hugging Face checkpoint of Qwen2 (`layers.0.self_attn.q_proj.weight`), so that an error names the
/// weight and a base model's file fits.
#[derive(Clone)]
pub struct Params {
    store: Arc<Mutex<Store>>,
    path: String,
    device: Device,
    /// Where set, weights below are loaded but not trained (the base of a LoRA run).
    frozen: bool,
}

impl Params {
    /// Trainable variables, made on demand from `seed` (each from its own name, so that order does not matter).
    pub fn train(seed: u64, device: &Device) -> Self {
        Self::of(Store::Train { vars: BTreeMap::new(), quantized: BTreeMap::new(), seed }, device)
    }

    /// Weights of a file; dense ones that live elsewhere are copied to the device where they are asked for.
    pub fn load(
        dense: BTreeMap<String, Tensor>,
        quantized: BTreeMap<String, Arc<QTensor>>,
        device: &Device,
    ) -> Self {
        Self::of(Store::Load { dense, quantized }, device)
    }

    fn of(store: Store, device: &Device) -> Self {
        Params {
            store: Arc::new(Mutex::new(store)),
            path: String::new(),
            device: device.clone(),
            frozen: false,
        }
    }

    /// The place `name` below this one.
    pub fn pp(&self, name: impl ToString) -> Self {
        let name = name.to_string();
        let path = if self.path.is_empty() { name } else { format!("{}.{name}", self.path) };
        Params { path, ..self.clone() }
    }

    /// The same place, its weights frozen: no gradient is computed for them.
    pub fn frozen(&self) -> Self {
        Params { frozen: true, ..self.clone() }
    }

    /// The same place, trainable again: adapters inside a frozen base.
    pub fn unfrozen(&self) -> Self {
        Params { frozen: false, ..self.clone() }
    }

    /// Whether weights from here are frozen.
    pub fn is_frozen(&self) -> bool {
        self.frozen
    }

    /// Where the weights live.
    pub fn device(&self) -> &Device {
        &self.device
    }

    fn name(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_string() } else { format!("{}.{name}", self.path) }
    }

    /// The weight `name` of this place.
    ///
    /// # Errors
    /// When it is missing from a file, or of another shape.
    pub fn get(&self, name: &str, shape: impl Into<Shape>, init: Init) -> Result<Tensor> {
        let (name, shape) = (self.name(name), shape.into());
        let mut store = self.lock();
        let tensor = match &mut *store {
            Store::Train { vars, quantized, seed } => {
                if let Some(quantized) = quantized.get(&name) {
                    bail!(
                        "the weight '{name}' is stored quantised with shape {:?}, expected {shape:?}",
                        quantized.shape()
                    );
                }
                if !vars.contains_key(&name) {
                    let fresh = fresh(&name, *seed, &shape, init, &self.device)?;
                    vars.insert(name.clone(), Var::from_tensor(&fresh)?);
                }
                vars[&name].as_tensor().clone()
            }
            Store::Load { dense, quantized } => match (dense.get(&name), quantized.get(&name)) {
                (Some(tensor), _) => tensor.to_device(&self.device)?,
                (None, Some(quantized)) => quantized.dequantize(&self.device)?,
                (None, None) => bail!("the weight '{name}' is missing"),
            },
        };
        if tensor.shape() != &shape {
            bail!("the weight '{name}' has shape {:?}, expected {shape:?}", tensor.shape());
        }
        Ok(if self.frozen { tensor.detach() } else { tensor })
    }

    /// The weight `name` as it is stored quantised, if it is.
    pub fn get_quantized(&self, name: &str) -> Option<Arc<QTensor>> {
        match &*self.lock() {
            Store::Train { quantized, .. } | Store::Load { quantized, .. } => {
                quantized.get(&self.name(name)).cloned()
            }
        }
    }

    /// Whether the weight `name` exists already.
    pub fn contains(&self, name: &str) -> bool {
        let name = self.name(name);
        match &*self.lock() {
            Store::Train { vars, quantized, .. } => vars.contains_key(&name) || quantized.contains_key(&name),
            Store::Load { dense, quantized } => dense.contains_key(&name) || quantized.contains_key(&name),
        }
    }

    /// All variables made so far, by full name. Empty for loaded weights.
    pub fn vars(&self) -> BTreeMap<String, Var> {
        match &*self.lock() {
            Store::Train { vars, .. } => vars.clone(),
            Store::Load { .. } => BTreeMap::new(),
        }
    }

    /// All dense weights of a file, by full name. Empty while training.
    pub fn loaded(&self) -> BTreeMap<String, Tensor> {
        match &*self.lock() {
            Store::Train { .. } => BTreeMap::new(),
            Store::Load { dense, .. } => dense.clone(),
        }
    }

    /// Gives a variable its value, making it where it is missing: how checkpoints and bases come in.
    ///
    /// # Errors
    /// When the variable exists with another shape, or for loaded weights.
    pub fn set(&self, name: &str, value: &Tensor) -> Result<()> {
        let name = self.name(name);
        match &mut *self.lock() {
            Store::Load { .. } => bail!("loaded weights cannot be changed"),
            Store::Train { vars, .. } => match vars.get(&name) {
                Some(var) if var.shape() != value.shape() => {
                    bail!("the weight '{name}' has shape {:?}, expected {:?}", value.shape(), var.shape())
                }
                Some(var) => var.set(&value.to_device(&self.device)?),
                None => {
                    vars.insert(name, Var::from_tensor(&value.to_device(&self.device)?)?);
                    Ok(())
                }
            },
        }
    }

    /// Gives a frozen weight of a training run its value as it is stored: quantised (QLoRA, Dettmers et al. 2023).
    ///
    /// # Errors
    /// When it exists as a variable, or for loaded weights.
    pub fn set_quantized(&self, name: &str, value: QTensor) -> Result<()> {
        let name = self.name(name);
        match &mut *self.lock() {
            Store::Load { .. } => bail!("loaded weights cannot be changed"),
            Store::Train { vars, .. } if vars.contains_key(&name) => {
                bail!("the weight '{name}' is a variable already")
            }
            Store::Train { quantized, .. } => {
                quantized.insert(name, Arc::new(value));
                Ok(())
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Store> {
        // A panic elsewhere while the map was held leaves the map itself whole.
        self.store.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn fresh(name: &str, seed: u64, shape: &Shape, init: Init, device: &Device) -> Result<Tensor> {
    match init {
        Init::Const(value) => Tensor::full(value, shape, device),
        Init::Normal(sd) => {
            let mut normal = SeededNormal::new(seed, name);
            let values: Vec<f32> = (0..shape.elem_count()).map(|_| sd * normal.next()).collect();
            Tensor::from_vec(values, shape, device)
        }
    }
}
