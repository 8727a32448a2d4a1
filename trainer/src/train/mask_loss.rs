//! Cross-entropy of soft masks against ideal ratio masks, fused: the largest tensor of training is read only once.

use candle_core::{Result, Shape, Tensor, bail};
use mixing_buddy_core::Stem;
use mixing_buddy_core::nn::fused::{Argument, Fused, apply1, evaluate1};
use std::sync::Arc;

/// Weighted mean over cells of `-Σ share · log softmax(logits)`, a scalar.
///
/// One fused operation on the CPU, plain operations on every other device. `logits` is `[batch, tokens, stems, cells]`;
/// `shares` has the same layout, `weights` is `[batch, tokens, cells]`.
///
/// # Errors
/// When the sizes do not fit together.
pub fn mask_cross_entropy(logits: &Tensor, shares: Vec<f32>, weights: Vec<f32>) -> Result<Tensor> {
    let (batch, tokens, stems, cells) = logits.dims4()?;
    if stems != Stem::COUNT || shares.len() != logits.elem_count() || weights.len() != batch * tokens * cells
    {
        bail!("targets do not fit mask logits {:?}", logits.shape());
    }
    let total = weights.iter().sum::<f32>().max(1e-12);
    if !logits.device().is_cpu() {
        let shares = Tensor::from_vec(shares, logits.shape(), logits.device())?;
        let weights = Tensor::from_vec(weights, (batch, tokens, cells), logits.device())?;
        return mask_cross_entropy_plain(logits, &shares, &weights, total);
    }
    let data = Arc::new(MaskTargets { shares, weights, total, cells });
    apply1(MaskCrossEntropy(data), logits)
}

/// [`mask_cross_entropy`] in plain operations, for devices on which a CPU-only operation would fail; `total` is the sum
/// of the weights.
fn mask_cross_entropy_plain(
    logits: &Tensor,
    shares: &Tensor,
    weights: &Tensor,
    total: f32,
) -> Result<Tensor> {
    let shifted = logits.broadcast_sub(&logits.max_keepdim(2)?.detach())?;
    let log = shifted.broadcast_sub(&shifted.exp()?.sum_keepdim(2)?.log()?)?;
    let cross = (shares * log)?.sum(2)?.neg()?;
    (cross * weights)?.sum_all()? / f64::from(total)
}

struct MaskTargets {
    shares: Vec<f32>,
    weights: Vec<f32>,
    total: f32,
    cells: usize,
}

struct MaskCrossEntropy(Arc<MaskTargets>);
struct MaskCrossEntropyGrad(Arc<MaskTargets>);

impl Fused<1> for MaskCrossEntropy {
    const NAME: &'static str = "mask-cross-entropy";

    fn forward(&self, [logits]: [Argument<'_>; 1]) -> Result<(Vec<f32>, Shape)> {
        let (logits, t) = (logits.values, &self.0);
        let mut sum = 0.0f64;
        let tokens =
            logits.chunks_exact(Stem::COUNT * t.cells).zip(t.shares.chunks_exact(Stem::COUNT * t.cells));
        for ((logits, shares), weights) in tokens.zip(t.weights.chunks_exact(t.cells)) {
            for (i, weight) in weights.iter().enumerate() {
                let l: [f32; Stem::COUNT] = std::array::from_fn(|c| logits[c * t.cells + i]);
                let top = l.iter().copied().fold(f32::MIN, f32::max);
                let log_total = top + l.iter().map(|v| (v - top).exp()).sum::<f32>().ln();
                let cross: f32 = (0..Stem::COUNT).map(|c| shares[c * t.cells + i] * (log_total - l[c])).sum();
                sum += f64::from(weight * cross);
            }
        }
        Ok((vec![(sum / f64::from(t.total)) as f32], Shape::from(())))
    }

    fn backward(&self, [logits]: [&Tensor; 1], _y: &Tensor, grad: &Tensor) -> Result<[Option<Tensor>; 1]> {
        let unit = evaluate1(MaskCrossEntropyGrad(self.0.clone()), logits)?;
        Ok([Some(unit.broadcast_mul(grad)?)])
    }
}

impl Fused<1> for MaskCrossEntropyGrad {
    const NAME: &'static str = "mask-cross-entropy-grad";

    fn forward(&self, [argument]: [Argument<'_>; 1]) -> Result<(Vec<f32>, Shape)> {
        let (logits, t) = (argument.values, &self.0);
        let mut out = vec![0.0; logits.len()];
        let tokens =
            logits.chunks_exact(Stem::COUNT * t.cells).zip(t.shares.chunks_exact(Stem::COUNT * t.cells));
        for (((logits, shares), weights), out) in
            tokens.zip(t.weights.chunks_exact(t.cells)).zip(out.chunks_exact_mut(Stem::COUNT * t.cells))
        {
            for (i, weight) in weights.iter().enumerate() {
                let l: [f32; Stem::COUNT] = std::array::from_fn(|c| logits[c * t.cells + i]);
                let top = l.iter().copied().fold(f32::MIN, f32::max);
                let e = l.map(|v| (v - top).exp());
                let scale = weight / t.total;
                let inverse = 1.0 / e.iter().sum::<f32>();
                for c in 0..Stem::COUNT {
                    // Shares of a cell sum to one.
                    out[c * t.cells + i] = scale * (e[c] * inverse - shares[c * t.cells + i]);
                }
            }
        }
        Ok(argument.shaped(out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    #[test]
    fn matches_plain_operations() {
        let logits =
            Var::from_tensor(&Tensor::randn(0f32, 1.5, (2, 3, Stem::COUNT, 6), &Device::Cpu).unwrap())
                .unwrap();
        let raw = Tensor::rand(0.01f32, 1.0, (2, 3, Stem::COUNT, 6), &Device::Cpu).unwrap();
        let shares = raw.broadcast_div(&raw.sum_keepdim(2).unwrap()).unwrap();
        let weights = Tensor::rand(0.1f32, 2.0, (2, 3, 6), &Device::Cpu).unwrap();
        let flat = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let fused = mask_cross_entropy(logits.as_tensor(), flat(&shares), flat(&weights)).unwrap();
        let total = flat(&weights).iter().sum::<f32>();
        let plain = mask_cross_entropy_plain(logits.as_tensor(), &shares, &weights, total).unwrap();
        assert!((fused.to_scalar::<f32>().unwrap() - plain.to_scalar::<f32>().unwrap()).abs() < 1e-5);
        let grad = |y: &Tensor| flat(y.backward().unwrap().get(&logits).unwrap());
        let worst = grad(&fused).iter().zip(grad(&plain)).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 1e-6, "{worst}");
    }
}
