//! The weights of a tuned language model, and the names of its parts.

use super::files::{Tensors, field};
use super::parts::{Part, load_part};
use super::shapes::{AdapterShape, adapter_shapes};
use anyhow::{Context, Result, bail};
use mixing_buddy_core::decoder::{DecoderConfig, ProjectorConfig};
use mixing_buddy_core::nn::LoraConfig;
use std::path::Path;

/// Prefix of the names of the decoder's weights in our files.
pub(super) const DECODER: &str = "decoder.";
/// Prefix of the names of the projector's weights in our files.
pub(super) const PROJECTOR: &str = "projector.";
/// What PEFT puts before the names of a causal language model's weights.
pub(super) const PEFT_PREFIX: &str = "base_model.model.";

/// A tuned language model: the result of an advisor run.
#[derive(Clone, Debug)]
pub struct AdvisorWeights {
    /// Sizes of the decoder.
    pub decoder: DecoderConfig,
    /// Sizes of the projector.
    pub projector: ProjectorConfig,
    /// The adapter.
    pub lora: LoraConfig,
    /// All weights: `decoder.…` (with the adapter's next to those that they adapt) and `projector.…`.
    pub tensors: Tensors,
}

impl AdvisorWeights {
    /// Reads the tuned model of an advisor run (its folder or the file in it), or of a bundle.
    ///
    /// # Errors
    /// When the file is missing or damaged, or holds no adapter.
    pub fn load(path: &Path) -> Result<Self> {
        let file = Part::Advisor.file(path)?;
        let (tensors, metadata) = load_part(&file, Part::Advisor)?;
        if !metadata.contains_key("lora") {
            bail!("{} holds no adapter; `train advisor` makes one", file.display());
        }
        let weights = AdvisorWeights {
            decoder: field(&metadata, "decoder", &file)?,
            projector: field(&metadata, "projector", &file)?,
            lora: field(&metadata, "lora", &file)?,
            tensors,
        };
        weights.check().with_context(|| file.display().to_string())?;
        Ok(weights)
    }

    /// Checks that every weight of the adapter is present and has the right shape.
    ///
    /// # Errors
    /// A sentence that names the weight.
    pub fn check(&self) -> Result<()> {
        for AdapterShape { name, shape } in adapter_shapes(&self.decoder, &self.lora)? {
            let name = format!("{DECODER}{name}");
            match self.tensors.get(&name) {
                None => bail!("the adapter's '{name}' is missing"),
                Some(tensor) if tensor.dims() != shape => {
                    bail!("the adapter's '{name}' has shape {:?}, expected {shape:?}", tensor.dims())
                }
                Some(_) => {}
            }
        }
        Ok(())
    }
}
