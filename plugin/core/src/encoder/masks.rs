//! From mask logits to stem energies, fused: the masks themselves are the largest tensor of the model.

use crate::nn::ops::{contiguous_f32, fast_exp, softmax_plain};
use crate::stem::Stem;
use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor, bail};

/// Energy of each stem in each token: `sum over cells of softmax(logits over stems) * power`.
///
/// `logits` is `[batch, tokens, stems, cells]`, `power` `[batch, tokens, cells]`; the result `[batch, tokens, stems]`.
/// The gradient flows to the logits; the power is data.
///
/// # Errors
/// When shapes do not fit.
pub fn mask_energies(logits: &Tensor, power: &Tensor) -> Result<Tensor> {
    if logits.device().is_cpu() {
        logits.contiguous()?.apply_op2(&power.contiguous()?, MaskEnergies)
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

struct MaskEnergies;
struct MaskEnergiesGrad;

fn cells_of(logits: &Layout, power: &Layout) -> Result<usize> {
    match *logits.shape().dims() {
        [batch, tokens, Stem::COUNT, cells] if power.shape().dims() == [batch, tokens, cells] => Ok(cells),
        _ => bail!("masks {:?} do not fit power {:?}", logits.shape(), power.shape()),
    }
}

/// Softmax over four rows of `cells` logits, written into `masks`, cell by cell.
#[inline]
pub(crate) fn softmax_over_stems(logits: &[f32], cells: usize, masks: &mut [f32]) {
    let (l0, rest) = logits.split_at(cells);
    let (l1, rest) = rest.split_at(cells);
    let (l2, l3) = rest.split_at(cells);
    let (m0, rest) = masks.split_at_mut(cells);
    let (m1, rest) = rest.split_at_mut(cells);
    let (m2, m3) = rest.split_at_mut(cells);
    let l3 = &l3[..cells];
    let m3 = &mut m3[..cells];
    for i in 0..cells {
        let top = l0[i].max(l1[i]).max(l2[i]).max(l3[i]);
        let (a, b) = (fast_exp(l0[i] - top), fast_exp(l1[i] - top));
        let (c, d) = (fast_exp(l2[i] - top), fast_exp(l3[i] - top));
        let inverse = 1.0 / (a + b + c + d);
        m0[i] = a * inverse;
        m1[i] = b * inverse;
        m2[i] = c * inverse;
        m3[i] = d * inverse;
    }
}

impl CustomOp2 for MaskEnergies {
    fn name(&self) -> &'static str {
        "mask-energies"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (logits, power, cells) = (contiguous_f32(s1, l1)?, contiguous_f32(s2, l2)?, cells_of(l1, l2)?);
        let mut masks = vec![0.0; Stem::COUNT * cells];
        let mut energies = Vec::with_capacity(logits.len() / cells.max(1));
        for (token, power) in logits.chunks_exact(Stem::COUNT * cells).zip(power.chunks_exact(cells)) {
            softmax_over_stems(token, cells, &mut masks);
            let energy = |mask: &[f32]| mask.iter().zip(power).map(|(m, p)| m * p).sum::<f32>();
            energies.extend(masks.chunks_exact(cells).map(energy));
        }
        let dims = l1.shape().dims();
        Ok((CpuStorage::F32(energies), Shape::from((dims[0], dims[1], Stem::COUNT))))
    }

    fn bwd(
        &self,
        logits: &Tensor,
        power: &Tensor,
        _y: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        Ok((Some(logits.apply_op3_no_bwd(power, &grad.contiguous()?, &MaskEnergiesGrad)?), None))
    }
}

impl CustomOp3 for MaskEnergiesGrad {
    fn name(&self) -> &'static str {
        "mask-energies-grad"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
        s3: &CpuStorage,
        l3: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (logits, power, grad) =
            (contiguous_f32(s1, l1)?, contiguous_f32(s2, l2)?, contiguous_f32(s3, l3)?);
        let cells = cells_of(l1, l2)?;
        let mut dlogits = vec![0.0; logits.len()];
        let tokens = logits
            .chunks_exact(Stem::COUNT * cells)
            .zip(power.chunks_exact(cells))
            .zip(grad.chunks_exact(Stem::COUNT));
        for (((token, power), grad), masks) in tokens.zip(dlogits.chunks_exact_mut(Stem::COUNT * cells)) {
            softmax_over_stems(token, cells, masks);
            let (m0, rest) = masks.split_at_mut(cells);
            let (m1, rest) = rest.split_at_mut(cells);
            let (m2, m3) = rest.split_at_mut(cells);
            for i in 0..cells {
                let mean = m0[i] * grad[0] + m1[i] * grad[1] + m2[i] * grad[2] + m3[i] * grad[3];
                m0[i] *= power[i] * (grad[0] - mean);
                m1[i] *= power[i] * (grad[1] - mean);
                m2[i] *= power[i] * (grad[2] - mean);
                m3[i] *= power[i] * (grad[3] - mean);
            }
        }
        Ok((CpuStorage::F32(dlogits), l1.shape().clone()))
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
        assert!(totals.iter().zip(&powers).all(|(a, b)| (a - b).abs() < 1e-4), "masks share out all power");
    }
}
