//! `x Wᵀ` for a weight that is not trained: no gradient is computed for it, and it may be stored quantised.
//!
//! These operations use candle's own frame and not [`fused`](super::fused): they multiply storages and not slices.

use super::dequantize::Pieces;
use candle_core::backend::BackendStorage;
use candle_core::quantized::QTensor;
use candle_core::{CpuStorage, CustomOp1, Device, Layout, Result, Shape, Storage, Tensor, bail};
use rayon::prelude::*;
use std::ops::Range;
use std::sync::Arc;

/// About this many values are dequantised at a time: 1 MB, which stays in a core's cache until it is multiplied.
const PIECE_VALUES: usize = 1 << 18;

/// A weight that is not trained, `[outputs, inputs]`.
#[derive(Clone)]
pub(super) enum FrozenWeight {
    /// Dense, in any type.
    Dense(Arc<Tensor>),
    /// Dequantised on use, forward and backward (QLoRA), in pieces that the threads of the current rayon pool share.
    Quantized(Arc<QTensor>),
}

impl FrozenWeight {
    fn dense(&self, device: &Device) -> Result<Tensor> {
        match self {
            FrozenWeight::Dense(weight) => Ok(weight.as_ref().clone()),
            FrozenWeight::Quantized(weight) => weight.dequantize(device),
        }
    }

    fn pieces(&self) -> Result<Option<Pieces<'_>>> {
        match self {
            FrozenWeight::Dense(_) => Ok(None),
            FrozenWeight::Quantized(weight) => Pieces::of(weight),
        }
    }
}

/// `x Wᵀ` of rows `x`, without a gradient for `W`: an ordinary matmul's backward computes that of the frozen weight too.
///
/// # Errors
/// When shapes do not fit.
pub(super) fn frozen_matmul(x: &Tensor, weight: FrozenWeight) -> Result<Tensor> {
    if x.device().is_cpu() {
        x.contiguous()?.apply_op1(Forward { weight })
    } else {
        x.matmul(&weight.dense(x.device())?.t()?.detach())
    }
}

struct Forward {
    weight: FrozenWeight,
}

impl CustomOp1 for Forward {
    fn name(&self) -> &'static str {
        "frozen-matmul"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let Some(pieces) = self.weight.pieces()? else {
            let weight = self.weight.dense(&Device::Cpu)?;
            let (outputs, inputs) = weight.dims2()?;
            let rows = layout.shape().elem_count() / inputs;
            let (held, weight_layout) = weight.storage_and_layout();
            let Storage::Cpu(held) = &*held else { bail!("the weight is not on the CPU") };
            let transposed = weight_layout.transpose(0, 1)?;
            let product = storage.matmul(held, (1, rows, outputs, inputs), layout, &transposed)?;
            return Ok((product, Shape::from((rows, outputs))));
        };
        let (outputs, inputs) = pieces.dims();
        let rows = layout.shape().elem_count() / inputs;
        let parts: Vec<_> = cuts(outputs, inputs, least_columns(rows)).collect();
        let products = parts.par_iter().map_init(Vec::new, |piece, Range { start: first, end }| {
            let count = end - first;
            piece.resize(count * inputs, 0.0);
            pieces.rows(*first, piece)?;
            let held = CpuStorage::F32(std::mem::take(piece));
            let transposed = Layout::contiguous((count, inputs)).transpose(0, 1)?;
            let product = storage.matmul(&held, (1, rows, count, inputs), layout, &transposed)?;
            *piece = values(held)?;
            Ok(product)
        });
        let mut to = vec![0.0; rows * outputs];
        for (part, product) in parts.iter().zip(products.collect::<Result<Vec<_>>>()?) {
            put_columns(&product, part.len(), part.start, &mut to, outputs)?;
        }
        Ok((CpuStorage::F32(to), Shape::from((rows, outputs))))
    }

    fn bwd(&self, _x: &Tensor, _y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        match &self.weight {
            FrozenWeight::Quantized(weight) if grad.device().is_cpu() => {
                grad.contiguous()?.apply_op1_no_bwd(&Backward { weight: weight.clone() }).map(Some)
            }
            weight => grad.matmul(&weight.dense(grad.device())?).map(Some),
        }
    }
}

/// The gradient of `x`: that of `x Wᵀ` times a quantised `W`.
struct Backward {
    weight: Arc<QTensor>,
}

