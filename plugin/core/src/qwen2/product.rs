//! The product of a weight matrix with a few columns of inputs.

use super::activations::Activations;
use super::kernels::{TILE_COLUMNS, TILE_ROWS, Tile, TileInput};
use super::matrix::Matrix;
use super::team::Team;
use crate::isa::Isa;
use gemm::Parallelism;

/// From this number of columns on, rows are unpacked once for all of them.
const TILES_FROM: usize = 3;
/// Rows that are made dense at once: with 4,864 columns, 0.6 MB.
const DENSE_ROWS: usize = 32;
/// Rows of a part for one thread: a multiple of both, so that no part splits a tile.
const PART_ROWS: usize = 32;

/// How exactly products are computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// Inputs of quantised matrices in 8 bits, as llama.cpp.
    #[default]
    Fast,
    /// Everything in single precision: to compare with, and several times slower.
    Exact,
}

/// What runs a product.
pub struct Runner<'a> {
    /// Instructions.
    pub isa: Isa,
    /// Threads.
    pub team: &'a Team<'a>,
    /// Precision.
    pub precision: Precision,
}

/// Inputs of a product: columns, and their form in 8 bits.
#[derive(Default)]
pub struct Inputs {
    values: Vec<f32>,
    length: usize,
    activations: Activations,
}

impl Inputs {
    /// Room for `columns` of `length` values, to be filled; then call [`Inputs::finish`].
    pub fn values_mut(&mut self, columns: usize, length: usize) -> &mut [f32] {
        self.length = length;
        self.values.resize(columns * length, 0.0);
        &mut self.values
    }

    /// The values.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.values.len() / self.length.max(1)
    }

    /// Values of a column.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Quantises what was filled in.
    pub fn finish(&mut self, precision: Precision) {
        if precision == Precision::Fast {
            self.activations.quantize(&self.values, self.length);
        }
    }
}

/// Where threads write their rows.
struct Output {
    start: *mut f32,
    rows: usize,
    columns: usize,
}

// SAFETY: threads write different rows; see `Output::write`.
unsafe impl Sync for Output {}

impl Output {
    /// Writes `values` to the rows from `row` of a column.
    ///
    /// # Safety
    /// No other thread may use these rows at the same time.
    unsafe fn write(&self, column: usize, row: usize, values: &[f32]) {
        assert!(column < self.columns && row + values.len() <= self.rows);
        // SAFETY: inside of the output by the check above, and nobody else's by the caller's promise.
        let to =
            unsafe { std::slice::from_raw_parts_mut(self.start.add(column * self.rows + row), values.len()) };
        to.copy_from_slice(values);
    }
}

impl Runner<'_> {
    /// `out[column][row] = Σ matrix[row][i] · inputs[column][i]`.
    ///
    /// # Panics
    /// When the sizes do not fit each other.
    pub fn multiply(&self, matrix: &Matrix, inputs: &Inputs, out: &mut [f32]) {
        let (rows, columns) = (matrix.rows(), inputs.columns());
        assert!(inputs.length == matrix.columns() && out.len() == rows * columns);
        let output = Output { start: out.as_mut_ptr(), rows, columns };
        if self.precision == Precision::Exact || !matrix.format().is_quantized() {
            self.multiply_dense(matrix, inputs, &output);
        } else if columns < TILES_FROM {
            self.multiply_rows(matrix, inputs, &output);
        } else {
            self.multiply_tiles(matrix, inputs, &output);
        }
    }

    fn multiply_rows(&self, matrix: &Matrix, inputs: &Inputs, output: &Output) {
        let (format, activations) = (matrix.format(), &inputs.activations);
        let starts = activations.starts(format);
        let groups = matrix.columns() / format.group();
        self.team.split(matrix.rows(), PART_ROWS, &|part| {
            let bytes = &matrix.bytes()[part.start * matrix.row_bytes()..part.end * matrix.row_bytes()];
            let mut sums = vec![0.0; part.len()];
            for column in 0..activations.columns() {
                self.isa.multiply_rows(
                    format,
                    (bytes, matrix.row_bytes()),
                    activations.column(column),
                    &starts[column * groups..][..groups],
                    &mut sums,
                );
                // SAFETY: the parts of a split are different rows.
                unsafe { output.write(column, part.start, &sums) };
            }
        });
    }

    fn multiply_tiles(&self, matrix: &Matrix, inputs: &Inputs, output: &Output) {
        let (format, activations) = (matrix.format(), &inputs.activations);
        let (starts, columns) = (activations.starts(format), activations.columns());
        self.team.split(matrix.rows(), PART_ROWS, &|part| {
            let mut tile = Tile::new(format, matrix.columns());
            for row in part.clone().step_by(TILE_ROWS) {
                let count = TILE_ROWS.min(part.end - row);
                tile.load(
                    self.isa,
                    &matrix.bytes()[row * matrix.row_bytes()..(row + count) * matrix.row_bytes()],
                );
                for first in (0..columns).step_by(TILE_COLUMNS) {
                    let some = TILE_COLUMNS.min(columns - first);
                    let input = TileInput::new(activations, &starts, format, first);
                    let sums = tile.multiply(self.isa, &input, some);
                    for (column, sums) in sums.iter().enumerate().take(some) {
                        // SAFETY: the parts of a split are different rows.
                        unsafe { output.write(first + column, row, &sums[..count]) };
                    }
                }
            }
        });
    }

    fn multiply_dense(&self, matrix: &Matrix, inputs: &Inputs, output: &Output) {
        let (length, columns) = (matrix.columns(), inputs.columns());
        self.team.split(matrix.rows(), PART_ROWS, &|part| {
            let mut dense = vec![0.0; DENSE_ROWS * length];
            let mut sums = vec![0.0; DENSE_ROWS * columns];
            for row in part.clone().step_by(DENSE_ROWS) {
                let count = DENSE_ROWS.min(part.end - row);
                for (n, to) in dense.chunks_exact_mut(length).enumerate().take(count) {
                    matrix.dense_row(row + n, to);
                }
                multiply_by_transposed(
                    &inputs.values,
                    &dense[..count * length],
                    length,
                    &mut sums[..count * columns],
                );
                for (column, sums) in sums[..count * columns].chunks_exact(count).enumerate() {
                    // SAFETY: the parts of a split are different rows.
                    unsafe { output.write(column, row, sums) };
                }
            }
        });
    }
}

/// `out = a · bᵀ` for row-major matrices with rows of `length` values, on this thread.
///
/// # Panics
/// When the sizes do not fit each other.
pub fn multiply_by_transposed(a: &[f32], b: &[f32], length: usize, out: &mut [f32]) {
    let (m, n) = (a.len() / length, b.len() / length);
    assert!(a.len() == m * length && b.len() == n * length && out.len() == m * n);
    // SAFETY: the sizes were checked, and the strides are those of row-major matrices.
    unsafe {
        gemm::gemm(
            m,
            n,
            length,
            out.as_mut_ptr(),
            1,
            n as isize,
            false,
            a.as_ptr(),
            1,
            length as isize,
            b.as_ptr(),
            length as isize,
            1,
            0.0,
            1.0,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}
