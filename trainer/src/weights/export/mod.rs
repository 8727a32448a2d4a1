//! Weights for others to load: the adapter as PEFT lays it out, the base as Hugging Face's Qwen2, and back again.
//!
//! ```text
//! DIR/
//!   README.md                       model card
//!   adapter_config.json             the adapter (PEFT)
//!   adapter_model.safetensors
//!   base/config.json                the decoder without it (transformers, Qwen2ForCausalLM)
//!   base/model.safetensors
//!   base/tokenizer.json, base/tokenizer_config.json
//!   projector_config.json, projector.safetensors
//!   encoder_config.json, encoder.safetensors
//! ```

pub(super) mod adapter;
mod card;
mod peft;

pub use adapter::{AdapterShape, adapter_shapes};
pub use card::CardFacts;
pub use peft::export_peft;

use crate::weights::field;
use crate::weights::load_tensors;
use anyhow::{Context, Result, bail};
use candle_core::Tensor;
use mixing_buddy_core::decoder::{DecoderConfig, ProjectorConfig};
use mixing_buddy_core::nn::LoraConfig;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Names of the decoder's weights begin so in our files.
pub(super) const DECODER: &str = "decoder.";
/// Names of the projector's weights begin so.
pub(super) const PROJECTOR: &str = "projector.";
/// What PEFT puts before the names of a causal language model's weights.
pub(super) const PEFT_PREFIX: &str = "base_model.model.";

/// A tuned language model: what an advisor run ends with.
#[derive(Clone, Debug)]
pub struct AdvisorWeights {
    /// Sizes of the decoder.
    pub decoder: DecoderConfig,
    /// Sizes of the projector.
    pub projector: ProjectorConfig,
    /// The adapter.
    pub lora: LoraConfig,
    /// All weights, `decoder.…` (adapters beside their bases) and `projector.…`.
    pub tensors: BTreeMap<String, Tensor>,
}

/// The weights of a run: its folder, or the file in it.
///
/// # Errors
/// When there is no such file.
pub fn run_file(run: &Path, name: &str) -> Result<PathBuf> {
    let file = if run.is_dir() { run.join(name) } else { run.to_path_buf() };
    if !file.is_file() {
        bail!("{} is missing: is {} the folder of an advisor run?", file.display(), run.display());
    }
    Ok(file)
}

impl AdvisorWeights {
    /// Reads the `advisor.safetensors` of a run.
    ///
    /// # Errors
    /// When the file is missing or damaged, or holds no adapter.
    pub fn load(run: &Path) -> Result<Self> {
        let file = run_file(run, "advisor.safetensors")?;
        let (tensors, metadata) = load_tensors(&file)?;
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

    /// Whether every weight of the adapter is there, and of the right shape.
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
