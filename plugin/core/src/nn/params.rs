//! Named weights: trainable variables while training, loaded tensors in inference.

use candle_core::quantized::QTensor;
use candle_core::{Device, Result, Shape, Tensor, Var, bail};
use normal::SeededNormal;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

mod normal;

/// Most names of each kind in the error of [`Params::set_all`]: enough to see which model a file belongs to.
pub const LISTED_NAMES: usize = 5;

/// How a fresh variable starts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// All the same value.
    Const(f32),
    /// Normal with this standard deviation.
    Normal(f32),
}

enum Store {
    /// Fresh or loaded variables; a missing one is made on demand.
    Train { vars: BTreeMap<String, Var>, quantized: BTreeMap<String, Arc<QTensor>>, seed: u64 },
    /// Weights of a file. A missing one is an error.
    Load { dense: BTreeMap<String, Tensor>, quantized: BTreeMap<String, Arc<QTensor>> },
}

/// A place in the tree of named weights. Cloning is cheap; [`Params::pp`] descends.
///
/// Names mirror the Hugging Face checkpoint of Qwen2 (`layers.0.self_attn.q_proj.weight`), so that an error names the
/// weight and the file of a base model fits.
#[derive(Clone)]
pub struct Params {
    store: Arc<Mutex<Store>>,
    path: String,
    device: Device,
    /// If set, weights below are not trained (the base of a LoRA run).
    frozen: bool,
}

impl Params {
    /// Trainable variables, made on demand from `seed` (each from its own name, so that order does not matter).
    pub fn train(seed: u64, device: &Device) -> Self {
        Self::of(Store::Train { vars: BTreeMap::new(), quantized: BTreeMap::new(), seed }, device)
    }

    /// Weights of a file; a dense one on another device is copied when it is used.
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

    /// The same place with frozen weights: no gradient is computed for them.
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

    /// The device of the weights.
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

    /// Whether the weight `name` exists.
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

    /// Gives a variable its value, and makes it where it is missing. Where a whole model must fit, use
    /// [`Params::set_all`].
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

    /// Gives every variable below this place its value: how a whole checkpoint comes in, once the model is built.
    ///
    /// `values` are named from this place. Nothing is changed where they do not fit.
    ///
    /// # Errors
    /// When `values` names no variable, lacks one, or has one of another shape; the message lists up to
    /// [`LISTED_NAMES`] names of each kind. Also for loaded weights.
    pub fn set_all(&self, values: &BTreeMap<String, Tensor>) -> Result<()> {
        let prefix = self.name("");
        self.set_where(values, |name| name.starts_with(&prefix))
    }

    /// As [`Params::set_all`], for the variables whose full names `belong`: the trained part of a model.
    ///
    /// # Errors
    /// As [`Params::set_all`].
    pub fn set_where(&self, values: &BTreeMap<String, Tensor>, belong: impl Fn(&str) -> bool) -> Result<()> {
        let vars = match &*self.lock() {
            Store::Load { .. } => bail!("loaded weights cannot be changed"),
            Store::Train { vars, .. } => vars.clone(),
        };
        let values: BTreeMap<String, &Tensor> =
            values.iter().map(|(name, value)| (self.name(name), value)).collect();
        let vars: BTreeMap<String, Var> = vars.into_iter().filter(|(name, _)| belong(name)).collect();
        let unknown: Vec<&str> =
            values.keys().filter(|name| !vars.contains_key(*name)).map(String::as_str).collect();
        let missing: Vec<&str> =
            vars.keys().filter(|name| !values.contains_key(*name)).map(String::as_str).collect();
        let misshapen = values.iter().filter_map(|(name, value)| {
            let var = vars.get(name).filter(|var| var.shape() != value.shape())?;
            Some(format!("{name} (shape {:?}, expected {:?})", value.shape(), var.shape()))
        });
        let misshapen: Vec<String> = misshapen.collect();
        let faults: Vec<String> = [
            ("unknown", list(&unknown)),
            ("missing", list(&missing)),
            ("of another shape", list(&misshapen.iter().map(String::as_str).collect::<Vec<_>>())),
        ]
        .into_iter()
        .filter_map(|(what, names)| Some(format!("{what}: {}", names?)))
        .collect();
        if !faults.is_empty() {
            bail!("the weights do not fit the model; {}", faults.join("; "));
        }
        for (name, value) in values {
            vars[&name].set(&value.to_device(&self.device)?)?;
        }
        Ok(())
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
                bail!("the weight '{name}' is already a variable")
            }
            Store::Train { quantized, .. } => {
                quantized.insert(name, Arc::new(value));
                Ok(())
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Store> {
        // A panic on another thread that held the lock leaves the map itself intact.
        self.store.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// The first few of `names` and how many more there are; none without names.
fn list(names: &[&str]) -> Option<String> {
    let (listed, more) = names.split_at(names.len().min(LISTED_NAMES));
    let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
    (!names.is_empty()).then(|| format!("{}{more}", listed.join(", ")))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn values(names: &[&str], value: f32) -> BTreeMap<String, Tensor> {
        let tensor = Tensor::full(value, (2, 3), &Device::Cpu).unwrap();
        names.iter().map(|name| (name.to_string(), tensor.clone())).collect()
    }

    #[test]
    fn set_all_refuses_names_and_shapes_that_do_not_fit() {
        let params = Params::train(1, &Device::Cpu);
        let part = params.pp("part");
        for name in ["a", "b"] {
            part.get(name, (2, 3), Init::Normal(1.0)).unwrap();
        }
        params.get("elsewhere", 4, Init::Const(0.0)).unwrap();
        let before = params.vars()["part.a"].to_vec2::<f32>().unwrap();

        let sentence = part.set_all(&values(&["a", "c"], 5.0)).unwrap_err().to_string();
        assert!(sentence.contains("unknown: part.c; missing: part.b"), "{sentence}");
        let names = ["a", "b", "c1", "c2", "c3", "c4", "c5", "c6", "c7"];
        let sentence = part.set_all(&values(&names, 5.0)).unwrap_err().to_string();
        assert!(sentence.contains("part.c5 and 2 more") && !sentence.contains("missing"), "{sentence}");
        let mut wrong = values(&["a", "b"], 5.0);
        wrong.insert("b".into(), Tensor::zeros(6, candle_core::DType::F32, &Device::Cpu).unwrap());
        let sentence = part.set_all(&wrong).unwrap_err().to_string();
        assert!(sentence.contains("of another shape: part.b (shape [6], expected [2, 3])"), "{sentence}");
        assert_eq!(params.vars()["part.a"].to_vec2::<f32>().unwrap(), before, "nothing was changed");
        assert!(params.set_all(&values(&["part.a", "part.b"], 5.0)).is_err(), "'elsewhere' is missing");

        part.set_all(&values(&["a", "b"], 5.0)).unwrap();
        assert_eq!(params.vars()["part.b"].to_vec2::<f32>().unwrap(), [[5.0; 3]; 2]);
        assert_eq!(params.vars().len(), 3, "no variable was made");
    }
}
