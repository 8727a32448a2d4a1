//! Sixteen rows, unpacked once for many columns.

use super::plain;
use crate::isa::Isa;
use crate::qwen2::activations::Activations;
use crate::qwen2::format::Format;

/// Rows of a tile: one AVX-512 vector of sums.
pub const TILE_ROWS: usize = 16;
/// Columns that are multiplied in one pass: as many sums as fit the registers, with what else is needed.
pub const TILE_COLUMNS: usize = 8;

/// Sums of a pass: `[column][row]`.
pub type TileSums = [[f32; TILE_ROWS]; TILE_COLUMNS];

/// Sixteen rows of a quantised matrix as codes and scales.
///
/// Codes are stored by four: `[length / 4][16 rows][4 codes]`, so that one vector holds four codes of each row. Scales and
/// minima are `[groups][16 rows]`.
pub struct Tile {
    pub(super) format: Format,
    pub(super) length: usize,
    pub(super) codes: Vec<u8>,
    pub(super) scales: Vec<f32>,
    pub(super) minima: Vec<f32>,
}

/// Some columns of the inputs.
pub struct TileInput<'a> {
    /// All columns.
    pub activations: &'a Activations,
    /// Their [`Activations::starts`] for the tile's format.
    pub starts: &'a [i32],
    /// The first column of the pass.
    pub first: usize,
    /// Groups of a column.
    groups: usize,
}

impl<'a> TileInput<'a> {
    /// Inputs for tiles of a format.
    pub fn new(activations: &'a Activations, starts: &'a [i32], format: Format, first: usize) -> Self {
        TileInput { activations, starts, first, groups: activations.length() / format.group() }
    }

    /// Start of the integer sum of a group, in the column `first + column`.
    #[inline]
    pub(super) fn start(&self, column: usize, group: usize) -> i32 {
        self.starts[(self.first + column) * self.groups + group]
    }

    /// The starts of a column.
    #[inline]
    #[cfg_attr(target_arch = "aarch64", allow(dead_code, reason = "used on x86"))]
    pub(super) fn column_starts(&self, column: usize) -> &'a [i32] {
        &self.starts[(self.first + column) * self.groups..][..self.groups]
    }
}

impl Tile {
    /// An empty tile for rows of `length` values.
    ///
    /// # Panics
    /// When the format is a dense one, or rows of this length are no whole blocks.
    pub fn new(format: Format, length: usize) -> Self {
        assert!(format.is_quantized() && length.is_multiple_of(format.block_values()));
        let scales = TILE_ROWS * length / format.group();
        let minima = if format == Format::Q4K { scales } else { 0 };
        Tile {
            format,
            length,
            codes: vec![0; TILE_ROWS * length],
            scales: vec![0.0; scales],
            minima: vec![0.0; minima],
        }
    }

    /// Unpacks consecutive rows. Where there are fewer than sixteen, the last one fills the tile.
    ///
    /// # Panics
    /// When `rows` holds no whole row.
    pub fn load(&mut self, isa: Isa, rows: &[u8]) {
        let row_bytes = self.length / self.format.block_values() * self.format.block_bytes();
        let count = rows.len() / row_bytes;
        assert!(count > 0 && rows.len() == count * row_bytes);
        let rows: [&[u8]; TILE_ROWS] =
            std::array::from_fn(|r| &rows[r.min(count - 1) * row_bytes..][..row_bytes]);
        match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 | Isa::Avx512 => super::avx2::load(self, &rows),
            _ => plain::load(self, &rows),
        }
    }

    /// Products of all rows with `columns` columns (at most [`TILE_COLUMNS`]) from `input.first`.
    ///
    /// # Panics
    /// When the input's columns have another length or are too few.
    pub fn multiply(&self, isa: Isa, input: &TileInput<'_>, columns: usize) -> TileSums {
        assert!(columns <= TILE_COLUMNS && input.first + columns <= input.activations.columns());
        assert!(
            input.activations.length() == self.length && input.groups == self.length / self.format.group()
        );
        match isa {
            Isa::Plain => plain::multiply_tile(self, input, columns),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => super::avx2::multiply_tile(self, input, columns),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => super::avx512::multiply_tile(self, input, columns),
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => super::neon::multiply_tile(self, input, columns),
        }
    }
}
