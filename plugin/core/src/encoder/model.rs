//! The encoder: transformer, masks and head.

use super::masks::{mask_energies, share_energies};
use crate::cancel::CancelFlag;
use crate::error::Result;
use crate::features::{BandPower, FeatureSettings, encoder_input};
use crate::nn::block::{Block, BlockConfig, RotaryTable};
use crate::nn::{DropoutStream, Init, Linear, Params, ops};
use crate::stem::Stem;
use candle_core::{D, Device, Tensor};
use serde::{Deserialize, Serialize};

/// Added to both sides of a level's ratio, relative to the window's power, so that levels stay within ±50 dB. Chosen,
/// not tuned: far beyond the range in which a stem matters.
const RATIO_FLOOR: f64 = 1e-5;

/// Sizes of the encoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EncoderConfig {
    /// Width of the residual stream.
    pub hidden: usize,
    /// Width inside the feed-forward layers.
    pub intermediate: usize,
    /// Number of blocks.
    pub layers: usize,
    /// Attention heads.
    pub heads: usize,
    /// Width of each stem's summary.
    pub summary: usize,
    /// Share of the residual branches dropped in training.
    pub dropout: f32,
    /// Largest correction of a separated stem's level in dB: what the separator hears counts more than what rendered
    /// songs taught.
    pub largest_correction_db: f64,
}

impl Default for EncoderConfig {
    fn default() -> Self {
        EncoderConfig {
            hidden: 192,
            intermediate: 512,
            layers: 5,
            heads: 6,
            summary: 32,
            dropout: 0.1,
            // That of bundles from before it was written down.
            largest_correction_db: 3.0,
        }
    }
}

/// The encoder.
pub struct Encoder {
    embed: Linear,
    blocks: Vec<Block>,
    norm: Tensor,
    masks: Linear,
    summary: Linear,
    head_in: Linear,
    head_out: Linear,
    rotary: RotaryTable,
    summary_width: usize,
    separated: Vec<Stem>,
    largest_correction_db: f64,
}

/// Outputs of the encoder for a batch of windows, before any sums over time.
pub struct Encoded {
    /// Residual stream, `[batch, tokens, hidden]`.
    pub hidden: Tensor,
    /// Mask logits, `[batch, tokens, stems, patch_values]`.
    pub mask_logits: Tensor,
}

/// Levels and summaries of a batch of windows.
pub struct Metered {
    /// Stem against the rest in dB, unweighted power, from the masks alone, `[batch, stems]`.
    pub mask_level_db: Tensor,
    /// The same before the head's correction, `[batch, stems]`: that of the masks, and of a separated stem that of the
    /// separator's shares.
    pub base_level_db: Tensor,
    /// The same after it.
    pub level_db: Tensor,
    /// Natural logarithm of the level's expected absolute error in dB, `[batch, stems]`.
    pub log_error: Tensor,
    /// Logit of the stem's presence, `[batch, stems]`.
    pub presence_logit: Tensor,
    /// How each stem sounds, `[batch, stems, summary]`.
    pub summary: Tensor,
}

/// Windows of one length, ready for the encoder.
pub struct EncoderBatch {
    /// [`encoder_input`] of each window, `[batch, tokens, patch_values + patch_shares]`.
    pub input: Tensor,
    /// Band power, `[batch, tokens, patch_values]`, each window scaled to a mean of one per cell.
    pub power: Tensor,
    /// Shares of the separated stems in the layout of the power, `[batch, tokens, separated stems, patch_values]`; none in
    /// a model without a separator.
    pub shares: Option<Tensor>,
}

