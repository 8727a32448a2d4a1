//! Tensors by their place in the model, whatever the file calls them.

use super::gguf::Head;
use super::storage::{Span, Storage};
use crate::decoder::DecoderConfig;
use crate::error::{Error, Result};
use crate::qwen2::format::Format;
use crate::qwen2::matrix::Matrix;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A part of a block that has a weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// Norm before the attention.
    AttentionNorm,
    /// Queries.
    Query,
    /// Keys.
    Key,
    /// Values.
    Value,
    /// Output of the attention.
    Output,
    /// Norm before the feed-forward layer.
    FeedForwardNorm,
    /// Gate of the feed-forward layer.
    Gate,
    /// Its other factor.
    Up,
    /// Its output.
    Down,
}

impl Part {
    /// The linear layers, which an adapter may tune.
    pub const LINEAR: [Part; 7] =
        [Part::Query, Part::Key, Part::Value, Part::Output, Part::Gate, Part::Up, Part::Down];

    /// Name in GGUF files and in checkpoints of Hugging Face, without a block's number.
    const fn names(self) -> (&'static str, &'static str) {
        match self {
            Part::AttentionNorm => ("attn_norm", "input_layernorm"),
            Part::Query => ("attn_q", "self_attn.q_proj"),
            Part::Key => ("attn_k", "self_attn.k_proj"),
            Part::Value => ("attn_v", "self_attn.v_proj"),
            Part::Output => ("attn_output", "self_attn.o_proj"),
            Part::FeedForwardNorm => ("ffn_norm", "post_attention_layernorm"),
            Part::Gate => ("ffn_gate", "mlp.gate_proj"),
            Part::Up => ("ffn_up", "mlp.up_proj"),
            Part::Down => ("ffn_down", "mlp.down_proj"),
        }
    }

    /// Name in checkpoints of Hugging Face below a block, as adapters use it: `self_attn.q_proj`.
    pub const fn name(self) -> &'static str {
        self.names().1
    }

    /// Inputs and outputs of a linear layer.
    pub fn sizes(self, config: &DecoderConfig) -> (usize, usize) {
        let hidden = config.hidden_size;
        let pairs = config.num_key_value_heads * config.block().head_dim();
        match self {
            Part::Key | Part::Value => (hidden, pairs),
            Part::Gate | Part::Up => (hidden, config.intermediate_size),
            Part::Down => (config.intermediate_size, hidden),
            Part::Query | Part::Output | Part::AttentionNorm | Part::FeedForwardNorm => (hidden, hidden),
        }
    }
}

/// A place in the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The tokens' embeddings.
    Embedding,
    /// The norm behind the last block.
    FinalNorm,
    /// The output layer, where it is not the embedding.
    Head,
    /// A part of a block.
    Block(usize, Part),
}

/// How a kind of file names its tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// As llama.cpp.
    Gguf,
    /// As Hugging Face's transformers.
    HuggingFace,
}

impl Naming {
    /// The name of a weight (`kind` "weight") or bias ("bias").
    pub fn name(self, place: Place, kind: &str) -> String {
        match (self, place) {
            (Naming::Gguf, Place::Embedding) => format!("token_embd.{kind}"),
            (Naming::Gguf, Place::FinalNorm) => format!("output_norm.{kind}"),
            (Naming::Gguf, Place::Head) => format!("output.{kind}"),
            (Naming::Gguf, Place::Block(n, part)) => format!("blk.{n}.{}.{kind}", part.names().0),
            (Naming::HuggingFace, Place::Embedding) => format!("model.embed_tokens.{kind}"),
            (Naming::HuggingFace, Place::FinalNorm) => format!("model.norm.{kind}"),
            (Naming::HuggingFace, Place::Head) => format!("lm_head.{kind}"),
            (Naming::HuggingFace, Place::Block(n, part)) => {
                format!("model.layers.{n}.{}.{kind}", part.names().1)
            }
        }
    }
}

/// A tensor in a file.
pub struct Stored {
    /// Storage format.
    pub format: Format,
    /// Rows, columns.
    pub shape: Vec<usize>,
    /// Its bytes.
    pub span: Span,
}

/// The tensors of a checkpoint. What cannot be used is an error only where it is needed.
pub struct Weights {
    path: PathBuf,
    naming: Naming,
    tensors: BTreeMap<String, std::result::Result<Stored, String>>,
}

impl Weights {
    /// No tensors yet; `path` is for messages.
    pub fn new(path: &Path, naming: Naming) -> Self {
        Weights { path: path.to_path_buf(), naming, tensors: BTreeMap::new() }
    }

