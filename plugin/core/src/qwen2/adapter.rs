//! A LoRA adapter over a stored base: `y = W x + scale · B A x` (Hu et al. 2021).
//!
//! The file is a safetensors file with PEFT's names: `base_model.model.model.layers.3.self_attn.q_proj.lora_A.weight`. Its
//! metadata has `rank_scale`, which is `alpha / rank`, and `base`, the [`Fingerprint`] of the base as JSON.

use super::files::{Part, Storage};
use super::fingerprint::Fingerprint;
use super::format::Format;
use super::product::multiply_by_transposed;
use super::unpack::dense_row;
use crate::decoder::DecoderConfig;
use crate::error::Result;
use safetensors::{Dtype, SafeTensors};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// Key of the scale in the file's metadata.
pub const SCALE_KEY: &str = "rank_scale";
/// Key of the base's fingerprint.
pub const BASE_KEY: &str = "base";
/// What PEFT writes before the names of the base.
pub const PREFIX: &str = "base_model.model.";
/// Largest file: the whole of it is held in memory, in single precision.
const LARGEST_BYTES: usize = 256 << 20;

/// The two factors for one layer.
#[derive(Clone, Debug, PartialEq)]
pub struct LowRank {
    /// `[rank, inputs]`.
    pub a: Vec<f32>,
    /// `[outputs, rank]`, with the scale.
    pub b: Vec<f32>,
    /// Rank.
    pub rank: usize,
}

impl LowRank {
    /// Adds `B A x` to `out` for all columns of `inputs`.
    pub(super) fn add(&self, inputs: &[f32], out: &mut [f32]) {
        let length = self.a.len() / self.rank;
        let columns = inputs.len() / length;
        let mut low = vec![0.0; columns * self.rank];
        multiply_by_transposed(inputs, &self.a, length, &mut low);
        let mut added = vec![0.0; out.len()];
        multiply_by_transposed(&low, &self.b, self.rank, &mut added);
        super::math::add(out, &added);
    }
}

/// An adapter.
#[derive(Clone, Debug, PartialEq)]
pub struct Adapter {
    /// The base that it was trained on.
    pub base: Fingerprint,
    /// Factors of each layer that is tuned: block and part.
    pub layers: BTreeMap<(usize, Part), LowRank>,
}

impl Adapter {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, is damaged, or names no base.
    pub fn open(path: &Path) -> Result<Self> {
        let storage = Storage::map(path)?;
        Self::from_bytes(storage.bytes()).map_err(|reason| storage.fail(reason))
    }

    /// Reads the bytes of a file.
    ///
    /// # Errors
    /// A sentence without the file's name.
    pub fn from_bytes(bytes: &[u8]) -> std::result::Result<Self, String> {
        if bytes.len() > LARGEST_BYTES {
            return Err(format!("has {} bytes; an adapter has at most {LARGEST_BYTES}", bytes.len()));
        }
        let damaged =
            |cause: safetensors::SafeTensorError| format!("is not a whole safetensors file: {cause}");
        let (_, about) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
        let about = about.metadata().clone().unwrap_or_default();
        let base = about.get(BASE_KEY).ok_or("is no adapter of MixingBuddy: it does not name its base")?;
        let base =
            Fingerprint::from_json(base).map_err(|why| format!("names a base that cannot be read: {why}"))?;
        let scale: f32 =
            about.get(SCALE_KEY).and_then(|text| text.parse().ok()).ok_or("does not say its scale")?;
        if !scale.is_finite() {
            return Err("has a scale that is not a number".into());
        }
        let file = SafeTensors::deserialize(bytes).map_err(damaged)?;
        let mut factors: BTreeMap<(usize, Part), [Option<Factor>; 2]> = BTreeMap::new();
        for (name, view) in file.iter() {
            if name.starts_with(crate::large::package::PROJECTOR_PREFIX) {
                continue;
            }
            let (key, which) =
                place(name).ok_or_else(|| format!("has the tensor '{name}', which no layer has"))?;
            factors.entry(key).or_default()[which] = Some(Factor::read(name, &view)?);
        }
        let layers = factors.into_iter().map(|(key, pair)| {
            let where_it_is = format!("block {}, {}", key.0, key.1.name());
            let [Some(a), Some(b)] = pair else {
                return Err(format!("has half of a layer only: {where_it_is}"));
            };
            if a.rows != b.columns || a.rows == 0 {
                return Err(format!("has factors that do not fit each other: {where_it_is}"));
            }
            let scaled = b.values.iter().map(|value| value * scale).collect();
            Ok((key, LowRank { rank: a.rows, a: a.values, b: scaled }))
        });
        Ok(Adapter { base, layers: layers.collect::<std::result::Result<_, String>>()? })
    }

