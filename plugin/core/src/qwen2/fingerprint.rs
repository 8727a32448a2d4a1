//! What tells one base from another, however its weights are stored.
//!
//! An adapter fits the base that it was trained on, in any quantisation of it, so a checksum of the file says nothing. The
//! fingerprint has the architecture's sizes and two kinds of figures:
//!
//! - **Values that quantisation leaves alone:** biases of queries and keys, and the last norm. Every GGUF keeps them in single
//!   precision. They differ between a model and one that was tuned further, even where the matrices look alike.
//! - **Lengths of rows** of the embedding and of two matrices of some blocks. Quantisation changes a weight by some
//!   per cent, but the length of a row of hundreds of weights by little.
//!
//! The norms in front of the layers are left out: some quantisations (AWQ) move a scale from the matrices into them. A
//! length is compared after that of all rows together, so such a scale on all inputs matters little either.

use super::files::{Part, Place, Weights};
use crate::decoder::DecoderConfig;
use crate::error::Result;
use serde::{Deserialize, Serialize};

/// Figures from each tensor: evenly spaced values or rows.
const FIGURES: usize = 32;
/// Largest difference between values, relative to their root mean square. Half precision changes them by 0.05 %.
const VALUES_TOLERANCE: f64 = 0.005;
/// Largest difference between the lengths' logarithms, as root mean square over a tensor's rows. The test of this file's
/// room finds 0.02 between Q4_0 and full precision in rows of 64 random weights, and 0.1 between two models.
const LENGTHS_TOLERANCE: f64 = 0.04;

/// Architecture, sizes and figures of a base.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fingerprint {
    architecture: String,
    vocabulary: usize,
    hidden: usize,
    intermediate: usize,
    layers: usize,
    heads: usize,
    key_value_heads: usize,
    /// Values of each small tensor.
    values: Vec<Vec<f32>>,
    /// Logarithms of the lengths of rows of each matrix.
    lengths: Vec<Vec<f32>>,
}

/// `FIGURES` of `count` places, evenly spaced; all where there are fewer.
fn places(count: usize) -> impl Iterator<Item = usize> {
    let chosen = count.min(FIGURES);
    (0..chosen).map(move |n| n * count / chosen)
}

impl Fingerprint {
    /// The fingerprint of a model.
    ///
    /// # Errors
    /// When a weight is missing or of another shape.
    pub fn of(weights: &Weights, config: &DecoderConfig) -> Result<Self> {
        // The first block, the middle one and the last.
        let last = config.num_hidden_layers - 1;
        let blocks = [0, last / 2, last];
        let mut values = vec![weights.norm(Place::FinalNorm, config.hidden_size)?];
        let mut matrices = vec![weights.matrix(Place::Embedding, config.vocab_size, config.hidden_size)?];
        for block in blocks {
            for part in [Part::Query, Part::Key] {
                values.push(weights.bias(Place::Block(block, part), part.sizes(config).1)?);
            }
            for part in [Part::Query, Part::Gate] {
                let (inputs, outputs) = part.sizes(config);
                matrices.push(weights.matrix(Place::Block(block, part), outputs, inputs)?);
            }
        }
        let chosen = |values: Vec<f32>| places(values.len()).map(|n| values[n]).collect();
        let mut row = Vec::new();
        let lengths = matrices.iter().map(|matrix| {
            row.resize(matrix.columns(), 0.0);
            let length = |n: usize| {
                matrix.dense_row(n, &mut row);
                let squares: f64 = row.iter().map(|x| f64::from(*x).powi(2)).sum();
                // A row of zeros, and one of infinities, stay comparable.
                (0.5 * squares.clamp(1e-20, 1e20).ln()) as f32
            };
            places(matrix.rows()).map(length).collect()
        });
        let lengths = lengths.collect();
        Ok(Fingerprint {
            architecture: super::files::config::ARCHITECTURE.into(),
            vocabulary: config.vocab_size,
            hidden: config.hidden_size,
            intermediate: config.intermediate_size,
            layers: config.num_hidden_layers,
            heads: config.num_attention_heads,
            key_value_heads: config.num_key_value_heads,
            values: values.into_iter().map(chosen).collect(),
            lengths,
        })
    }

    fn sizes(&self) -> [usize; 6] {
        [self.vocabulary, self.hidden, self.intermediate, self.layers, self.heads, self.key_value_heads]
    }

    /// Whether two are of the same base.
    ///
    /// # Errors
    /// Why they are not.
    pub fn compare(&self, other: &Fingerprint) -> std::result::Result<(), String> {
        if self.architecture != other.architecture {
            return Err(format!("its architecture is '{}', not '{}'", self.architecture, other.architecture));
        }
        if self.sizes() != other.sizes() {
            return Err(format!("its sizes are {:?}, not {:?}", self.sizes(), other.sizes()));
        }
        let same_shape = |a: &[Vec<f32>], b: &[Vec<f32>]| {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.len() == b.len())
        };
        if !same_shape(&self.values, &other.values) || !same_shape(&self.lengths, &other.lengths) {
            return Err("it holds other figures".into());
        }
        let worst = self.worst(other);
        match worst.0 <= VALUES_TOLERANCE && worst.1 <= LENGTHS_TOLERANCE {
            true => Ok(()),
            false => Err("it has the same sizes, but other weights".into()),
        }
    }

    /// Largest difference between values (relative) and between lengths (of logarithms) over the tensors.
    pub fn worst(&self, other: &Fingerprint) -> (f64, f64) {
        let rms = |values: &mut dyn Iterator<Item = f64>| {
            let (count, sum) = values.fold((0usize, 0.0), |(count, sum), x| (count + 1, sum + x * x));
            (sum / count.max(1) as f64).sqrt()
        };
        let mut worst = (0.0f64, 0.0f64);
        for (a, b) in self.values.iter().zip(&other.values) {
            let size = rms(&mut a.iter().map(|x| f64::from(*x))).max(1e-12);
            let apart = rms(&mut a.iter().zip(b).map(|(a, b)| f64::from(a - b)));
            worst.0 = largest(worst.0, apart / size);
        }
        for (a, b) in self.lengths.iter().zip(&other.lengths) {
            let apart: Vec<f64> = a.iter().zip(b).map(|(a, b)| f64::from(a - b)).collect();
            let mean = apart.iter().sum::<f64>() / apart.len().max(1) as f64;
            worst.1 = largest(worst.1, rms(&mut apart.iter().map(|x| x - mean)));
        }
        worst
    }

    /// As JSON, for an adapter's file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn to_json(&self) -> std::result::Result<String, String> {
        serde_json::to_string(self).map_err(|cause| cause.to_string())
    }

    /// From JSON.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn from_json(json: &str) -> std::result::Result<Self, String> {
        serde_json::from_str(json).map_err(|cause| cause.to_string())
    }
}

/// The larger one; what is not a number counts as infinite.
fn largest(a: f64, b: f64) -> f64 {
    if b.is_nan() { f64::INFINITY } else { a.max(b) }
}
