//! Quantised weights back to `f32`, a few blocks at a time: what fits a core's cache is read again before it is gone.
//!
//! The blocks are those of GGUF files; values come out bit for bit as candle's own dequantisation gives them.

use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Result, bail};
use half::f16;

/// Bytes of a block's scale.
const SCALE_BYTES: usize = 2;

/// Blocks of 32 values that are dequantised here.
#[derive(Clone, Copy)]
enum Kind {
    /// 8 bits a value.
    Q8,
    /// 5 bits a value.
    Q5,
}

/// A quantised matrix, read piece by piece.
pub(super) struct Pieces<'a> {
    bytes: std::borrow::Cow<'a, [u8]>,
    kind: Kind,
    rows: usize,
    /// Blocks of a row.
    row_blocks: usize,
}

impl<'a> Pieces<'a> {
    /// Values of a block.
    pub(super) const BLOCK: usize = 32;

    /// The matrix `weight`; none where it is of a kind that can only be dequantised whole, or not on the CPU.
    ///
    /// # Errors
    /// When it is no matrix.
    pub(super) fn of(weight: &'a QTensor) -> Result<Option<Self>> {
        let kind = match weight.dtype() {
            GgmlDType::Q8_0 => Kind::Q8,
            GgmlDType::Q5_0 => Kind::Q5,
            _ => return Ok(None),
        };
        if !weight.device().is_cpu() {
            return Ok(None);
        }
        let (rows, inputs) = weight.shape().dims2()?;
        Ok(Some(Pieces { bytes: weight.data()?, kind, rows, row_blocks: inputs / Self::BLOCK }))
    }

    /// Rows and columns.
    pub(super) fn dims(&self) -> (usize, usize) {
        (self.rows, self.row_blocks * Self::BLOCK)
    }

    /// Dequantises rows from `first` on, as many as `to` holds.
    ///
    /// # Errors
    /// When there are not that many.
    pub(super) fn rows(&self, first: usize, to: &mut [f32]) -> Result<()> {
        let blocks = to.len() / Self::BLOCK;
        self.blocks(first * self.row_blocks, blocks, to)
    }

    /// Dequantises all rows of the columns of `count` blocks from the block `first` on, row by row into `to`.
    ///
    /// # Errors
    /// When there are not that many, or `to` is of another size.
    pub(super) fn columns(&self, first: usize, count: usize, to: &mut [f32]) -> Result<()> {
        let width = count * Self::BLOCK;
        if first + count > self.row_blocks || to.len() != self.rows * width {
            bail!("{count} blocks from {first} on are not in rows of {} blocks", self.row_blocks);
        }
        to.chunks_exact_mut(width)
            .enumerate()
            .try_for_each(|(row, to)| self.blocks(row * self.row_blocks + first, count, to))
    }

    fn blocks(&self, first: usize, count: usize, to: &mut [f32]) -> Result<()> {
        let size = SCALE_BYTES
            + match self.kind {
                Kind::Q8 => 32,
                Kind::Q5 => 4 + 16,
            };
        let Some(bytes) = self.bytes.get(first * size..(first + count) * size) else {
            bail!("{count} blocks from {first} on are beyond the end of the weight");
        };
        for (block, to) in bytes.chunks_exact(size).zip(to.chunks_exact_mut(Self::BLOCK)) {
            let (scale, values) = block.split_at(SCALE_BYTES);
            let scale = f16::from_le_bytes([scale[0], scale[1]]).to_f32();
            match self.kind {
                Kind::Q8 => q8(values, scale, to),
                Kind::Q5 => q5(values, scale, to),
            }
        }
        Ok(())
    }
}

/// 32 signed bytes.
#[inline]
fn q8(values: &[u8], scale: f32, to: &mut [f32]) {
    for (to, value) in to.iter_mut().zip(values) {
        *to = f32::from(*value as i8) * scale;
    }
}

/// 32 fifth bits, then 16 bytes: the lower half of each is a value of the first half of the block, the upper of the
/// second.
#[inline]
fn q5(values: &[u8], scale: f32, to: &mut [f32]) {
    let (fifth, nibbles) = values.split_at(4);
    let fifth = u32::from_le_bytes([fifth[0], fifth[1], fifth[2], fifth[3]]);
    let (low, high) = to.split_at_mut(16);
    for (at, ((low, high), byte)) in low.iter_mut().zip(high).zip(nibbles).enumerate() {
        let value = |nibble: u8, bit: u32| (i32::from(nibble) | ((bit & 1) << 4) as i32) - 16;
        *low = value(byte & 15, fifth >> at) as f32 * scale;
        *high = value(byte >> 4, fifth >> (at + 16)) as f32 * scale;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Tensor};

    #[test]
    fn pieces_are_those_of_the_whole() {
        let (rows, inputs) = (7, 96);
        let weight = Tensor::randn(0f32, 1.0, (rows, inputs), &Device::Cpu).unwrap();
        for kind in [GgmlDType::Q8_0, GgmlDType::Q5_0] {
            let stored = QTensor::quantize(&weight, kind).unwrap();
            let whole = stored.dequantize(&Device::Cpu).unwrap();
            let flat = |t: Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let pieces = Pieces::of(&stored).unwrap().unwrap();
            assert_eq!(pieces.dims(), (rows, inputs));
            let mut some = vec![0.0; 3 * inputs];
            pieces.rows(2, &mut some).unwrap();
            assert_eq!(some, flat(whole.narrow(0, 2, 3).unwrap()), "{kind:?}");
            let mut some = vec![0.0; rows * 64];
            pieces.columns(1, 2, &mut some).unwrap();
            assert_eq!(some, flat(whole.narrow(1, 32, 64).unwrap()), "{kind:?}");
            assert!(pieces.rows(5, &mut vec![0.0; 3 * inputs]).is_err());
            assert!(pieces.columns(2, 2, &mut some).is_err());
        }
        let other = QTensor::quantize(&weight, GgmlDType::Q4_0).unwrap();
        assert!(Pieces::of(&other).unwrap().is_none());
    }
}
