//! The loss of the encoder: masks, levels, the meter's head, presence.

use super::mask_loss::mask_cross_entropy;
use super::shards::ShardOutcome;
use crate::mixing::batch::{EncoderPart, EncoderTargets};
use anyhow::Result;
use candle_core::Tensor;
use mixing_buddy_core::encoder::{Encoder, Metered};
use mixing_buddy_core::nn::DropoutStream;

/// Weights of the terms of the loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LossWeights {
    /// Of the masks' cross-entropy in nats.
    pub mask: f64,
    /// Of the error of the levels that the masks give, in dB.
    pub level: f64,
    /// Of the losses of the head.
    pub head: f64,
    /// Of the presence's cross-entropy in nats.
    pub presence: f64,
}

/// Bounds of the head's estimate of its error, as the natural logarithm of an error in dB (0.14 to 20 dB): without them,
/// a few windows would dominate the loss early in training. Chosen, not tuned.
const LOG_ERROR_BOUNDS: (f64, f64) = (-2.0, 3.0);

/// Loss of the examples of one part.
///
/// # Errors
/// As tensor operations.
pub fn encoder_loss(
    encoder: &Encoder,
    part: EncoderPart,
    weights: LossWeights,
    dropout: Option<&DropoutStream>,
) -> Result<ShardOutcome> {
    let EncoderPart { batch, targets } = part;
    let EncoderTargets { shares, weights: cell_weights, level_db, presence } = targets;
    let encoded = encoder.encode(&batch, dropout)?;
    let mask = mask_cross_entropy(&encoded.mask_logits, shares, cell_weights)?;
    let Metered { mask_level_db, level_db: head_level_db, log_error, presence_logit, .. } =
        encoder.meter(&encoded, &batch, dropout)?;
    let present_count = presence.sum_all()?.to_scalar::<f32>()?.max(1.0) as f64;
    let mean = |x: Tensor| -> Result<Tensor> { Ok(((x * &presence)?.sum_all()? / present_count)?) };
    let level = mean((&mask_level_db - &level_db)?.abs()?)?;
    let head_error = (&head_level_db - &level_db)?.abs()?;
    let log_error = log_error.clamp(LOG_ERROR_BOUNDS.0, LOG_ERROR_BOUNDS.1)?;
    // Laplace: |error| / b + ln b.
    let head = mean(((&head_error / log_error.exp()?)? + &log_error)?)?;
    let head_db = mean(head_error.detach())?;
    // Binary cross-entropy with logits: softplus(x) - x y, softplus(x) = relu(x) + ln(1 + exp(-|x|)).
    let softplus = (presence_logit.relu()? + (presence_logit.abs()?.neg()?.exp()? + 1.0)?.log()?)?;
    let presence_loss = (softplus - (&presence_logit * &presence)?)?.mean_all()?;
    let loss = ((((&mask * weights.mask)? + (&level * weights.level)?)? + (&head * weights.head)?)?
        + (&presence_loss * weights.presence)?)?;
    let scalar = |t: &Tensor| -> Result<f64> { Ok(f64::from(t.to_scalar::<f32>()?)) };
    let figures = vec![
        ("loss", scalar(&loss)?),
        ("mask", scalar(&mask)?),
        ("level_db", scalar(&level)?),
        ("head_db", scalar(&head_db)?),
        ("presence", scalar(&presence_loss)?),
    ];
    Ok(ShardOutcome { loss, figures })
}
