//! Mask logits where a separator already knows the share of some stems.
//!
//! The separator's share of a cell stands; the encoder divides what remains among the other stems. Both are joined as
//! logits, so that all that follows (masks, energies, losses) knows one form only.

use crate::features::SHARE_FLOOR;
use crate::nn::fused::{Argument, Fused, apply2, evaluate3};
use crate::nn::ops::fast_exp;
use crate::stem::Stem;
use candle_core::{D, Result, Shape, Tensor, bail};

/// Logits of all stems, `[batch, tokens, stems, cells]`, whose softmax gives every separated stem its share and divides the
/// rest as `free` says.
///
/// `free` is `[batch, tokens, free stems, cells]`, `shares` `[batch, tokens, separated stems, cells]`; `separated` names the
/// latter in order. Shares are bounded by [`SHARE_FLOOR`], and scaled down where they sum to more than one. The gradient
/// flows to `free`; the shares are data.
///
/// # Errors
/// When shapes do not fit.
pub fn join_shares(free: &Tensor, shares: &Tensor, separated: &[Stem]) -> Result<Tensor> {
    if free.device().is_cpu() {
        apply2(JoinShares(separated.to_vec()), free, shares)
    } else {
        join_shares_plain(free, shares, separated)
    }
}

/// [`join_shares`] of plain operations.
///
/// # Errors
/// When shapes do not fit.
pub fn join_shares_plain(free: &Tensor, shares: &Tensor, separated: &[Stem]) -> Result<Tensor> {
    let floor = f64::from(SHARE_FLOOR);
    let shares = shares.clamp(floor, 1.0 - floor)?;
    let total = shares.sum_keepdim(2)?;
    let scale = (total.clamp(1.0 - floor, f64::INFINITY)?.recip()? * (1.0 - floor))?;
    let shares = shares.broadcast_mul(&scale)?;
    let rest = (shares.sum_keepdim(2)?.neg()? + 1.0)?.log()?;
    let top = free.max_keepdim(2)?.detach();
    let all = (free.broadcast_sub(&top)?.exp()?.sum_keepdim(2)?.log()? + top)?;
    let known = shares.log()?.broadcast_add(&(all - rest)?)?;
    let mut rows = Vec::with_capacity(Stem::COUNT);
    let mut next_free = 0;
    for stem in Stem::ALL {
        rows.push(match separated.iter().position(|other| *other == stem) {
            Some(index) => known.narrow(2, index, 1)?,
            None => {
                next_free += 1;
                free.narrow(2, next_free - 1, 1)?
            }
        });
    }
    Tensor::cat(&rows, D::Minus2)
}

struct JoinShares(Vec<Stem>);
struct JoinSharesGrad(Vec<Stem>);

/// Cells of a row; checks that the shapes fit.
fn cells_of(separated: &[Stem], free: Argument<'_>, shares: Argument<'_>) -> Result<usize> {
    let count = separated.len();
    match free.shape.dims() {
        [batch, tokens, rows, cells]
            if rows + count == Stem::COUNT
                && *rows > 0
                && shares.shape.dims() == [*batch, *tokens, count, *cells] =>
        {
            Ok(*cells)
        }
        _ => bail!("mask logits {:?} and shares {:?} of {separated:?} do not fit", free.shape, shares.shape),
    }
}

impl Fused<2> for JoinShares {
    const NAME: &'static str = "join-shares";

    fn forward(&self, [free, shares]: [Argument<'_>; 2]) -> Result<(Vec<f32>, Shape)> {
        let separated = &self.0;
        let cells = cells_of(separated, free, shares)?;
        let (known, rows) = (separated.len(), Stem::COUNT - separated.len());
        let mut joined = vec![0.0; free.values.len() / rows * Stem::COUNT];
        let (mut top, mut all, mut left) = (vec![0.0; cells], vec![0.0; cells], vec![0.0; cells]);
        let tokens = free.values.chunks_exact(rows * cells).zip(shares.values.chunks_exact(known * cells));
        for ((free, shares), joined) in tokens.zip(joined.chunks_exact_mut(Stem::COUNT * cells)) {
            top.fill(f32::NEG_INFINITY);
            for row in free.chunks_exact(cells) {
                top.iter_mut().zip(row).for_each(|(top, logit)| *top = top.max(*logit));
            }
            all.fill(0.0);
            for row in free.chunks_exact(cells) {
                for ((all, logit), top) in all.iter_mut().zip(row).zip(&top) {
                    *all += fast_exp(logit - top);
                }
            }
            left.fill(0.0);
            for row in shares.chunks_exact(cells) {
                left.iter_mut().zip(row).for_each(|(sum, s)| *sum += s.clamp(SHARE_FLOOR, 1.0 - SHARE_FLOOR));
            }
            let mut next_free = free.chunks_exact(cells);
            for (stem, to) in Stem::ALL.into_iter().zip(joined.chunks_exact_mut(cells)) {
                let Some(index) = separated.iter().position(|other| *other == stem) else {
                    if let Some(row) = next_free.next() {
                        to.copy_from_slice(row);
                    }
                    continue;
                };
                let row = &shares[index * cells..(index + 1) * cells];
                for ((to, share), ((top, all), sum)) in
                    to.iter_mut().zip(row).zip(top.iter().zip(&all).zip(&left))
                {
                    let scale = (1.0 - SHARE_FLOOR) / sum.max(1.0 - SHARE_FLOOR);
                    let share = share.clamp(SHARE_FLOOR, 1.0 - SHARE_FLOOR) * scale;
                    *to = top + (share * all / (1.0 - sum * scale)).ln();
                }
            }
        }
        let dims = free.shape.dims();
        Ok((joined, Shape::from((dims[0], dims[1], Stem::COUNT, cells))))
    }

    fn backward(
        &self,
        [free, shares]: [&Tensor; 2],
        _y: &Tensor,
        grad: &Tensor,
    ) -> Result<[Option<Tensor>; 2]> {
        Ok([Some(evaluate3(JoinSharesGrad(self.0.clone()), free, shares, grad)?), None])
    }
}

impl Fused<3> for JoinSharesGrad {
    const NAME: &'static str = "join-shares-grad";

