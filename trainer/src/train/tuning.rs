//! A decoder with an adapter that is trained, and the projector with it, over a frozen base.

use super::examples::sequences::LanguageModel;
use super::optimizer::AdamW;
use crate::weights::{Tensors, save_tensors};
use anyhow::{Context, Result};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor, Var};
use mixing_buddy_core::decoder::{Decoder, DecoderConfig, Projector, ProjectorConfig};
use mixing_buddy_core::language::AdviceTokenizer;
use mixing_buddy_core::nn::{LoraConfig, Params};
use std::collections::BTreeMap;
use std::path::Path;

/// How a tuned model is built.
#[derive(Clone, Debug)]
pub struct ModelConfigs {
    /// Sizes of the decoder.
    pub decoder: DecoderConfig,
    /// Sizes of the projector.
    pub projector: ProjectorConfig,
    /// The adapter.
    pub lora: LoraConfig,
}

/// A model while it is tuned.
pub struct TunedModel {
    decoder: Decoder,
    projector: Projector,
    configs: ModelConfigs,
    params: Params,
    /// The weights that the run started from, without those that are stored quantized.
    base: Tensors,
    /// Names of the weights that are stored quantized.
    quantized: Vec<String>,
}

/// A model with fixed weights.
pub struct FrozenModel {
    /// Generates the answer.
    pub decoder: Decoder,
    /// Turns readings into soft tokens.
    pub projector: Projector,
}

impl FrozenModel {
    /// The model with its tokenizer.
    pub fn language_model<'a>(&'a self, tokenizer: &'a AdviceTokenizer) -> LanguageModel<'a> {
        LanguageModel { decoder: &self.decoder, projector: &self.projector, tokenizer }
    }
}

/// Whether a variable is trained here: adapters and the projector.
fn is_trained(name: &str) -> bool {
    name.contains(".lora_") || name.starts_with("projector.")
}

/// Whether a weight of the base is stored in 8 bits: those of the linear layers whose rows fill whole 8-bit blocks.
fn is_quantized(name: &str, tensor: &Tensor) -> bool {
    let is_layer = name.starts_with("decoder.model.layers.") && name.ends_with("_proj.weight");
    is_layer && tensor.rank() == 2 && tensor.dims()[1].is_multiple_of(GgmlDType::Q8_0.block_size())
}

impl TunedModel {
    /// Starts from the weights `base`; adapters that are not among them get fresh weights from `seed`. With `quantize`
    /// the base is stored in 8 bits. Everything lives on `device`.
    ///
    /// # Errors
    /// When a weight is missing or has another shape.
    pub fn new(
        seed: u64,
        mut base: Tensors,
        configs: ModelConfigs,
        quantize: bool,
        device: &Device,
    ) -> Result<Self> {
        let params = Params::train(seed, device);
        let mut quantized = Vec::new();
        for (name, tensor) in &base {
            if quantize && is_quantized(name, tensor) {
                params.set_quantized(name, QTensor::quantize(tensor, GgmlDType::Q8_0)?)?;
                quantized.push(name.clone());
            } else {
                params.set(name, tensor)?;
            }
        }
        // Quantized weights are not kept twice.
        base.retain(|name, _| !quantized.contains(name));
        let decoder = Decoder::new(&params.pp("decoder").frozen(), &configs.decoder, Some(&configs.lora))?;
        let projector = Projector::new(&params.pp("projector"), &configs.projector)?;
        Ok(TunedModel { decoder, projector, configs, params, base, quantized })
    }

    /// The model with its present weights.
    pub fn language_model<'a>(&'a self, tokenizer: &'a AdviceTokenizer) -> LanguageModel<'a> {
        LanguageModel { decoder: &self.decoder, projector: &self.projector, tokenizer }
    }

    /// Decoder and projector with their present weights.
    pub fn parts(&self) -> (&Decoder, &Projector) {
        (&self.decoder, &self.projector)
    }

    /// How the model is built.
    pub fn configs(&self) -> &ModelConfigs {
        &self.configs
    }

    /// Multiplies a variable, if there is one of this name.
    ///
    /// # Errors
    /// As tensor operations.
    pub fn scale(&self, name: &str, factor: f64) -> Result<()> {
        if let Some(var) = self.params.vars().get(name) {
            var.set(&(var.as_tensor() * factor)?)?;
        }
        Ok(())
    }

    /// The variables that are trained, by name.
    pub fn trained_vars(&self) -> BTreeMap<String, Var> {
        self.params.vars().into_iter().filter(|(name, _)| is_trained(name)).collect()
    }

    /// Gives the trained variables these weights.
    ///
    /// # Errors
    /// When there are others, or of other shapes: the message names them. No variable is changed then.
    pub fn start_with(&self, weights: &Tensors) -> Result<()> {
        Ok(self.params.set_where(weights, is_trained)?)
    }

    /// The same model with these weights, fixed.
    ///
    /// # Errors
    /// When a weight is missing or has another shape.
    pub fn frozen_with(&self, weights: Tensors) -> Result<FrozenModel> {
        let params = Params::load(weights, BTreeMap::new(), self.params.device()).frozen();
        let ModelConfigs { decoder, projector, lora } = &self.configs;
        Ok(FrozenModel {
            decoder: Decoder::new(&params.pp("decoder"), decoder, Some(lora))?,
            projector: Projector::new(&params.pp("projector"), projector)?,
        })
    }

    /// All weights; trained ones as the optimizer averages them.
    ///
    /// # Errors
    /// As tensor operations.
    pub fn weights(&self, optimizer: &AdamW) -> Result<Tensors> {
        let mut weights = self.base.clone();
        weights.extend(optimizer.averaged()?);
        for name in &self.quantized {
            let stored = self.params.get_quantized(name).context("a quantized weight is missing")?;
            weights.insert(name.clone(), stored.dequantize(&Device::Cpu)?);
        }
        Ok(weights)
    }

    /// Writes all weights, with the metadata that a bundle needs.
    ///
    /// # Errors
    /// When the disk is full.
    pub fn save(&self, optimizer: &AdamW, step: usize, path: &Path) -> Result<()> {
        let ModelConfigs { decoder, projector, lora } = &self.configs;
        let metadata = [
            ("decoder", serde_json::to_string(decoder)?),
            ("projector", serde_json::to_string(projector)?),
            ("lora", serde_json::to_string(lora)?),
            ("step", step.to_string()),
        ];
        save_tensors(path, &self.weights(optimizer)?, &metadata)
    }
}
