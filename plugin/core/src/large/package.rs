//! The file of an adapter for the large model: LoRA factors, projector, and what belongs to them.
//!
//! A safetensors file: the factors under PEFT's names (see [`Adapter`]), the projector's weights as `projector.…`, and in
//! the metadata, besides the adapter's own keys, `about`: an [`About`] as JSON.

use crate::decoder::ProjectorConfig;
use crate::error::{Error, Result};
use crate::qwen2::Adapter;
use crate::qwen2::files::Storage;
use candle_core::{DType, Device, Tensor};
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// Key of [`About`] in the metadata.
pub const ABOUT_KEY: &str = "about";
/// What the names of the projector's weights begin with.
pub const PROJECTOR_PREFIX: &str = "projector.";

/// Temperatures of the decision, fitted on held-out examples: they divide the logarithms of the outcomes' probabilities.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Temperatures {
    /// Without a reference.
    pub usual: f32,
    /// With a reference.
    pub reference: f32,
}

/// Adapters that say nothing of it were made when all decided.
fn decides_by_default() -> bool {
    true
}

/// What an adapter says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// Version of the adapter.
    pub version: String,
    /// Name of the base that it was trained on.
    pub base_name: String,
    /// Licence of the adapter.
    pub licence: String,
    /// Sizes of the projector.
    pub projector: ProjectorConfig,
    /// Temperatures; 1 where none were fitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperatures: Option<Temperatures>,
    /// Whether it decides. Where it does not, the compact model decides, and it talks about that decision.
    #[serde(default = "decides_by_default")]
    pub decides: bool,
    /// Steps of training, over all runs.
    pub steps: usize,
    /// Conversations that it saw in training.
    pub conversations: usize,
}

/// An adapter with its projector.
pub struct Package {
    /// The LoRA factors.
    pub adapter: Adapter,
    /// The projector's weights in single precision, by full name.
    pub projector: BTreeMap<String, Tensor>,
    /// What it says of itself.
    pub about: About,
}

impl Package {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, is damaged, or is no adapter with a projector.
    pub fn open(path: &Path) -> Result<Self> {
        let storage = Storage::map(path)?;
        Self::from_bytes(storage.bytes()).map_err(|reason| Error::model(path, reason))
    }

    /// Reads the bytes of a file.
    ///
    /// # Errors
    /// A sentence without the file's name.
    pub fn from_bytes(bytes: &[u8]) -> std::result::Result<Self, String> {
        let adapter = Adapter::from_bytes(bytes)?;
        let (_, head) = SafeTensors::read_metadata(bytes).map_err(|cause| cause.to_string())?;
        let about = head.metadata().as_ref().and_then(|metadata| metadata.get(ABOUT_KEY));
        let about = about.ok_or("is an adapter without a projector: it does not say what it is")?;
        let about: About =
            serde_json::from_str(about).map_err(|cause| format!("describes itself wrongly: {cause}"))?;
        let mut projector = BTreeMap::new();
        let tensors = candle_core::safetensors::load_buffer(bytes, &Device::Cpu);
        for (name, tensor) in tensors.map_err(|cause| cause.to_string())? {
            if name.starts_with(PROJECTOR_PREFIX) {
                let tensor = tensor.to_dtype(DType::F32).map_err(|cause| cause.to_string())?;
                projector.insert(name, tensor);
            }
        }
        Ok(Package { adapter, projector, about })
    }

    /// The bytes of a file, with single precision.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn to_bytes(&self) -> std::result::Result<Vec<u8>, String> {
        let about = serde_json::to_string(&self.about).map_err(|cause| cause.to_string())?;
        let tensors = self.projector.iter().map(|(name, tensor)| {
            let values = tensor.flatten_all().and_then(|values| values.to_vec1::<f32>());
            Ok((name.clone(), tensor.dims().to_vec(), values.map_err(|cause| cause.to_string())?))
        });
        let tensors = tensors.collect::<std::result::Result<Vec<_>, String>>()?;
        self.adapter.to_bytes_with(vec![(ABOUT_KEY.to_string(), about)], tensors)
    }
}