    /// A separated stem's logit follows the logarithm of the sum of the free exponentials, whose gradient is their softmax.
    fn forward(&self, [free, shares, grad]: [Argument<'_>; 3]) -> Result<(Vec<f32>, Shape)> {
        let separated = &self.0;
        let cells = cells_of(separated, free, shares)?;
        let rows = Stem::COUNT - separated.len();
        let mut out = vec![0.0; free.values.len()];
        let (mut top, mut all, mut known) = (vec![0.0; cells], vec![0.0; cells], vec![0.0; cells]);
        let tokens =
            free.values.chunks_exact(rows * cells).zip(grad.values.chunks_exact(Stem::COUNT * cells));
        for ((free, grad), out) in tokens.zip(out.chunks_exact_mut(rows * cells)) {
            top.fill(f32::NEG_INFINITY);
            for row in free.chunks_exact(cells) {
                top.iter_mut().zip(row).for_each(|(top, logit)| *top = top.max(*logit));
            }
            all.fill(0.0);
            for (row, out) in free.chunks_exact(cells).zip(out.chunks_exact_mut(cells)) {
                for (((all, logit), top), out) in all.iter_mut().zip(row).zip(&top).zip(out) {
                    *out = fast_exp(logit - top);
                    *all += *out;
                }
            }
            known.fill(0.0);
            for stem in separated {
                let row = &grad[stem.index() * cells..(stem.index() + 1) * cells];
                known.iter_mut().zip(row).for_each(|(sum, g)| *sum += g);
            }
            let own = Stem::ALL.into_iter().filter(|stem| !separated.contains(stem));
            for (stem, out) in own.zip(out.chunks_exact_mut(cells)) {
                let row = &grad[stem.index() * cells..(stem.index() + 1) * cells];
                for ((out, g), (known, all)) in out.iter_mut().zip(row).zip(known.iter().zip(&all)) {
                    *out = g + known * *out / all;
                }
            }
        }
        Ok(free.shaped(out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::ops::softmax_plain;
    use candle_core::{Device, Var};

    #[test]
    fn separated_stems_get_their_share_and_gradients_match_plain_operations() {
        for separated in [vec![Stem::Vocals], vec![Stem::Bass, Stem::Vocals]] {
            let (known, rows) = (separated.len(), Stem::COUNT - separated.len());
            let free =
                Var::from_tensor(&Tensor::randn(0f32, 2.0, (2, 3, rows, 10), &Device::Cpu).unwrap()).unwrap();
            let shares = Tensor::rand(0f32, 0.45, (2, 3, known, 10), &Device::Cpu).unwrap();
            let weights = Tensor::randn(0f32, 1.0, (2, 3, Stem::COUNT, 10), &Device::Cpu).unwrap();
            let run = |f: &dyn Fn(&Tensor, &Tensor, &[Stem]) -> Result<Tensor>| {
                let y = f(free.as_tensor(), &shares, &separated).unwrap();
                let grads = (&y * &weights).unwrap().sum_all().unwrap().backward().unwrap();
                (y, grads.get(&free).unwrap().clone())
            };
            let ((y1, g1), (y2, g2)) = (run(&join_shares), run(&join_shares_plain));
            let worst = |a: &Tensor, b: &Tensor| {
                (a - b)
                    .unwrap()
                    .abs()
                    .unwrap()
                    .flatten_all()
                    .unwrap()
                    .max(0)
                    .unwrap()
                    .to_scalar::<f32>()
                    .unwrap()
            };
            assert!(worst(&y1, &y2) < 1e-4 && worst(&g1, &g2) < 1e-5);
            let masks = softmax_plain(&y1.transpose(2, 3).unwrap().contiguous().unwrap()).unwrap();
            for (index, stem) in separated.iter().enumerate() {
                let mask = masks.narrow(3, stem.index(), 1).unwrap().squeeze(3).unwrap();
                let share = shares.narrow(2, index, 1).unwrap().squeeze(2).unwrap();
                assert!(worst(&mask, &share.clamp(SHARE_FLOOR, 1.0).unwrap()) < 1e-4, "{stem}");
            }
        }
    }

    #[test]
    fn shares_of_more_than_the_whole_are_scaled_down_and_misfits_refused() {
        let free = Tensor::zeros((1, 1, 2, 1), candle_core::DType::F32, &Device::Cpu).unwrap();
        let shares = Tensor::new(&[[[[0.9f32], [1.0]]]], &Device::Cpu).unwrap();
        let joined = join_shares(&free, &shares, &[Stem::Vocals, Stem::Drums]).unwrap();
        let plain = join_shares_plain(&free, &shares, &[Stem::Vocals, Stem::Drums]).unwrap();
        let values = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert!(
            values(&joined).iter().zip(values(&plain)).all(|(a, b)| a.is_finite() && (a - b).abs() < 1e-2)
        );
        assert!(join_shares(&free, &shares, &[Stem::Vocals]).is_err());
    }
}
