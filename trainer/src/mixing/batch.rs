//! Examples as tensors.

use super::mixer::Example;
use anyhow::Result;
use candle_core::{Device, Tensor};
use mixing_buddy_core::Stem;
use mixing_buddy_core::encoder::{Encoder, EncoderBatch, Reading, readings};
use mixing_buddy_core::features::{BandPower, FeatureSettings};

/// The right answers of the encoder for a batch.
pub struct EncoderTargets {
    /// Share of each stem in each cell, `[batch, tokens, stems, cells]`, flat.
    pub shares: Vec<f32>,
    /// Weight of each cell, `[batch, tokens, cells]`, flat: square root of the mix's power.
    pub weights: Vec<f32>,
    /// Level against the rest in dB, `[batch, stems]`; 0 where absent.
    pub level_db: Tensor,
    /// 1 where the stem is present, `[batch, stems]`.
    pub presence: Tensor,
}

/// Input of a training step of the encoder: examples as tensors, and the right answers.
pub struct EncoderPart {
    /// The encoder's input.
    pub batch: EncoderBatch,
    /// The right answers.
    pub targets: EncoderTargets,
}

impl EncoderPart {
    /// Examples of one length, for an encoder on `device`.
    ///
    /// # Errors
    /// As tensor operations.
    pub fn new(examples: &[Example], features: &FeatureSettings, device: &Device) -> Result<Self> {
        Ok(EncoderPart {
            batch: encoder_batch(examples, features, device)?,
            targets: encoder_targets(examples, features, device)?,
        })
    }
}

/// A stem under this level against the rest counts as absent: it is inaudible. Chosen, not tuned.
pub const ABSENT_REST_DB: f32 = -30.0;
/// Share of a cell's mean power that is added to each stem, so that shares are defined where all are silent.
const CELL_FLOOR: f32 = 1e-9;

/// The features of an example.
pub fn band_power_of(example: &Example, features: &FeatureSettings) -> BandPower {
    let row = 2 * features.bands;
    let mix = &example.mix;
    let half = |from: usize| {
        mix.chunks_exact(row).flat_map(|r| r[from..from + features.bands].iter().copied()).collect()
    };
    BandPower {
        frames: mix.len() / row,
        bands: features.bands,
        mid: half(0),
        side: half(features.bands),
        shares: example.shares.clone(),
    }
}

/// The encoder's input of examples of one length.
///
/// # Errors
/// As tensor operations.
pub fn encoder_batch(
    examples: &[Example],
    features: &FeatureSettings,
    device: &Device,
) -> Result<EncoderBatch> {
    let windows: Vec<BandPower> = examples.iter().map(|example| band_power_of(example, features)).collect();
    Ok(EncoderBatch::new(&windows, features, device)?)
}

/// An encoder's reading of an example.
///
/// # Errors
/// As tensor operations.
pub fn read_example(encoder: &Encoder, features: &FeatureSettings, example: &Example) -> Result<Reading> {
    let batch = encoder_batch(std::slice::from_ref(example), features, encoder.device())?;
    let metered = encoder.meter(&encoder.encode(&batch, None)?, &batch.power, None)?;
    Ok(readings(&metered)?.swap_remove(0))
}

/// The right answers of the encoder for examples.
///
/// # Errors
/// As tensor operations.
pub fn encoder_targets(
    examples: &[Example],
    features: &FeatureSettings,
    device: &Device,
) -> Result<EncoderTargets> {
    let cells = features.patch_values();
    let (mut shares, mut weights) = (Vec::new(), Vec::new());
    let (mut levels, mut presence) = (Vec::new(), Vec::new());
    for example in examples {
        let mean = example.mix.iter().sum::<f32>() / example.mix.len() as f32 * 2.0;
        weights.extend(example.mix.iter().map(|p| (p / mean).sqrt()));
        for start in (0..example.mix.len()).step_by(cells) {
            let token = start..start + cells;
            let base = shares.len();
            shares.resize(base + Stem::COUNT * cells, 0.0);
            for (i, cell) in token.enumerate() {
                let floor = mean * CELL_FLOOR;
                let parts: [f32; Stem::COUNT] = std::array::from_fn(|c| example.parts[c][cell] + floor);
                let inverse = 1.0 / parts.iter().sum::<f32>();
                for (c, part) in parts.iter().enumerate() {
                    shares[base + c * cells + i] = part * inverse;
                }
            }
        }
        for level in example.rest_levels_db() {
            let is_present = level.is_some_and(|level| level > ABSENT_REST_DB);
            presence.push(f32::from(u8::from(is_present)));
            levels.push(if is_present { level.unwrap_or(0.0) } else { 0.0 });
        }
    }
    let shape = (examples.len(), Stem::COUNT);
    Ok(EncoderTargets {
        shares,
        weights,
        level_db: Tensor::from_vec(levels, shape, device)?,
        presence: Tensor::from_vec(presence, shape, device)?,
    })
}
