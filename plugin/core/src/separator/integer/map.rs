//! Maps as codes of 16 bits.

use super::norm::{Norm, Rule, code, peak};
use crate::separator::convolution::Shape;

/// Rows and columns of zeros before a map.
pub const BORDER_BEFORE: usize = 1;
/// Rows and columns of zeros after it.
pub const BORDER_AFTER: usize = 2;

/// A map as codes: `[rows, columns, channels]` with a border of zeros. A value is its code times the map's scale.
#[derive(Default)]
pub struct CodedMap {
    codes: Vec<i16>,
    shape: Option<Shape>,
    scale: f32,
}

impl CodedMap {
    /// Replaces the map by the values of `from`, `[rows, columns, channels]`. The largest of them gets `largest_code`.
    pub fn fill<R: Rule>(&mut self, from: &[f32], shape: Shape, largest_code: i16, norm: &Norm<R>) {
        assert_eq!(from.len(), shape.values());
        self.scale = peak(from, norm) / f32::from(largest_code);
        let per_scale = reciprocal(self.scale);
        self.reshape(shape);
        for (from, to) in from.chunks_exact(shape.columns * shape.channels).zip(self.rows_mut()) {
            code(from, norm, per_scale, None, to);
        }
    }

    /// Replaces the map by what the codes of `coarse` leave of the same values. Both together have twice as many bits.
    pub fn fill_with_rest_of<R: Rule>(
        &mut self,
        coarse: &CodedMap,
        from: &[f32],
        shape: Shape,
        largest_code: i16,
        norm: &Norm<R>,
    ) {
        assert!(from.len() == shape.values() && coarse.shape == Some(shape));
        // At most half a code is left.
        self.scale = coarse.scale * 0.5 / f32::from(largest_code);
        let per_scale = reciprocal(self.scale);
        self.reshape(shape);
        let from = from.chunks_exact(shape.columns * shape.channels);
        for ((from, less), to) in from.zip(coarse.rows()).zip(self.rows_mut()) {
            code(from, norm, per_scale, Some((less, coarse.scale)), to);
        }
    }

    /// Makes room for a map, with zeros around it.
    fn reshape(&mut self, shape: Shape) {
        if self.shape != Some(shape) {
            // The border is never written, so that it is cleared only here.
            self.codes.clear();
            self.codes.resize((shape.rows + BORDER_BEFORE + BORDER_AFTER) * row_codes(shape), 0);
            self.shape = Some(shape);
        }
    }

    /// The rows, without the border.
    fn rows(&self) -> impl Iterator<Item = &[i16]> {
        let (row_codes, inner) = self.layout();
        self.codes.chunks_exact(row_codes).skip(BORDER_BEFORE).map(move |row| &row[inner.clone()])
    }

    /// The rows of the map and those after it, without the border's columns.
    fn rows_mut(&mut self) -> impl Iterator<Item = &mut [i16]> {
        let (row_codes, inner) = self.layout();
        self.codes.chunks_exact_mut(row_codes).skip(BORDER_BEFORE).map(move |row| &mut row[inner.clone()])
    }

    /// Codes of a row, and which of them are not the border's.
    fn layout(&self) -> (usize, std::ops::Range<usize>) {
        let shape = self.shape.unwrap_or(Shape { channels: 1, rows: 0, columns: 0 });
        let start = BORDER_BEFORE * shape.channels;
        (row_codes(shape), start..start + shape.columns * shape.channels)
    }

    /// Its shape, without the border; nothing before the first [`CodedMap::fill`].
    pub fn shape(&self) -> Option<Shape> {
        self.shape
    }

    /// Codes from one row to the next.
    pub fn row_codes(&self) -> usize {
        self.layout().0
    }

    /// The codes, with the border.
    pub fn codes(&self) -> &[i16] {
        &self.codes
    }

    /// What a code of 1 is worth.
    pub fn scale(&self) -> f32 {
        self.scale
    }
}

/// Codes of a row with its border.
fn row_codes(shape: Shape) -> usize {
    (shape.columns + BORDER_BEFORE + BORDER_AFTER) * shape.channels
}

/// 1 / scale, or zero for a map of zeros.
fn reciprocal(scale: f32) -> f32 {
    if scale > 0.0 { 1.0 / scale } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_become_codes_inside_a_border_of_zeros() {
        let shape = Shape { channels: 2, rows: 1, columns: 8 };
        let mut from = [0.0; 16];
        (from[0], from[1], from[2]) = (1.0, 2.0, -0.26);
        let mut map = CodedMap::default();
        for _ in 0..2 {
            map.fill(&from, shape, 100, &Norm::none());
            let row = |n: usize| &map.codes()[n * 22..][..22];
            assert_eq!(map.codes().len(), 4 * 22);
            assert_eq!(row(1)[..6], [0, 0, 50, 100, -13, 0]);
            assert!([0, 2, 3].iter().all(|n| row(*n).iter().all(|code| *code == 0)));
        }
        assert!((map.scale() - 0.02).abs() < 1e-9);
        let mut rest = CodedMap::default();
        rest.fill_with_rest_of(&map, &from, shape, 100, &Norm::none());
        let value =
            f32::from(map.codes()[22 + 4]) * map.scale() + f32::from(rest.codes()[22 + 4]) * rest.scale();
        assert!((value + 0.26).abs() < 1e-4, "{value}");
    }

    #[test]
    fn silence_has_codes_of_zero() {
        let shape = Shape { channels: 16, rows: 1, columns: 1 };
        let mut map = CodedMap::default();
        map.fill(&[0.0; 16], shape, 100, &Norm::none());
        assert!(map.codes().iter().all(|code| *code == 0));
    }
}
