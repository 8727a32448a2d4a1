//! A linear layer: a stored matrix, a bias, an adapter.

use super::adapter::LowRank;
use super::files::{Part, Place, Weights};
use super::math;
use super::matrix::Matrix;
use super::product::{Inputs, Runner};
use crate::decoder::DecoderConfig;
use crate::error::Result;

/// `y = W x + b`, and what an adapter adds.
pub struct Linear {
    pub(super) matrix: Matrix,
    bias: Option<Vec<f32>>,
    pub(super) adapter: Option<LowRank>,
}

impl Linear {
    /// The layer of a part of a block.
    ///
    /// # Errors
    /// When a weight is missing or of another shape.
    pub fn load(weights: &Weights, config: &DecoderConfig, block: usize, part: Part) -> Result<Self> {
        let (inputs, outputs) = part.sizes(config);
        let place = Place::Block(block, part);
        let has_bias = matches!(part, Part::Query | Part::Key | Part::Value);
        Ok(Linear {
            matrix: weights.matrix(place, outputs, inputs)?,
            bias: has_bias.then(|| weights.bias(place, outputs)).transpose()?,
            adapter: None,
        })
    }

    /// Applies the layer to all columns; `out` gets its size here.
    pub fn apply(&self, runner: &Runner<'_>, inputs: &Inputs, out: &mut Vec<f32>) {
        out.resize(self.matrix.rows() * inputs.columns(), 0.0);
        runner.multiply(&self.matrix, inputs, out);
        if let Some(adapter) = &self.adapter {
            adapter.add(inputs.values(), out);
        }
        if let Some(bias) = &self.bias {
            out.chunks_exact_mut(bias.len()).for_each(|column| math::add(column, bias));
        }
    }
}
