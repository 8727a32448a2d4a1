//! Quantised weights back to `f32`, a few blocks at a time, so that the values are still in a core's cache when they are
//! used.
//!
//! The blocks are those of GGUF files; values equal those of candle's own dequantisation bit for bit.

mod blocks;

use blocks::Kind;
use candle_core::quantized::QTensor;
use candle_core::{Result, bail};

/// A quantised matrix, read piece by piece.
pub(super) struct Pieces<'a> {
    bytes: std::borrow::Cow<'a, [u8]>,
    kind: Kind,
    rows: usize,
    /// Blocks of a row.
    row_blocks: usize,
}

impl<'a> Pieces<'a> {
    /// The matrix `weight`; none if its type can only be dequantised whole, or it is not on the CPU.
    ///
    /// # Errors
    /// When it is not a matrix.
    pub(super) fn of(weight: &'a QTensor) -> Result<Option<Self>> {
        let Some(kind) = Kind::of(weight.dtype()).filter(|_| weight.device().is_cpu()) else {
            return Ok(None);
        };
        let (rows, inputs) = weight.shape().dims2()?;
        Ok(Some(Pieces { bytes: weight.data()?, kind, rows, row_blocks: inputs / kind.values() }))
    }

    /// Values per block: columns are read in multiples of it.
    pub(super) fn block(&self) -> usize {
        self.kind.values()
    }

    /// Rows and columns.
    pub(super) fn dims(&self) -> (usize, usize) {
        (self.rows, self.row_blocks * self.block())
    }

    /// Dequantises rows from `first` on, as many as `to` holds.
    ///
    /// # Errors
    /// When the matrix has fewer rows.
    pub(super) fn rows(&self, first: usize, to: &mut [f32]) -> Result<()> {
        let blocks = to.len() / self.block();
        self.blocks(first * self.row_blocks, blocks, to)
    }

    /// Dequantises all rows of the columns of `count` blocks from the block `first` on, row by row into `to`.
    ///
    /// # Errors
    /// When the matrix has fewer blocks, or `to` is of another size.
    pub(super) fn columns(&self, first: usize, count: usize, to: &mut [f32]) -> Result<()> {
        let width = count * self.block();
        if first + count > self.row_blocks || to.len() != self.rows * width {
            bail!("{count} blocks from {first} on are not in rows of {} blocks", self.row_blocks);
        }
        to.chunks_exact_mut(width)
            .enumerate()
            .try_for_each(|(row, to)| self.blocks(row * self.row_blocks + first, count, to))
    }

    fn blocks(&self, first: usize, count: usize, to: &mut [f32]) -> Result<()> {
        let size = self.kind.bytes();
        let Some(bytes) = self.bytes.get(first * size..(first + count) * size) else {
            bail!("{count} blocks from {first} on are beyond the end of the weight");
        };
        blocks::decode(self.kind, bytes, to);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::quantized::GgmlDType;
    use candle_core::{Device, Tensor};

    #[test]
    fn pieces_are_those_of_the_whole() {
        let (rows, blocks) = (7, 3);
        for kind in [GgmlDType::Q8_0, GgmlDType::Q5_0, GgmlDType::Q4K, GgmlDType::Q6K] {
            let block = kind.block_size();
            let inputs = blocks * block;
            let weight = Tensor::randn(0f32, 1.0, (rows, inputs), &Device::Cpu).unwrap();
            let stored = QTensor::quantize(&weight, kind).unwrap();
            let whole = stored.dequantize(&Device::Cpu).unwrap();
            let flat = |t: Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let pieces = Pieces::of(&stored).unwrap().unwrap();
            assert_eq!((pieces.dims(), pieces.block()), ((rows, inputs), block));
            let mut some = vec![0.0; 3 * inputs];
            pieces.rows(2, &mut some).unwrap();
            assert_eq!(some, flat(whole.narrow(0, 2, 3).unwrap()), "{kind:?}");
            let mut some = vec![0.0; rows * 2 * block];
            pieces.columns(1, 2, &mut some).unwrap();
            assert_eq!(some, flat(whole.narrow(1, block, 2 * block).unwrap()), "{kind:?}");
            assert!(pieces.rows(5, &mut vec![0.0; 3 * inputs]).is_err());
            assert!(pieces.columns(2, 2, &mut some).is_err());
        }
        let weight = Tensor::randn(0f32, 1.0, (rows, 64), &Device::Cpu).unwrap();
        let other = QTensor::quantize(&weight, GgmlDType::Q4_0).unwrap();
        assert!(Pieces::of(&other).unwrap().is_none());
    }
}
