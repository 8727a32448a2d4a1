//! The model bundle: weights, tokenizer, settings, calibration and norms in one checked file.
//!
//! ```text
//! "MIXBUDDY"  u32 format version  u64 manifest length  32 bytes SHA-256 of the manifest  manifest (JSON)  parts
//! ```
//!
//! Numbers are little-endian. The manifest names each part with its offset, length and SHA-256: `tokenizer.json`,
//! `norms.json`, `weights.gguf` (matrices as Q8_0), and `separator/STEM.safetensors` for each stem that a separator
//! estimates. Everything is checked before anything is used.
//!
//! ```
//! use mixing_buddy_core::CancelFlag;
//! use mixing_buddy_core::bundle::{Bundle, SHIPPED_BUNDLE};
//! # fn main() -> mixing_buddy_core::Result<()> {
//! # let (name, device) = (std::path::Path::new("compact"), candle_core::Device::Cpu);
//! assert!(Bundle::is_one(SHIPPED_BUNDLE));
//! let bundle = Bundle::read(name, SHIPPED_BUNDLE, &device, &CancelFlag::new())?;
//! println!("{} {} ({})", bundle.info.name, bundle.info.version, bundle.info.licence);
//!
//! let damaged = Bundle::read(name, &SHIPPED_BUNDLE[..1000], &device, &CancelFlag::new());
//! assert!(damaged.is_err_and(|error| error.to_string().contains("cut off")));
//! # Ok(())
//! # }
//! ```

use crate::cancel::CancelFlag;
use crate::decoder::{DecoderConfig, ProjectorConfig};
use crate::encoder::EncoderConfig;
use crate::error::{Error, Result};
use crate::features::FeatureSettings;
use crate::language::AdviceTokenizer;
use crate::nn::{LoraConfig, Params};
use crate::norms::NormsSummary;
use crate::separator::Separator;
use crate::stem::{PerTarget, Stem};
use candle_core::quantized::{GgmlDType, QTensor, gguf_file};
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::Path;

/// The shipped compact model, `assets/compact.mixbuddy`.
pub static SHIPPED_BUNDLE: &[u8] = include_bytes!("../../../assets/compact.mixbuddy");

const MAGIC: &[u8; 8] = b"MIXBUDDY";
/// Version of the file format that this program reads and writes.
pub const FORMAT_VERSION: u32 = 1;
/// Magic, version, manifest length, manifest checksum.
const HEAD_BYTES: usize = 8 + 4 + 8 + 32;

/// Corrections of the model's raw confidence and the errors of its meter; fitted on held-out licensed songs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Divides the logarithms of the outcomes' probabilities in requests without a reference.
    pub temperature: f32,
    /// The same in requests with a reference.
    pub reference_temperature: f32,
    /// Confidence from which the model answers; below it abstains.
    pub threshold: f32,
    /// Standard deviation of the meter's error in dB.
    pub meter_sd_db: PerTarget<f64>,
}

impl Default for Calibration {
    fn default() -> Self {
        Calibration {
            temperature: 1.0,
            reference_temperature: 1.0,
            threshold: 0.5,
            meter_sd_db: PerTarget::all(2.0),
        }
    }
}

/// Name, sizes and calibration of the model in a bundle.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BundleInfo {
    /// Name of the model.
    pub name: String,
    /// Version of the weights.
    pub version: String,
    /// Licence of the weights.
    pub licence: String,
    /// Feature settings.
    pub features: FeatureSettings,
    /// Sizes of the encoder.
    pub encoder: EncoderConfig,
    /// Sizes of the decoder.
    pub decoder: DecoderConfig,
    /// Sizes of the projector.
    pub projector: ProjectorConfig,
    /// The decoder's adapter, if any.
    pub lora: Option<LoraConfig>,
    /// Calibration.
    pub calibration: Calibration,
}

#[derive(Serialize, Deserialize)]
struct Manifest {
    info: BundleInfo,
    parts: Vec<Part>,
}

#[derive(Serialize, Deserialize)]
struct Part {
    name: String,
    offset: usize,
    length: usize,
    sha256: String,
}

/// A bundle in memory, after all checks.
pub struct Bundle {
    /// Name, sizes and calibration.
    pub info: BundleInfo,
    /// The tokenizer.
    pub tokenizer: AdviceTokenizer,
    /// The usual balance.
    pub norms: NormsSummary,
    /// All weights, dense: the compact model is small enough for that.
    pub weights: Params,
    /// The separator, in models that have one.
    pub separator: Option<Separator>,
}