    /// The tensors that the head of a GGUF file describes.
    pub fn of_gguf(storage: &Arc<Storage>, head: &Head<'_>) -> Self {
        let mut weights = Weights::new(storage.path(), Naming::Gguf);
        for tensor in head.tensors() {
            let stored = tensor.place(storage.bytes().len()).and_then(|(format, start, length)| {
                let span = storage.span(start, length).ok_or("is cut off")?;
                let mut shape = tensor.dimensions[..tensor.rank].to_vec();
                shape.reverse();
                Ok(Stored { format, shape, span })
            });
            // With a name twice, the first counts.
            weights.add(tensor.name.to_string(), stored);
        }
        weights
    }

    /// Adds a tensor, or why it cannot be used; false where the name is taken.
    pub fn add(&mut self, name: String, stored: std::result::Result<Stored, String>) -> bool {
        match self.tensors.entry(name) {
            std::collections::btree_map::Entry::Occupied(_) => false,
            std::collections::btree_map::Entry::Vacant(place) => {
                place.insert(stored);
                true
            }
        }
    }

    /// Whether a tensor has this name.
    pub fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// Whether there is a weight at this place.
    pub fn has_place(&self, place: Place) -> bool {
        self.has(&self.naming.name(place, "weight"))
    }

    /// Number of rows of the weight at a place.
    ///
    /// # Errors
    /// When it is missing, no matrix, or cannot be used.
    pub fn rows(&self, place: Place) -> Result<usize> {
        let name = self.naming.name(place, "weight");
        match self.stored(&name)?.shape.as_slice() {
            [rows, _] => Ok(*rows),
            other => {
                Err(self.fail(format!("its tensor '{name}' has the shape {other:?}, which is no matrix")))
            }
        }
    }

    /// The matrix at a place, of `rows × columns`.
    ///
    /// # Errors
    /// When it is missing or of another shape, or cannot be used.
    pub fn matrix(&self, place: Place, rows: usize, columns: usize) -> Result<Matrix> {
        let name = self.naming.name(place, "weight");
        let stored = self.stored(&name)?;
        self.check(&name, &stored.shape, &[rows, columns])?;
        Matrix::new(stored.format, (rows, columns), stored.span.clone())
            .ok_or_else(|| self.fail(format!("its tensor '{name}' does not fit its own size")))
    }

    /// The weight of a norm.
    ///
    /// # Errors
    /// As [`Weights::matrix`].
    pub fn norm(&self, place: Place, length: usize) -> Result<Vec<f32>> {
        self.vector(&self.naming.name(place, "weight"), length)
    }

    /// The bias of a linear layer.
    ///
    /// # Errors
    /// As [`Weights::matrix`].
    pub fn bias(&self, place: Place, length: usize) -> Result<Vec<f32>> {
        self.vector(&self.naming.name(place, "bias"), length)
    }

    fn vector(&self, name: &str, length: usize) -> Result<Vec<f32>> {
        let stored = self.stored(name)?;
        self.check(name, &stored.shape, &[length])?;
        let values =
            Matrix::new(stored.format, (1, length), stored.span.clone()).map(|matrix| matrix.dense());
        let values =
            values.ok_or_else(|| self.fail(format!("its tensor '{name}' does not fit its own size")))?;
        match values.iter().all(|value| value.is_finite()) {
            true => Ok(values),
            false => {
                Err(self.fail(format!("is damaged: its tensor '{name}' holds a value that is not a number")))
            }
        }
    }

    fn stored(&self, name: &str) -> Result<&Stored> {
        match self.tensors.get(name) {
            Some(Ok(stored)) => Ok(stored),
            Some(Err(why)) => Err(self.fail(why.clone())),
            None => Err(self.fail(format!("lacks the tensor '{name}'"))),
        }
    }

    fn check(&self, name: &str, found: &[usize], expected: &[usize]) -> Result<()> {
        match found == expected {
            true => Ok(()),
            false => {
                let why = format!("its tensor '{name}' has the shape {found:?}, expected {expected:?}");
                Err(self.fail(why))
            }
        }
    }

    /// An error that names the file.
    pub fn fail(&self, reason: impl Into<String>) -> Error {
        Error::model(&self.path, reason)
    }

    /// Storage formats of all tensors, with the number of tensors in each and their bytes.
    pub fn formats(&self) -> BTreeMap<&'static str, (usize, usize)> {
        let mut formats = BTreeMap::new();
        for stored in self.tensors.values().flatten() {
            let (count, bytes) = formats.entry(stored.format.name()).or_insert((0, 0));
            *count += 1;
            *bytes += stored.span.bytes().len();
        }
        formats
    }
}
