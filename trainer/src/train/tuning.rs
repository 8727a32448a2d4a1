//! A decoder whose adapter is tuned, and the projector with it, over a frozen base.

use super::examples::sequences::LanguageModel;
use super::optimizer::AdamW;
use crate::weights::save_tensors;
use anyhow::{Context, Result};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor, Var};
use mixing_buddy_core::decoder::{Decoder, DecoderConfig, Projector, ProjectorConfig};
use mixing_buddy_core::language::AdviceTokenizer;
use mixing_buddy_core::nn::{LoraConfig, Params};
use std::collections::BTreeMap;
use std::path::Path;

/// A model while it is tuned.
pub struct TunedModel {
    decoder: Decoder,
    projector: Projector,
    configs: (DecoderConfig, ProjectorConfig, LoraConfig),
    params: Params,
    /// The weights that the run began with, without those that are stored quantised.
    base: BTreeMap<String, Tensor>,
    quantised: Vec<String>,
}

/// Whether a variable is trained here: adapters and the projector.
fn is_trained(name: &str) -> bool {
    name.contains(".lora_") || name.starts_with("projector.")
}

/// Whether a weight of the base is kept in 8 bits: those of the blocks' linear layers, whose rows fill whole blocks.
fn is_quantised(name: &str, tensor: &Tensor) -> bool {
    let is_layer = name.starts_with("decoder.model.layers.") && name.ends_with("_proj.weight");
    is_layer && tensor.rank() == 2 && tensor.dims()[1].is_multiple_of(GgmlDType::Q8_0.block_size())
}

impl TunedModel {
    /// Begins with the weights `base`; adapters that are not among them are made from `seed`. With `quantize` the base
    /// is stored in 8 bits. All of it lives on `device`.
    ///
    /// # Errors
    /// When a weight is missing or of another shape.
    pub fn begin(
        seed: u64,
        mut base: BTreeMap<String, Tensor>,
        configs: (DecoderConfig, ProjectorConfig, LoraConfig),
        quantize: bool,
        device: &Device,
    ) -> Result<Self> {
        let params = Params::train(seed, device);
        let mut quantised = Vec::new();
        for (name, tensor) in &base {
            if quantize && is_quantised(name, tensor) {
                params.set_quantized(name, QTensor::quantize(tensor, GgmlDType::Q8_0)?)?;
                quantised.push(name.clone());
            } else {
                params.set(name, tensor)?;
            }
        }
        // What is stored quantised is not kept beside it.
        base.retain(|name, _| !quantised.contains(name));
        let decoder = Decoder::new(&params.pp("decoder").frozen(), &configs.0, Some(&configs.2))?;
        let projector = Projector::new(&params.pp("projector"), &configs.1)?;
        Ok(TunedModel { decoder, projector, configs, params, base, quantised })
    }

    /// The model as it speaks while it learns.
    pub fn language_model<'a>(&'a self, tokenizer: &'a AdviceTokenizer) -> LanguageModel<'a> {
        (&self.decoder, &self.projector, tokenizer)
    }

    /// The variables that are trained, by name.
    pub fn trained(&self) -> BTreeMap<String, Var> {
        self.params.vars().into_iter().filter(|(name, _)| is_trained(name)).collect()
    }

    /// Decoder and projector with these weights, of which none learns.
    ///
    /// # Errors
    /// When a weight is missing or of another shape.
    pub fn still(&self, weights: BTreeMap<String, Tensor>) -> Result<(Decoder, Projector)> {
        let params = Params::load(weights, BTreeMap::new(), self.params.device()).frozen();
        let (decoder, projector, lora) = &self.configs;
        Ok((
            Decoder::new(&params.pp("decoder"), decoder, Some(lora))?,
            Projector::new(&params.pp("projector"), projector)?,
        ))
    }

    /// All weights, those that are trained as the optimiser averages them.
    ///
    /// # Errors
    /// As tensor operations.
    pub fn weights(&self, optimizer: &AdamW) -> Result<BTreeMap<String, Tensor>> {
        let mut weights = self.base.clone();
        weights.extend(optimizer.averaged()?);
        for name in &self.quantised {
            let stored = self.params.get_quantized(name).context("a quantised weight is gone")?;
            weights.insert(name.clone(), stored.dequantize(&Device::Cpu)?);
        }
        Ok(weights)
    }

    /// Writes all weights, with what a bundle needs to know of them.
    ///
    /// # Errors
    /// When the disk is full.
    pub fn save(&self, optimizer: &AdamW, step: usize, path: &Path) -> Result<()> {
        let (decoder, projector, lora) = &self.configs;
        let metadata = [
            ("decoder", serde_json::to_string(decoder)?),
            ("projector", serde_json::to_string(projector)?),
            ("lora", serde_json::to_string(lora)?),
            ("step", step.to_string()),
        ];
        save_tensors(path, &self.weights(optimizer)?, &metadata)
    }
}