/// Name of the part that holds a stem's network.
fn network_part(stem: Stem) -> String {
    format!("separator/{stem}.safetensors")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Bundle {
    /// Whether these are the first bytes of a bundle.
    pub fn is_one(bytes: &[u8]) -> bool {
        bytes.starts_with(MAGIC)
    }

    /// Reads a bundle's bytes; `path` is for messages. The flag is checked between tensors.
    ///
    /// # Errors
    /// [`Error::Bundle`] when it is cut off, changed, of another version, or lacks a part; [`Error::Cancelled`].
    pub fn read(path: &Path, bytes: &[u8], device: &Device, cancel: &CancelFlag) -> Result<Self> {
        let fail = |reason: String| Error::Bundle { path: path.to_path_buf(), reason };
        if bytes.len() < HEAD_BYTES || !Self::is_one(bytes) {
            return Err(fail("is not a MixingBuddy model".into()));
        }
        let number = |at: usize, length: usize| {
            bytes[at..at + length].iter().rev().fold(0u64, |value, byte| value << 8 | u64::from(*byte))
        };
        let version = number(8, 4);
        if version != u64::from(FORMAT_VERSION) {
            return Err(fail(format!(
                "has format version {version}, this program reads version {FORMAT_VERSION}"
            )));
        }
        let length = usize::try_from(number(12, 8)).unwrap_or(usize::MAX);
        let Some(text) = bytes[HEAD_BYTES..].get(..length) else { return Err(fail("is cut off".into())) };
        if Sha256::digest(text).as_slice() != &bytes[20..HEAD_BYTES] {
            return Err(fail("was changed or damaged: the checksum of its manifest is wrong".into()));
        }
        let manifest: Manifest = serde_json::from_slice(text)
            .map_err(|error| fail(format!("its manifest cannot be read: {error}")))?;
        let parts = &bytes[HEAD_BYTES + length..];
        let part = |name: &str| -> Result<&[u8]> {
            let entry = manifest.parts.iter().find(|part| part.name == name);
            let entry = entry.ok_or_else(|| fail(format!("has no part '{name}'")))?;
            let end = entry.offset.checked_add(entry.length);
            let data = end.and_then(|end| parts.get(entry.offset..end));
            let data = data.ok_or_else(|| fail(format!("is cut off in its part '{name}'")))?;
            let mut sum = Sha256::new();
            for chunk in data.chunks(1 << 20) {
                cancel.check()?;
                sum.update(chunk);
            }
            if hex(&sum.finalize()) != entry.sha256 {
                return Err(fail(format!("was changed or damaged: the checksum of '{name}' is wrong")));
            }
            Ok(data)
        };
        let tokenizer =
            AdviceTokenizer::from_bytes(part("tokenizer.json")?).map_err(|e| fail(e.to_string()))?;
        let norms = std::str::from_utf8(part("norms.json")?).map_err(|e| fail(e.to_string()))?;
        let norms = NormsSummary::from_json(norms).map_err(|e| fail(e.to_string()))?;
        let weights = part("weights.gguf")?;
        let mut reader = Cursor::new(weights);
        let content = gguf_file::Content::read(&mut reader)
            .map_err(|e| fail(format!("its weights cannot be read: {e}")))?;
        let mut dense = BTreeMap::new();
        for name in content.tensor_infos.keys() {
            cancel.check()?;
            let tensor = content
                .tensor(&mut reader, name, device)
                .and_then(|tensor| tensor.dequantize(device))
                .map_err(|e| fail(format!("its weight '{name}' cannot be read: {e}")))?;
            dense.insert(name.clone(), tensor);
        }
        let weights = Params::load(dense, BTreeMap::new(), device);
        let mut networks = Vec::new();
        for stem in &manifest.info.features.separated {
            networks.push((*stem, part(&network_part(*stem))?));
        }
        let separator = match networks.is_empty() {
            true => None,
            false => Some(Separator::from_networks(networks).map_err(|e| fail(e.to_string()))?),
        };
        Ok(Bundle { info: manifest.info, tokenizer, norms, weights, separator })
    }

    /// The bytes of a bundle made of these parts. Matrices whose rows are multiples of 32 become Q8_0. `networks` are the
    /// separator's files, one for each stem that the features name as separated.
    ///
    /// # Errors
    /// When the networks are not those that the features name, and as tensor operations.
    pub fn write(
        info: &BundleInfo,
        tokenizer_json: &[u8],
        norms: &NormsSummary,
        weights: &BTreeMap<String, Tensor>,
        networks: &[(Stem, Vec<u8>)],
    ) -> Result<Vec<u8>> {
        let stems: Vec<Stem> = networks.iter().map(|(stem, _)| *stem).collect();
        if stems != info.features.separated {
            return Err(Error::Format(format!(
                "the features name the separated stems {:?}, networks are given for {stems:?}",
                info.features.separated
            )));
        }
        let quantized: Vec<(String, QTensor)> = weights
            .iter()
            .map(|(name, tensor)| {
                let fits = tensor.rank() == 2 && tensor.dims()[1].is_multiple_of(32);
                let kind = if fits { GgmlDType::Q8_0 } else { GgmlDType::F32 };
                Ok((name.clone(), QTensor::quantize(tensor, kind)?))
            })
            .collect::<Result<_>>()?;
        let borrowed: Vec<(&str, &QTensor)> = quantized.iter().map(|(name, t)| (name.as_str(), t)).collect();
        let mut gguf = Cursor::new(Vec::new());
        gguf_file::write(&mut gguf, &[], &borrowed)?;
        let norms = norms.to_json()?.into_bytes();
        let fixed =
            [("tokenizer.json", tokenizer_json), ("norms.json", &norms), ("weights.gguf", gguf.get_ref())];
        let fixed = fixed.into_iter().map(|(name, data)| (name.to_string(), data));
        let parts = fixed.chain(networks.iter().map(|(stem, data)| (network_part(*stem), data.as_slice())));
        let mut payload = Vec::new();
        let mut entries = Vec::new();
        for (name, data) in parts {
            let sha256 = hex(&Sha256::digest(data));
            entries.push(Part { name, offset: payload.len(), length: data.len(), sha256 });
            payload.extend_from_slice(data);
        }
        let manifest = serde_json::to_vec(&Manifest { info: info.clone(), parts: entries })
            .map_err(|error| Error::Format(format!("the manifest cannot be written: {error}")))?;
        let mut bytes = MAGIC.to_vec();
        bytes.extend(FORMAT_VERSION.to_le_bytes());
        bytes.extend((manifest.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&Sha256::digest(&manifest));
        bytes.extend(manifest);
        bytes.extend(payload);
        Ok(bytes)
    }
}
