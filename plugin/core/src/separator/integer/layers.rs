//! The layers between the first and the last, with their kernels packed.

use super::convolve::{Placement, convolve};
use super::map::CodedMap;
use super::packed::Packed;
use crate::isa::Isa;
use crate::separator::convolution::{KERNEL, Shape, TAPS};
use crate::separator::weights::{After, Coded, rectified};

/// A convolution of 5×5 with a stride of two.
pub struct Strided {
    kernel: Packed,
}

impl Strided {
    /// From a kernel `[outputs, inputs, 5, 5]`.
    pub fn new(kernel: &Coded) -> Self {
        let inputs = kernel.codes.len() / (kernel.scales.len() * TAPS);
        let taps = (0..TAPS).map(|tap| (tap / KERNEL, tap % KERNEL)).collect();
        let code = |output, input, tap| kernel.codes[(output * inputs + input) * TAPS + tap];
        Strided { kernel: Packed::new(&kernel.scales, inputs, taps, code) }
    }

    /// The largest code of its input.
    pub fn largest_code(&self) -> i16 {
        self.kernel.largest_code()
    }

    /// Replaces `results` by the convolution of the sum of `inputs`, with a bias, `[rows, columns, outputs]`, and returns
    /// their shape.
    pub fn run(
        &self,
        isa: Isa,
        inputs: &[CodedMap],
        shape: Shape,
        bias: &[f32],
        results: &mut Vec<f32>,
    ) -> Shape {
        let next = shape.halved(self.kernel.outputs());
        fill_with(bias, next.area(), results);
        let place = Placement {
            rows: next.rows,
            columns: next.columns,
            step: 2,
            start: 0,
            row_values: next.columns * next.channels,
            column_values: next.channels,
        };
        for input in inputs {
            convolve(isa, &self.kernel, input, &place, results);
        }
        next
    }
}

/// A transposed convolution of 5×5 with a stride of two, over two maps whose channels follow each other.
pub struct Transposed {
    /// For each map, the kernels for even and odd rows and columns of the results.
    maps: Vec<[[Packed; 2]; 2]>,
}

impl Transposed {
    /// From a kernel `[inputs, outputs, 5, 5]`, for as many maps.
    pub fn new(kernel: &Coded, maps: usize) -> Self {
        let outputs = kernel.scales.len();
        let inputs = kernel.codes.len() / (outputs * TAPS * maps);
        let packed = |map: usize, row: usize, column: usize| {
            let (rows, columns) = (taps_of(row), taps_of(column));
            let pairs = || rows.iter().flat_map(|i| columns.iter().map(move |j| (i, j)));
            let kernel_taps: Vec<usize> =
                pairs().map(|((tap_i, _), (tap_j, _))| tap_i * KERNEL + tap_j).collect();
            let places = pairs().map(|((_, row), (_, column))| (*row, *column)).collect();
            Packed::new(&kernel.scales, inputs, places, |output, input, tap| {
                kernel.codes[((map * inputs + input) * outputs + output) * TAPS + kernel_taps[tap]]
            })
        };
        let parities = |map| [0, 1].map(|row| [0, 1].map(|column| packed(map, row, column)));
        Transposed { maps: (0..maps).map(parities).collect() }
    }

    /// The largest code of a map, 0 for the first.
    pub fn largest_code(&self, map: usize) -> i16 {
        self.maps[map].iter().flatten().map(Packed::largest_code).min().unwrap_or(i16::MAX)
    }

