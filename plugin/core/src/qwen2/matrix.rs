//! A weight matrix as a part of its file.

use super::files::Span;
use super::format::Format;
use super::unpack::dense_row;

/// A matrix of `rows × columns`, row-major; a row is one output of a linear layer, or one token's embedding.
#[derive(Clone)]
pub struct Matrix {
    format: Format,
    rows: usize,
    columns: usize,
    row_bytes: usize,
    span: Span,
}

impl Matrix {
    /// A matrix over `span`; none where the sizes do not fit it.
    pub fn new(format: Format, (rows, columns): (usize, usize), span: Span) -> Option<Self> {
        let row_bytes = format.row_bytes(columns)?;
        let fits = rows > 0 && columns > 0 && rows.checked_mul(row_bytes)? == span.bytes().len();
        fits.then_some(Matrix { format, rows, columns, row_bytes, span })
    }

    /// How the values are stored.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Bytes of one row.
    pub fn row_bytes(&self) -> usize {
        self.row_bytes
    }

    /// The stored bytes of all rows.
    pub fn bytes(&self) -> &[u8] {
        self.span.bytes()
    }

    /// The stored bytes of a row.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn row(&self, row: usize) -> &[u8] {
        &self.bytes()[row * self.row_bytes..(row + 1) * self.row_bytes]
    }

    /// Writes a row's values into `to`, which holds [`Matrix::columns`] values.
    ///
    /// # Panics
    /// When there is no such row or `to` has another length.
    pub fn dense_row(&self, row: usize, to: &mut [f32]) {
        dense_row(self.format, self.row(row), to);
    }

    /// All values.
    pub fn dense(&self) -> Vec<f32> {
        let mut values = vec![0.0; self.rows * self.columns];
        for (row, to) in values.chunks_exact_mut(self.columns).enumerate() {
            self.dense_row(row, to);
        }
        values
    }
}
