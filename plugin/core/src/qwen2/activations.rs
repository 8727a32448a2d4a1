//! The inputs of a matrix product in 8 bits: 32 values share a scale.

use super::format::{Format, GROUP};
use super::math::quantize_group;

/// Values that share a sum: the smallest group of any format.
const HALF: usize = GROUP / 2;

/// Quantised inputs, one column for each token.
#[derive(Default)]
pub struct Activations {
    length: usize,
    columns: usize,
    codes: Vec<i8>,
    scales: Vec<f32>,
    sums: Vec<i32>,
    weighted: Vec<f32>,
}

/// One column of [`Activations`].
#[derive(Clone, Copy)]
pub struct Column<'a> {
    /// Codes: a value is `code · scale`.
    pub codes: &'a [i8],
    /// Scale of 32 values each.
    pub scales: &'a [f32],
    /// Sum of 32 values each, with their scale.
    pub weighted: &'a [f32],
}

impl Activations {
    /// Quantises `values`, columns of `length` values one after another. Values behind the last whole group of 32 are left
    /// out: a matrix with such rows is not quantised.
    pub fn quantize(&mut self, values: &[f32], length: usize) {
        let groups = length / GROUP;
        self.length = groups * GROUP;
        self.columns = values.len() / length.max(1);
        self.codes.resize(self.columns * self.length, 0);
        self.scales.resize(self.columns * groups, 0.0);
        self.weighted.resize(self.columns * groups, 0.0);
        self.sums.resize(self.columns * groups * 2, 0);
        if groups == 0 {
            return;
        }
        for (column, values) in values.chunks_exact(length).enumerate() {
            let codes = &mut self.codes[column * self.length..][..self.length];
            for (group, (values, codes)) in
                values.chunks_exact(GROUP).zip(codes.chunks_exact_mut(GROUP)).enumerate()
            {
                let at = column * groups + group;
                let scale = quantize_group(values, codes);
                let (low, high) = codes.split_at(HALF);
                let sum = |half: &[i8]| half.iter().map(|code| i32::from(*code)).sum::<i32>();
                let (low, high) = (sum(low), sum(high));
                self.scales[at] = scale;
                self.weighted[at] = scale * (low + high) as f32;
                (self.sums[2 * at], self.sums[2 * at + 1]) = (low, high);
            }
        }
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Values of a column.
    pub fn length(&self) -> usize {
        self.length
    }

    /// One column.
    #[inline]
    pub fn column(&self, column: usize) -> Column<'_> {
        let groups = self.length / GROUP;
        Column {
            codes: &self.codes[column * self.length..][..self.length],
            scales: &self.scales[column * groups..][..groups],
            weighted: &self.weighted[column * groups..][..groups],
        }
    }

    /// `-offset · Σ codes` for each group of a format, column by column: where the integer sum of unsigned codes starts, so
    /// that it ends as that of the signed ones.
    pub fn starts(&self, format: Format) -> Vec<i32> {
        let offset = format.offset();
        let of = |sum: i32| -offset * sum;
        match format.group() {
            HALF => self.sums.iter().map(|sum| of(*sum)).collect(),
            _ => self.sums.chunks_exact(2).map(|pair| of(pair[0] + pair[1])).collect(),
        }
    }
}