impl CustomOp1 for Backward {
    fn name(&self) -> &'static str {
        "frozen-matmul-backward"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (outputs, inputs) = self.weight.shape().dims2()?;
        let rows = layout.shape().elem_count() / outputs;
        let multiply = |held: &CpuStorage, width: usize| {
            let weight = Layout::contiguous((outputs, width));
            storage.matmul(held, (1, rows, width, outputs), layout, &weight)
        };
        let shape = Shape::from((rows, inputs));
        let Some(pieces) = Pieces::of(&self.weight)? else {
            let weight = self.weight.dequantize(&Device::Cpu)?;
            let (held, _) = weight.storage_and_layout();
            let Storage::Cpu(held) = &*held else { bail!("the weight is not on the CPU") };
            return Ok((multiply(held, inputs)?, shape));
        };
        // Columns, not rows: each value of the product is then one sum, as with the whole weight.
        let block = pieces.block();
        let blocks = inputs / block;
        let least = least_columns(rows).div_ceil(block);
        let parts: Vec<_> = cuts(blocks, outputs * block, least).collect();
        let products = parts.par_iter().map_init(Vec::new, |piece, part| {
            let width = part.len() * block;
            piece.resize(outputs * width, 0.0);
            pieces.columns(part.start, part.len(), piece)?;
            let held = CpuStorage::F32(std::mem::take(piece));
            let product = multiply(&held, width)?;
            *piece = values(held)?;
            Ok(product)
        });
        let mut to = vec![0.0; rows * inputs];
        for (part, product) in parts.iter().zip(products.collect::<Result<Vec<_>>>()?) {
            put_columns(&product, part.len() * block, part.start * block, &mut to, inputs)?;
        }
        Ok((CpuStorage::F32(to), shape))
    }
}

/// Fewest columns of a piece of a product with this number of rows.
///
/// A matrix product sums each value in an order that does not depend on the number of values, except in small products:
/// those of up to 64 rows and columns, and those of up to 256 values. A piece is never that small, so it equals the whole
/// product bit for bit.
fn least_columns(rows: usize) -> usize {
    (256 / rows.max(1)).max(64) + 1
}

/// Cuts `total` items of `values` each into pieces of about [`PIECE_VALUES`] values, as even as possible, with at least
/// `least` items each; into one piece if there are fewer items.
fn cuts(total: usize, values: usize, least: usize) -> impl Iterator<Item = Range<usize>> {
    let count = (total * values).div_ceil(PIECE_VALUES).min(total / least).max(1);
    (0..count).map(move |piece| total * piece / count..total * (piece + 1) / count)
}

/// Writes rows of `count` values into rows of `width`, from column `first` on.
fn put_columns(from: &CpuStorage, count: usize, first: usize, to: &mut [f32], width: usize) -> Result<()> {
    let CpuStorage::F32(from) = from else { bail!("a frozen weight is multiplied in f32 only") };
    for (from, to) in from.chunks_exact(count).zip(to.chunks_exact_mut(width)) {
        to[first..first + count].copy_from_slice(from);
    }
    Ok(())
}

fn values(storage: CpuStorage) -> Result<Vec<f32>> {
    match storage {
        CpuStorage::F32(values) => Ok(values),
        _ => bail!("a frozen weight is dequantised to f32"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Var;
    use candle_core::quantized::GgmlDType;

    #[test]
    fn pieces_are_even_and_never_small() {
        let sizes =
            |total, values, least| cuts(total, values, least).map(|piece| piece.len()).collect::<Vec<_>>();
        assert_eq!(sizes(1200, 416, 65), [600, 600]);
        assert_eq!(sizes(28, 32 * 4864, 3), [3, 3, 3, 3, 3, 3, 3, 3, 4]);
        assert_eq!(sizes(896, 4864, 65), [68, 69, 69, 69, 69, 69, 69, 69, 69, 69, 69, 69, 69]);
        assert_eq!(sizes(4, 1 << 20, 65), [4]);
        assert_eq!((least_columns(1), least_columns(3), least_columns(96)), (257, 86, 65));
    }

    /// A weight in several pieces against the same weight multiplied whole, with few rows and with many.
    #[test]
    fn a_product_in_pieces_equals_the_whole_one() {
        let device = Device::Cpu;
        let sizes = [(1200, 416), (416, 2976), (4864, 416), (416, 2816)];
        for ((outputs, inputs), rows) in sizes.into_iter().flat_map(|size| [1, 2, 9, 70].map(|n| (size, n))) {
            let weight = Tensor::randn(0f32, 1.0, (outputs, inputs), &device).unwrap();
            let x = Var::from_tensor(&Tensor::randn(0f32, 1.0, (rows, inputs), &device).unwrap()).unwrap();
            let slope = Tensor::randn(0f32, 1.0, (rows, outputs), &device).unwrap();
            for kind in [GgmlDType::Q8_0, GgmlDType::Q5_0, GgmlDType::Q4_0, GgmlDType::Q4K, GgmlDType::Q6K] {
                if inputs % kind.block_size() != 0 {
                    continue;
                }
                let stored = QTensor::quantize(&weight, kind).unwrap();
                let dense = FrozenWeight::Dense(Arc::new(stored.dequantize(&device).unwrap()));
                let run = |weight: FrozenWeight| {
                    let y = frozen_matmul(&x, weight).unwrap();
                    let grads = (&y * &slope).unwrap().sum_all().unwrap().backward().unwrap();
                    let bits = |t: &Tensor| -> Vec<u32> {
                        t.flatten_all()
                            .unwrap()
                            .to_vec1::<f32>()
                            .unwrap()
                            .iter()
                            .map(|v| v.to_bits())
                            .collect()
                    };
                    (bits(&y), bits(grads.get(&x).unwrap()))
                };
                let quantized = FrozenWeight::Quantized(Arc::new(stored));
                assert!(run(quantized) == run(dense), "{kind:?}, {rows} rows, {outputs} by {inputs}");
            }
        }
    }
}