impl EncoderBatch {
    /// Windows of one length as tensors.
    ///
    /// # Errors
    /// When they differ in length.
    pub fn new(windows: &[BandPower], features: &FeatureSettings, device: &Device) -> Result<Self> {
        let (mut inputs, mut powers, mut shares) = (Vec::new(), Vec::new(), Vec::new());
        for window in windows {
            inputs.extend(encoder_input(window, features));
            powers.extend(patch_power(window));
            patch_shares(window, features, &mut shares);
        }
        let (batch, cells) = (windows.len(), features.patch_values());
        let tokens = powers.len() / cells / batch.max(1);
        let values = cells + features.patch_shares();
        let stems = features.separated.len();
        Ok(EncoderBatch {
            input: Tensor::from_vec(inputs, (batch, tokens, values), device)?,
            power: Tensor::from_vec(powers, (batch, tokens, cells), device)?,
            shares: match stems {
                0 => None,
                _ => Some(Tensor::from_vec(shares, (batch, tokens, stems, cells), device)?),
            },
        })
    }
}

/// Longest input in tokens: a minute of sound, six times the longest window. It sizes the rotary table.
const LONGEST_TOKENS: usize = 600;

impl Encoder {
    /// The encoder whose weights are at `params`.
    ///
    /// # Errors
    /// When a weight is missing or of another shape.
    pub fn new(params: &Params, config: &EncoderConfig, features: &FeatureSettings) -> Result<Self> {
        let block = BlockConfig {
            hidden: config.hidden,
            intermediate: config.intermediate,
            heads: config.heads,
            key_value_heads: config.heads,
            norm_epsilon: 1e-6,
            dropout: config.dropout,
        };
        let (hidden, cells) = (config.hidden, features.patch_values());
        let layers = params.pp("layers");
        Ok(Encoder {
            embed: Linear::new(params, "embed", (cells + features.patch_shares(), hidden), true, None)?,
            blocks: (0..config.layers)
                .map(|i| Block::new(&layers.pp(i), block, None))
                .collect::<candle_core::Result<_>>()?,
            norm: params.pp("norm").get("weight", hidden, Init::Const(1.0))?,
            masks: Linear::new(params, "masks", (hidden, Stem::COUNT * cells), true, None)?,
            summary: Linear::new(params, "summary", (hidden, config.summary), true, None)?,
            head_in: Linear::new(params, "head_in", (config.summary + 3 * Stem::COUNT, 64), true, None)?,
            head_out: Linear::new(params, "head_out", (64, 3), true, None)?,
            rotary: RotaryTable::new(LONGEST_TOKENS, block.head_dim(), 10_000.0, params.device())?,
            summary_width: config.summary,
            separated: features.separated.clone(),
            largest_correction_db: config.largest_correction_db,
        })
    }

    /// Tokens and mask logits of a batch.
    ///
    /// # Errors
    /// When shapes do not fit, or the window is longer than a minute.
    pub fn encode(&self, batch: &EncoderBatch, dropout: Option<&DropoutStream>) -> Result<Encoded> {
        self.encode_until(batch, dropout, &CancelFlag::new())
    }

    /// As [`Encoder::encode`]; the flag is checked before every block.
    ///
    /// # Errors
    /// As [`Encoder::encode`], and when cancelled.
    pub fn encode_until(
        &self,
        windows: &EncoderBatch,
        dropout: Option<&DropoutStream>,
        cancel: &CancelFlag,
    ) -> Result<Encoded> {
        let (batch, tokens, cells) = windows.power.dims3()?;
        let mut x = self.embed.forward(&windows.input, dropout)?;
        for block in &self.blocks {
            cancel.check()?;
            x = block.forward(&x, &self.rotary, None, None, dropout)?;
        }
        cancel.check()?;
        let hidden = ops::rms_norm(&x, &self.norm, 1e-6)?;
        let mask_logits =
            self.masks.forward(&hidden, dropout)?.reshape((batch, tokens, Stem::COUNT, cells))?;
        Ok(Encoded { hidden, mask_logits })
    }

