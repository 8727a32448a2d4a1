//! A convolution over a map of codes, tile by tile.

use super::kernels::TileInput;
use super::map::CodedMap;
use super::packed::{Packed, TILE_VALUES};
use crate::isa::Isa;

/// Which positions a convolution reads, and where its results belong.
#[derive(Clone, Copy)]
pub struct Placement {
    /// Rows and columns of the results.
    pub rows: usize,
    /// See `rows`; a multiple of sixteen.
    pub columns: usize,
    /// Rows and columns of the input from one result to the next.
    pub step: usize,
    /// Where the first result's first channel is written.
    pub start: usize,
    /// Values from one row of results to the next.
    pub row_values: usize,
    /// Values from one result to the next.
    pub column_values: usize,
}

/// Convolves `input` with `kernel` and adds the results to what `output` holds.
///
/// Results are `[rows, columns, outputs]` with the placement's distances; a kernel whose outputs do not fill its last block
/// writes what fills it, too.
///
/// # Panics
/// When a size does not fit another.
pub fn convolve(isa: Isa, kernel: &Packed, input: &CodedMap, place: &Placement, output: &mut [f32]) {
    let Some(shape) = input.shape() else { return };
    let pixels = TILE_VALUES / kernel.block();
    let row_codes = input.row_codes();
    assert!(shape.channels == kernel.inputs() && place.columns.is_multiple_of(pixels));
    let taps: Vec<usize> =
        kernel.taps().iter().map(|(row, column)| row * row_codes + column * shape.channels).collect();
    // The last values that are read and written.
    let furthest = taps.iter().max().copied().unwrap_or(0) + shape.channels;
    let last_input =
        (place.rows - 1) * place.step * row_codes + (place.columns - 1) * place.step * shape.channels;
    assert!(last_input + furthest <= input.codes().len(), "the kernel reads outside the map");
    let last_output =
        place.start + (place.rows - 1) * place.row_values + (place.columns - 1) * place.column_values;
    assert!(last_output + kernel.padded_outputs() <= output.len(), "the results do not fit");
    let pixel_codes = place.step * shape.channels;
    let mut scales = [0.0; 32];
    for (first, codes, block_scales) in kernel.blocks() {
        for (to, from) in scales.iter_mut().zip(block_scales) {
            *to = from * input.scale();
        }
        for row in 0..place.rows {
            for column in (0..place.columns).step_by(pixels) {
                let at = row * place.step * row_codes + column * pixel_codes;
                let to = place.start + row * place.row_values + column * place.column_values + first;
                let tile = TileInput {
                    input: &input.codes()[at..],
                    pixel_codes,
                    taps: &taps,
                    inputs: shape.channels,
                    codes,
                    scales: &scales[..kernel.block()],
                };
                // SAFETY: the two assertions above hold for every tile of the map.
                unsafe { isa.add_tile(&tile, output[to..].as_mut_ptr(), place.column_values) };
            }
        }
    }
}
