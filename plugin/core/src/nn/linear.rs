//! A linear layer: dense, frozen or quantised, with or without LoRA. The choice is made here; models do not depend on
//! it.

use super::frozen::{FrozenWeight, frozen_matmul};
use super::fused::{Argument, Fused, evaluate2};
use super::params::{Init, Params};
use crate::hash::mix_bits;
use candle_core::quantized::{QMatMul, QTensor};
use candle_core::{Module, Result, Shape, Tensor, bail};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Low-rank adaptation (Hu et al. 2021): `y = W x + alpha / rank * B A x`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoraConfig {
    /// Inner dimension of the adapter.
    pub rank: usize,
    /// Scale of the adapter before division by the rank.
    pub alpha: f64,
    /// Share of the adapter's inputs dropped while training, 0 to 1.
    pub dropout: f32,
    /// Names of the layers that get an adapter, as in PEFT: `q_proj`, `k_proj`, ….
    pub target_modules: Vec<String>,
}

impl Default for LoraConfig {
    fn default() -> Self {
        let all = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];
        LoraConfig { rank: 16, alpha: 32.0, dropout: 0.05, target_modules: all.map(String::from).to_vec() }
    }
}

enum Weight {
    /// Trained, or dense in inference: candle differentiates it.
    Dense(Tensor),
    /// Frozen: the gradient flows through to the input, none is computed for the weight.
    Frozen(Arc<Tensor>),
    /// Frozen and stored quantised; dequantised in forward and backward (QLoRA).
    Quantized { weight: Arc<QTensor>, fused: QMatMul },
}

struct Lora {
    a: Tensor,
    b: Tensor,
    scale: f64,
    dropout: f32,
}

/// `y = x Wᵀ + bias`, `x` of shape `[…, inputs]`.
pub struct Linear {
    weight: Weight,
    bias: Option<Tensor>,
    lora: Option<Lora>,
    outputs: usize,
}

impl Linear {
    /// A layer named `name` below `params`.
    ///
    /// `lora` adds an adapter where `name` is among its target modules; the adapter's weights are next to the base's, as
    /// `lora_A.weight` and `lora_B.weight`, and are trained even if `params` is frozen.
    ///
    /// # Errors
    /// When a weight is missing or of another shape.
    pub fn new(
        params: &Params,
        name: &str,
        (inputs, outputs): (usize, usize),
        bias: bool,
        lora: Option<&LoraConfig>,
    ) -> Result<Self> {
        let place = params.pp(name);
        let init = Init::Normal((1.0 / inputs as f32).sqrt());
        let weight = match place.get_quantized("weight") {
            Some(weight) if weight.shape().dims() == [outputs, inputs] => {
                Weight::Quantized { fused: QMatMul::from_arc(weight.clone())?, weight }
            }
            _ => {
                let weight = place.get("weight", (outputs, inputs), init)?;
                if params.is_frozen() { Weight::Frozen(Arc::new(weight)) } else { Weight::Dense(weight) }
            }
        };
        let bias = bias.then(|| place.get("bias", outputs, Init::Const(0.0))).transpose()?;
        let lora = match lora.filter(|config| config.target_modules.iter().any(|target| target == name)) {
            Some(config) => Some(Lora {
                a: place.unfrozen().get("lora_A.weight", (config.rank, inputs), init)?,
                // B starts at zero, so that an adapter starts as the identity.
                b: place.unfrozen().get("lora_B.weight", (outputs, config.rank), Init::Const(0.0))?,
                scale: config.alpha / config.rank as f64,
                dropout: config.dropout,
            }),
            None => None,
        };
        Ok(Linear { weight, bias, lora, outputs })
    }

    /// A layer without a bias that shares its weight with another place: an output layer that is the embedding.
    ///
    /// # Errors
    /// When the weight is not a matrix.
    pub fn sharing(weight: Tensor, is_frozen: bool) -> Result<Self> {
        let outputs = weight.dims2()?.0;
        let weight = if is_frozen { Weight::Frozen(Arc::new(weight)) } else { Weight::Dense(weight) };
        Ok(Linear { weight, bias: None, lora: None, outputs })
    }

    /// Rows of the dense weight, `[rows, inputs]`.
    ///
    /// # Errors
    /// When a row is outside of the weight, or the weight is stored quantised.
    pub fn weight_rows(&self, rows: &Tensor) -> Result<Tensor> {
        match &self.weight {
            Weight::Dense(weight) => weight.index_select(rows, 0),
            Weight::Frozen(weight) => weight.index_select(rows, 0),
            Weight::Quantized { .. } => bail!("rows of a quantised weight cannot be taken"),
        }
    }