    /// Levels, their uncertainty, presence and summaries.
    ///
    /// The head's gradient reaches the residual stream but not the masks, which have a better loss of their own.
    ///
    /// # Errors
    /// As tensor operations.
    pub fn meter(
        &self,
        encoded: &Encoded,
        windows: &EncoderBatch,
        dropout: Option<&DropoutStream>,
    ) -> Result<Metered> {
        let (batch, _, _) = encoded.hidden.dims3()?;
        let energies = mask_energies(&encoded.mask_logits, &windows.power)?; // [batch, tokens, stems]
        let mask_level_db = levels_against_rest_db(&energies.sum(1)?)?;
        let base_level_db = self.with_separated(&mask_level_db, windows, &windows.power)?;

        let shares = energies.detach();
        let weights = shares.broadcast_div(&(shares.sum_keepdim(1)? + 1e-6)?)?;
        let pooled = weights.transpose(1, 2)?.contiguous()?.matmul(&encoded.hidden)?; // [batch, stems, hidden]
        let summary = self.summary.forward(&pooled, dropout)?;

        let levels = (base_level_db.detach() / 10.0)?;
        let device = levels.device();
        let all_levels = levels.unsqueeze(1)?.expand((batch, Stem::COUNT, Stem::COUNT))?;
        let own_level = levels.unsqueeze(2)?.expand((batch, Stem::COUNT, Stem::COUNT))?;
        let which = Tensor::eye(Stem::COUNT, levels.dtype(), device)?.unsqueeze(0)?.expand((
            batch,
            Stem::COUNT,
            Stem::COUNT,
        ))?;
        let own_level = (own_level * &which)?;
        let inputs =
            Tensor::cat(&[&summary, &all_levels.contiguous()?, &own_level, &which.contiguous()?], D::Minus1)?;
        let inner = self.head_in.forward(&inputs, dropout)?.silu()?;
        let head = self.head_out.forward(&inner, dropout)?; // [batch, stems, 3]
        let part = |i| head.narrow(D::Minus1, i, 1)?.squeeze(D::Minus1);
        Ok(Metered {
            level_db: (base_level_db.detach() + self.bounded(&part(0)?)?)?,
            base_level_db,
            mask_level_db,
            log_error: part(1)?,
            presence_logit: part(2)?,
            summary,
        })
    }

    /// Levels of the masks, in which those of the separated stems are replaced by the levels of their shares. `power` weighs
    /// the cells.
    ///
    /// # Errors
    /// As tensor operations.
    pub fn with_separated(
        &self,
        levels_db: &Tensor,
        windows: &EncoderBatch,
        power: &Tensor,
    ) -> Result<Tensor> {
        let Some(shares) = &windows.shares else { return Ok(levels_db.clone()) };
        let energies = share_energies(shares, power)?.sum(1)?; // [batch, separated + 1]
        let count = self.separated.len();
        let (stems, total) = (energies.narrow(1, 0, count)?, energies.narrow(1, count, 1)?);
        let floor = (&total * RATIO_FLOOR)?;
        let rest = stems.broadcast_sub(&total)?.neg()?;
        let ratio = (stems.broadcast_add(&floor)?.log()? - rest.broadcast_add(&floor)?.log()?)?;
        let separated_db = (ratio * (10.0 / std::f64::consts::LN_10))?;
        let columns = Stem::ALL.map(|stem| match self.separated.iter().position(|other| *other == stem) {
            Some(index) => separated_db.narrow(1, index, 1),
            None => levels_db.narrow(1, stem.index(), 1),
        });
        let columns = columns.into_iter().collect::<candle_core::Result<Vec<_>>>()?;
        Ok(Tensor::cat(&columns, 1)?)
    }

    /// The head's corrections, `[batch, stems]`, those of separated stems bounded.
    fn bounded(&self, correction_db: &Tensor) -> candle_core::Result<Tensor> {
        if self.separated.is_empty() {
            return Ok(correction_db.clone());
        }
        let columns = Stem::ALL.map(|stem| {
            let column = correction_db.narrow(1, stem.index(), 1)?;
            match self.separated.contains(&stem) {
                true if self.largest_correction_db == 0.0 => column.zeros_like(),
                true => (column / self.largest_correction_db)?.tanh()? * self.largest_correction_db,
                false => Ok(column),
            }
        });
        Tensor::cat(&columns.into_iter().collect::<candle_core::Result<Vec<_>>>()?, 1)
    }