    /// Replaces `results` by the transposed convolution with a bias, `[rows, columns, outputs]`, and returns their shape.
    pub fn run(
        &self,
        isa: Isa,
        inputs: &[&CodedMap],
        shape: Shape,
        bias: &[f32],
        results: &mut Vec<f32>,
    ) -> Shape {
        let double = shape.doubled(bias.len());
        fill_with(bias, double.area(), results);
        let row_values = double.columns * double.channels;
        for (input, parities) in inputs.iter().zip(&self.maps) {
            for (row, parities) in parities.iter().enumerate() {
                for (column, kernel) in parities.iter().enumerate() {
                    let place = Placement {
                        rows: shape.rows,
                        columns: shape.columns,
                        step: 1,
                        start: row * row_values + column * double.channels,
                        row_values: 2 * row_values,
                        column_values: 2 * double.channels,
                    };
                    convolve(isa, kernel, input, &place, results);
                }
            }
        }
        double
    }
}

/// The taps of a side that reach even or odd results, and the position within the border that each of them reads.
///
/// An input at `r` reaches the results `2r + tap - 1`. So an even result at `2u` gets tap 1 of the input at u and tap 3 of the
/// one before, an odd result at `2u + 1` taps 0, 2 and 4 of the inputs at u + 1, u and u - 1.
fn taps_of(parity: usize) -> &'static [(usize, usize)] {
    if parity == 0 { &[(1, 1), (3, 0)] } else { &[(0, 2), (2, 1), (4, 0)] }
}

/// The last transposed convolution, which has one output: each of its taps is computed like an output, and they are added up.
pub struct Single {
    maps: Vec<Packed>,
}

impl Single {
    /// From a kernel `[inputs, 1, 5, 5]`, for as many maps.
    pub fn new(kernel: &Coded, maps: usize) -> Self {
        let inputs = kernel.codes.len() / (TAPS * maps);
        let scales = [kernel.scales[0]; TAPS];
        let packed = |map: usize| {
            let code = |output, input, _| kernel.codes[(map * inputs + input) * TAPS + output];
            Packed::new(&scales, inputs, vec![(1, 1)], code)
        };
        Single { maps: (0..maps).map(packed).collect() }
    }

    /// The largest code of a map, 0 for the first.
    pub fn largest_code(&self, map: usize) -> i16 {
        self.maps[map].largest_code()
    }

    /// Replaces `results`, a buffer, and `output`, `[1, rows, columns]`, rectified and normalised.
    pub fn run(
        &self,
        isa: Isa,
        inputs: &[&CodedMap],
        shape: Shape,
        after: &After,
        results: &mut Vec<f32>,
        output: &mut Vec<f32>,
    ) -> Shape {
        let double = shape.doubled(1);
        let taps = self.maps[0].padded_outputs();
        results.clear();
        results.resize(shape.area() * taps, 0.0);
        let place = Placement {
            rows: shape.rows,
            columns: shape.columns,
            step: 1,
            start: 0,
            row_values: shape.columns * taps,
            column_values: taps,
        };
        for (input, kernel) in inputs.iter().zip(&self.maps) {
            convolve(isa, kernel, input, &place, results);
        }
        output.resize(double.values(), 0.0);
        // A row of results with the two values that are cropped at its ends.
        let mut sums = vec![0.0; double.columns + 3];
        for (row, output) in output.chunks_exact_mut(double.columns).enumerate() {
            sums.fill(after.bias[0]);
            for (tap, border_row) in taps_of(row % 2) {
                let Some(from) = (row / 2 + border_row).checked_sub(1).filter(|from| *from < shape.rows)
                else {
                    continue;
                };
                let from = &results[from * shape.columns * taps..][..shape.columns * taps];
                for (column, from) in from.chunks_exact(taps).enumerate() {
                    let to = &mut sums[2 * column..][..KERNEL];
                    to.iter_mut().zip(&from[tap * KERNEL..]).for_each(|(to, from)| *to += from);
                }
            }
            for (to, sum) in output.iter_mut().zip(&sums[1..]) {
                *to = rectified(*sum, after.scale[0], after.offset[0]);
            }
        }
        double
    }
}

fn fill_with(bias: &[f32], count: usize, results: &mut Vec<f32>) {
    results.clear();
    for _ in 0..count {
        results.extend_from_slice(bias);
    }
}