    /// Applies the layer. `dropout` enables the adapter's dropout.
    ///
    /// # Errors
    /// When the last dimension of `x` is not the layer's number of inputs.
    pub fn forward(&self, x: &Tensor, dropout: Option<&DropoutStream>) -> Result<Tensor> {
        let dims = x.dims().to_vec();
        let inputs = dims[dims.len() - 1];
        // One tall matrix: candle would multiply a batch of matrices one by one.
        let flat = x.reshape(((), inputs))?;
        let mut y = match &self.weight {
            Weight::Dense(weight) => flat.matmul(&weight.t()?)?,
            Weight::Frozen(weight) => frozen_matmul(&flat, FrozenWeight::Dense(weight.clone()))?,
            Weight::Quantized { weight, fused } => {
                // While training the product must be exact: the fused one rounds its inputs to 8 bits as well.
                if flat.track_op() || self.lora.as_ref().is_some_and(|lora| lora.a.track_op()) {
                    frozen_matmul(&flat, FrozenWeight::Quantized(weight.clone()))?
                } else {
                    fused.forward(&flat)?
                }
            }
        };
        if let Some(lora) = &self.lora {
            let kept = dropout.map_or(Ok(flat.clone()), |stream| stream.apply(&flat, lora.dropout))?;
            let low = kept.matmul(&lora.a.t()?)?.matmul(&lora.b.t()?)?;
            y = (y + (low * lora.scale)?)?;
        }
        if let Some(bias) = &self.bias {
            y = add_bias(&y, bias)?;
        }
        let mut shape = dims;
        if let Some(last) = shape.last_mut() {
            *last = self.outputs;
        }
        y.reshape(shape)
    }
}

/// `y + bias`, the bias to each row.
///
/// candle adds large tensors on a thread pool that never ends, which a plugin must not start in its host. So without
/// gradients, the sum is computed here, on the calling thread.
fn add_bias(y: &Tensor, bias: &Tensor) -> Result<Tensor> {
    if y.device().is_cpu() && !y.track_op() && !bias.track_op() {
        evaluate2(AddBias, y, bias)
    } else {
        y.broadcast_add(bias)
    }
}

struct AddBias;

impl Fused<2> for AddBias {
    const NAME: &'static str = "add-bias";

    fn forward(&self, [y, bias]: [Argument<'_>; 2]) -> Result<(Vec<f32>, Shape)> {
        let (rows, bias) = (y.values, bias.values);
        if bias.is_empty() || !rows.len().is_multiple_of(bias.len()) {
            bail!("a bias of {} values does not fit {:?}", bias.len(), y.shape);
        }
        let sums = rows.chunks_exact(bias.len()).flat_map(|row| row.iter().zip(bias).map(|(y, b)| y + b));
        Ok(y.shaped(sums.collect()))
    }
}

/// Source of dropout masks in training: seeded, so that a resumed run drops the same values as an uninterrupted one.
pub struct DropoutStream {
    state: AtomicU64,
}

impl DropoutStream {
    /// A stream for one training step.
    pub fn new(seed: u64) -> Self {
        DropoutStream { state: AtomicU64::new(seed) }
    }

    /// Drops a share of the values of `x` and scales up the rest.
    ///
    /// # Errors
    /// As tensor operations.
    pub fn apply(&self, x: &Tensor, share: f32) -> Result<Tensor> {
        if share <= 0.0 {
            return Ok(x.clone());
        }
        let count = x.elem_count();
        let start = self.state.fetch_add(count as u64, Ordering::Relaxed);
        let (limit, scale) = ((f64::from(share) * u32::MAX as f64) as u32, 1.0 / (1.0 - share));
        let mask: Vec<f32> = (0..count as u64)
            .map(|at| if (mix_bits(start.wrapping_add(at)) >> 32) as u32 >= limit { scale } else { 0.0 })
            .collect();
        x * Tensor::from_vec(mask, x.shape(), x.device())?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn a_bias_added_here_equals_the_one_that_candle_adds() {
        let y = Tensor::randn(0f32, 1.0, (7, 5), &Device::Cpu).unwrap();
        let bias = Tensor::randn(0f32, 1.0, 5, &Device::Cpu).unwrap();
        let ours = add_bias(&y, &bias).unwrap().to_vec2::<f32>().unwrap();
        assert_eq!(ours, y.broadcast_add(&bias).unwrap().to_vec2::<f32>().unwrap());
        assert!(add_bias(&y, &Tensor::zeros(4, candle_core::DType::F32, &Device::Cpu).unwrap()).is_err());
    }
}