    /// The device of the weights, on which inputs must be.
    pub fn device(&self) -> &Device {
        self.norm.device()
    }

    /// Width of a stem's summary.
    pub fn summary_width(&self) -> usize {
        self.summary_width
    }
}

/// `10 log10(stem / rest)` of stem energies `[batch, stems]`, unweighted power as in the norms.
///
/// # Errors
/// As tensor operations.
pub fn levels_against_rest_db(energies: &Tensor) -> candle_core::Result<Tensor> {
    let total = energies.sum_keepdim(D::Minus1)?;
    let floor = (&total * RATIO_FLOOR)?;
    let rest = total.broadcast_sub(energies)?;
    let ratio = energies.broadcast_add(&floor)?.log()? - rest.broadcast_add(&floor)?.log()?;
    ratio? * (10.0 / std::f64::consts::LN_10)
}

/// Band power in the encoder's patch layout, scaled to a mean of one per cell (mid plus side).
pub fn patch_power(power: &BandPower) -> Vec<f32> {
    let (frames, bands) = (power.frames, power.bands);
    let total: f64 = power.mid.iter().chain(&power.side).map(|&p| f64::from(p)).sum();
    let scale = ((frames * bands) as f64 / total.max(1e-30)) as f32;
    let mut patches = Vec::with_capacity(2 * frames * bands);
    for frame in 0..frames {
        for map in [&power.mid, &power.side] {
            patches.extend(map[frame * bands..(frame + 1) * bands].iter().map(|p| p.max(0.0) * scale));
        }
    }
    patches
}

/// Appends the shares of a window in the layout of the power, `[tokens, separated stems, patch_values]`: mid and side cells
/// of a band have the same share.
fn patch_shares(power: &BandPower, features: &FeatureSettings, to: &mut Vec<f32>) {
    let bands = power.bands;
    for first in (0..power.frames).step_by(features.patch_frames) {
        for map in &power.shares {
            for frame in first..first + features.patch_frames {
                let row = &map[frame * bands..(frame + 1) * bands];
                to.extend_from_slice(row);
                to.extend_from_slice(row);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metered(share: f32, config: &EncoderConfig) -> Vec<Vec<f32>> {
        let features = FeatureSettings { separated: vec![Stem::Vocals], ..FeatureSettings::default() };
        let (frames, bands) = (2 * features.patch_frames, features.bands);
        let map: Vec<f32> = (0..frames * bands).map(|cell| 1.0 + (cell % 7) as f32).collect();
        let window = BandPower {
            frames,
            bands,
            side: map.iter().map(|p| 0.1 * p).collect(),
            mid: map,
            shares: vec![vec![share; frames * bands]],
        };
        let params = Params::train(4, &Device::Cpu);
        let encoder = Encoder::new(&params, config, &features).unwrap();
        let batch = EncoderBatch::new(&[window], &features, &Device::Cpu).unwrap();
        let metered = encoder.meter(&encoder.encode(&batch, None).unwrap(), &batch, None).unwrap();
        [metered.mask_level_db, metered.base_level_db, metered.level_db]
            .map(|levels| levels.squeeze(0).unwrap().to_vec1().unwrap())
            .to_vec()
    }

    #[test]
    fn a_separated_stems_level_is_the_separators_and_is_corrected_by_little() {
        let config =
            EncoderConfig { hidden: 32, intermediate: 32, layers: 1, heads: 2, ..Default::default() };
        for (share, level_db) in [(0.5, 0.0), (0.2, -6.02), (0.9, 9.54)] {
            for largest_correction_db in [3.0, 0.01, 0.0] {
                let levels = metered(share, &EncoderConfig { largest_correction_db, ..config.clone() });
                let [masks, base, corrected] = levels.as_slice() else { panic!("three kinds of levels") };
                assert!((base[0] - level_db).abs() < 0.01, "{} for a share of {share}", base[0]);
                assert!(f64::from((corrected[0] - base[0]).abs()) <= largest_correction_db + 1e-6);
                assert_eq!(base[1..], masks[1..], "the other stems keep the levels of the masks");
            }
        }
    }
}
