//! From mask logits to stem energies, fused: the masks themselves would be the largest tensor of the model.

use crate::nn::fused::{Argument, Fused, apply2, evaluate2, evaluate3};
use crate::nn::ops::{fast_exp, softmax_plain};
use crate::stem::Stem;
use candle_core::{Result, Shape, Tensor, bail};

/// Energy of each stem in each token: `sum over cells of softmax(logits over stems) * power`.
///
/// `logits` is `[batch, tokens, stems, cells]`, `power` `[batch, tokens, cells]`; the result `[batch, tokens, stems]`.
/// The gradient flows to the logits; the power is data.
///
/// # Errors
/// When shapes do not fit.
pub fn mask_energies(logits: &Tensor, power: &Tensor) -> Result<Tensor> {
    if logits.device().is_cpu() {
        apply2(MaskEnergies, logits, power)
    } else {
        mask_energies_plain(logits, power)
    }
}

/// [`mask_energies`] of plain operations.
///
/// # Errors
/// When shapes do not fit.
pub fn mask_energies_plain(logits: &Tensor, power: &Tensor) -> Result<Tensor> {
    let masks = softmax_plain(&logits.transpose(2, 3)?.contiguous()?)?.transpose(2, 3)?;
    masks.broadcast_mul(&power.unsqueeze(2)?)?.sum(3)
}

/// Energy of each separated stem in each token, and of the whole mix as the last: `[batch, tokens, stems + 1]` of `shares`
/// `[batch, tokens, stems, cells]` and `power` `[batch, tokens, cells]`. Both are data.
///
/// # Errors
/// When shapes do not fit.
pub fn share_energies(shares: &Tensor, power: &Tensor) -> Result<Tensor> {
    if shares.device().is_cpu() {
        evaluate2(ShareEnergies, shares, power)
    } else {
        let stems = shares.broadcast_mul(&power.unsqueeze(2)?)?.sum(3)?;
        Tensor::cat(&[stems, power.sum_keepdim(2)?], 2)
    }
}

struct MaskEnergies;
struct MaskEnergiesGrad;
struct ShareEnergies;

impl Fused<2> for ShareEnergies {
    const NAME: &'static str = "share-energies";

    fn forward(&self, [shares, power]: [Argument<'_>; 2]) -> Result<(Vec<f32>, Shape)> {
        let (batch, tokens, stems, cells) = match *shares.shape.dims() {
            [batch, tokens, stems, cells] if power.shape.dims() == [batch, tokens, cells] => {
                (batch, tokens, stems, cells)
            }
            _ => bail!("shares {:?} do not fit power {:?}", shares.shape, power.shape),
        };
        let mut energies = Vec::with_capacity(batch * tokens * (stems + 1));
        for (shares, power) in shares.values.chunks_exact(stems * cells).zip(power.values.chunks_exact(cells))
        {
            let energy = |share: &[f32]| share.iter().zip(power).map(|(s, p)| s * p).sum::<f32>();
            energies.extend(shares.chunks_exact(cells).map(energy));
            energies.push(power.iter().sum());
        }
        Ok((energies, Shape::from((batch, tokens, stems + 1))))
    }
}

fn cells_of(logits: Argument<'_>, power: Argument<'_>) -> Result<usize> {
    match *logits.shape.dims() {
        [batch, tokens, Stem::COUNT, cells] if power.shape.dims() == [batch, tokens, cells] => Ok(cells),
        _ => bail!("masks {:?} do not fit power {:?}", logits.shape, power.shape),
    }
}

/// Softmax over the stems for each of `cells` cells; logits and masks hold one row of cells per stem.
///
/// It works row by row, so that the compiler vectorises every loop: cell by cell over an array of rows takes over three
/// times as long.
struct StemSoftmax {
    cells: usize,
    /// Largest logit of each cell.
    top: Vec<f32>,
    /// Sum of the exponentials of each cell, then its inverse.
    total: Vec<f32>,
}

impl StemSoftmax {
    fn new(cells: usize) -> Self {
        StemSoftmax { cells, top: vec![0.0; cells], total: vec![0.0; cells] }
    }