    /// The bytes of a file, with single precision.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn to_bytes(&self) -> std::result::Result<Vec<u8>, String> {
        self.to_bytes_with(Vec::new(), Vec::new())
    }

    /// As [`Adapter::to_bytes`], with further metadata, and further tensors: name, shape and values.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn to_bytes_with(
        &self,
        metadata: Vec<(String, String)>,
        more: Vec<(String, Vec<usize>, Vec<f32>)>,
    ) -> std::result::Result<Vec<u8>, String> {
        let mut about: HashMap<String, String> = metadata.into_iter().collect();
        about.insert(SCALE_KEY.to_string(), "1".to_string());
        about.insert(BASE_KEY.to_string(), self.base.to_json()?);
        let bytes = |values: &[f32]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
        let mut data: Vec<(String, Vec<usize>, Vec<u8>)> = self
            .layers
            .iter()
            .flat_map(|((block, part), layer)| {
                let name = format!("{PREFIX}model.layers.{block}.{}", part.name());
                let (inputs, outputs) = (layer.a.len() / layer.rank, layer.b.len() / layer.rank);
                [
                    (format!("{name}.lora_A.weight"), vec![layer.rank, inputs], bytes(&layer.a)),
                    (format!("{name}.lora_B.weight"), vec![outputs, layer.rank], bytes(&layer.b)),
                ]
            })
            .collect();
        data.extend(more.into_iter().map(|(name, shape, values)| (name, shape, bytes(&values))));
        let views = data.iter().map(|(name, shape, bytes)| {
            let view = safetensors::tensor::TensorView::new(Dtype::F32, shape.clone(), bytes);
            view.map(|view| (name.as_str(), view))
        });
        let views = views.collect::<std::result::Result<Vec<_>, _>>().map_err(|cause| cause.to_string())?;
        safetensors::serialize(views, Some(about)).map_err(|cause| cause.to_string())
    }

    /// Whether it fits a base.
    ///
    /// # Errors
    /// A sentence without the file's name.
    pub(super) fn check(
        &self,
        base: &Fingerprint,
        config: &DecoderConfig,
    ) -> std::result::Result<(), String> {
        self.base.compare(base).map_err(|why| format!("is an adapter for another base: {why}"))?;
        for ((block, part), layer) in &self.layers {
            let (inputs, outputs) = part.sizes(config);
            let fits = *block < config.num_hidden_layers
                && layer.a.len() == layer.rank * inputs
                && layer.b.len() == layer.rank * outputs;
            if !fits {
                return Err(format!("does not fit the base in block {block}, {}", part.name()));
            }
        }
        Ok(())
    }
}

struct Factor {
    rows: usize,
    columns: usize,
    values: Vec<f32>,
}

impl Factor {
    fn read(name: &str, view: &safetensors::tensor::TensorView<'_>) -> std::result::Result<Self, String> {
        let format = match view.dtype() {
            Dtype::F32 => Format::F32,
            Dtype::F16 => Format::F16,
            Dtype::BF16 => Format::Bf16,
            other => {
                return Err(format!("stores the tensor '{name}' as {other:?}; F32, F16 and BF16 are read"));
            }
        };
        let &[rows, columns] = view.shape() else {
            return Err(format!("has a tensor '{name}' that is no matrix"));
        };
        let mut values = vec![0.0; rows * columns];
        dense_row(format, view.data(), &mut values);
        match values.iter().all(|value| value.is_finite()) {
            true => Ok(Factor { rows, columns, values }),
            false => Err(format!("is damaged: its tensor '{name}' holds a value that is not a number")),
        }
    }
}

/// Block, part, and 0 for A or 1 for B.
fn place(name: &str) -> Option<((usize, Part), usize)> {
    let rest = name.strip_prefix(PREFIX).unwrap_or(name).strip_prefix("model.layers.")?;
    let (block, rest) = rest.split_once('.')?;
    let (part, which) = rest.strip_suffix(".weight")?.rsplit_once(".lora_")?;
    let part = Part::LINEAR.into_iter().find(|known| known.name() == part)?;
    let which = match which {
        "A" => 0,
        "B" => 1,
        _ => return None,
    };
    Some(((block.parse().ok()?, part), which))
}
