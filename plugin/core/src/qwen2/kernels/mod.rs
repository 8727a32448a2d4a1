//! Products of quantised rows with 8-bit inputs, for each kind of processor.
//!
//! All kernels compute the same: the sum of `code · input code` over a group is an exact integer, which is then multiplied by
//! both scales in single precision. Only the order of the last additions differs.
//!
//! | file | for |
//! | --- | --- |
//! | [`plain`] | every processor |
//! | `unpack_x86` | codes of a block as vectors, AVX2 |
//! | `avx2` | x86 since 2013 |
//! | `avx512` | x86 with AVX-512 VNNI |
//! | `neon` | ARM, 64 bits |

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
pub mod plain;
mod tile;
#[cfg(target_arch = "x86_64")]
mod unpack_x86;

use crate::isa::Isa;
pub use tile::{TILE_COLUMNS, TILE_ROWS, Tile, TileInput, TileSums};

use super::activations::Column;
use super::format::Format;

impl Isa {
    /// Products of consecutive rows of `row_bytes` with one column, one for each entry of `sums`. `starts` are those of
    /// [`Activations::starts`](super::activations::Activations::starts) for this column.
    ///
    /// # Panics
    /// When the sizes do not fit each other, or the format is a dense one.
    pub fn multiply_rows(
        self,
        format: Format,
        (rows, row_bytes): (&[u8], usize),
        column: Column<'_>,
        starts: &[i32],
        sums: &mut [f32],
    ) {
        let groups = column.codes.len() / format.group();
        assert!(format.is_quantized() && format.row_bytes(column.codes.len()) == Some(row_bytes));
        assert!(rows.len() == sums.len() * row_bytes && starts.len() == groups);
        match self {
            Isa::Plain => plain::multiply_rows(format, (rows, row_bytes), column, starts, sums),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => avx2::multiply_rows(format, (rows, row_bytes), column, starts, sums),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => avx512::multiply_rows(format, (rows, row_bytes), column, starts, sums),
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => neon::multiply_rows(format, (rows, row_bytes), column, starts, sums),
        }
    }
}