    fn write(&mut self, logits: &[f32], masks: &mut [f32]) {
        let StemSoftmax { cells, top, total } = self;
        top.fill(f32::NEG_INFINITY);
        for row in logits.chunks_exact(*cells) {
            top.iter_mut().zip(row).for_each(|(top, logit)| *top = top.max(*logit));
        }
        total.fill(0.0);
        for (row, masks) in logits.chunks_exact(*cells).zip(masks.chunks_exact_mut(*cells)) {
            let cells = masks.iter_mut().zip(row).zip(top.iter().zip(total.iter_mut()));
            for ((mask, logit), (top, total)) in cells {
                *mask = fast_exp(logit - top);
                *total += *mask;
            }
        }
        total.iter_mut().for_each(|total| *total = 1.0 / *total);
        for masks in masks.chunks_exact_mut(*cells) {
            masks.iter_mut().zip(total.iter()).for_each(|(mask, inverse)| *mask *= inverse);
        }
    }
}

impl Fused<2> for MaskEnergies {
    const NAME: &'static str = "mask-energies";

    fn forward(&self, [logits, power]: [Argument<'_>; 2]) -> Result<(Vec<f32>, Shape)> {
        let cells = cells_of(logits, power)?;
        let (mut softmax, mut masks) = (StemSoftmax::new(cells), vec![0.0; Stem::COUNT * cells]);
        let mut energies = Vec::with_capacity(logits.values.len() / cells.max(1));
        let tokens = logits.values.chunks_exact(Stem::COUNT * cells).zip(power.values.chunks_exact(cells));
        for (token, power) in tokens {
            softmax.write(token, &mut masks);
            let energy = |mask: &[f32]| mask.iter().zip(power).map(|(m, p)| m * p).sum::<f32>();
            energies.extend(masks.chunks_exact(cells).map(energy));
        }
        let dims = logits.shape.dims();
        Ok((energies, Shape::from((dims[0], dims[1], Stem::COUNT))))
    }

    fn backward(
        &self,
        [logits, power]: [&Tensor; 2],
        _y: &Tensor,
        grad: &Tensor,
    ) -> Result<[Option<Tensor>; 2]> {
        Ok([Some(evaluate3(MaskEnergiesGrad, logits, power, grad)?), None])
    }
}

impl Fused<3> for MaskEnergiesGrad {
    const NAME: &'static str = "mask-energies-grad";

    fn forward(&self, [logits, power, grad]: [Argument<'_>; 3]) -> Result<(Vec<f32>, Shape)> {
        let cells = cells_of(logits, power)?;
        let mut dlogits = vec![0.0; logits.values.len()];
        let (mut softmax, mut mean) = (StemSoftmax::new(cells), vec![0.0; cells]);
        let tokens = logits
            .values
            .chunks_exact(Stem::COUNT * cells)
            .zip(power.values.chunks_exact(cells))
            .zip(grad.values.chunks_exact(Stem::COUNT));
        for (((token, power), grad), masks) in tokens.zip(dlogits.chunks_exact_mut(Stem::COUNT * cells)) {
            softmax.write(token, masks);
            mean.fill(0.0);
            for (masks, grad) in masks.chunks_exact(cells).zip(grad) {
                mean.iter_mut().zip(masks).for_each(|(mean, mask)| *mean += mask * grad);
            }
            for (masks, grad) in masks.chunks_exact_mut(cells).zip(grad) {
                for ((mask, power), mean) in masks.iter_mut().zip(power).zip(&mean) {
                    *mask *= power * (grad - mean);
                }
            }
        }
        Ok(logits.shaped(dlogits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    #[test]
    fn fused_energies_and_gradients_match_plain_ones() {
        let logits =
            Var::from_tensor(&Tensor::randn(0f32, 2.0, (2, 3, Stem::COUNT, 10), &Device::Cpu).unwrap())
                .unwrap();
        let power = Tensor::rand(0f32, 3.0, (2, 3, 10), &Device::Cpu).unwrap();
        let weights = Tensor::randn(0f32, 1.0, (2, 3, Stem::COUNT), &Device::Cpu).unwrap();
        let run = |f: &dyn Fn(&Tensor, &Tensor) -> Result<Tensor>| {
            let y = f(logits.as_tensor(), &power).unwrap();
            let grads = (&y * &weights).unwrap().sum_all().unwrap().backward().unwrap();
            (y, grads.get(&logits).unwrap().clone())
        };
        let ((y1, g1), (y2, g2)) = (run(&mask_energies), run(&mask_energies_plain));
        let worst = |a: &Tensor, b: &Tensor| {
            (a - b).unwrap().abs().unwrap().flatten_all().unwrap().max(0).unwrap().to_scalar::<f32>().unwrap()
        };
        assert!(worst(&y1, &y2) < 1e-5 && worst(&g1, &g2) < 1e-5);
        let totals = y1.sum(2).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let powers = power.sum(2).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert!(totals.iter().zip(&powers).all(|(a, b)| (a - b).abs() < 1e-4), "masks share all power");
    }
}
