//! The three convolutions of the network, each computed as matrix products over blocks that fit the cache.
//!
//! Maps are `[channels, rows, columns]`, row-major. With a stride of two, even and odd columns are stored separately:
//! then every tap of a kernel reads and writes contiguous values. Matrix products run on the calling thread only.

use super::weights::{After, rectified};
use gemm::Parallelism;

/// Rows and columns of the strided and transposed kernels.
pub const KERNEL: usize = 5;
/// Taps of such a kernel.
pub const TAPS: usize = KERNEL * KERNEL;
/// Values of a block that a matrix product reads or writes: a mebibyte, which fits the second cache of most cores.
const BLOCK_VALUES: usize = 1 << 18;

/// A map: `[channels, rows, columns]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Channels.
    pub channels: usize,
    /// Frames.
    pub rows: usize,
    /// Bins.
    pub columns: usize,
}

impl Shape {
    /// Values of one channel.
    pub const fn area(self) -> usize {
        self.rows * self.columns
    }

    /// Values of the map.
    pub const fn values(self) -> usize {
        self.channels * self.area()
    }

    /// The shape after a convolution with a stride of two.
    pub const fn halved(self, channels: usize) -> Shape {
        Shape { channels, rows: self.rows / 2, columns: self.columns / 2 }
    }

    /// The shape after a transposed convolution with a stride of two.
    pub const fn doubled(self, channels: usize) -> Shape {
        Shape { channels, rows: self.rows * 2, columns: self.columns * 2 }
    }
}

/// Buffers that all layers use in turn.
#[derive(Default)]
pub struct Scratch {
    even: Vec<f32>,
    odd: Vec<f32>,
    block: Vec<f32>,
}

/// `c[m, n] = a[m, k] · b[k, n]`, each with its row and column stride, on this thread.
///
/// # Safety
/// The buffers must hold all elements that the sizes and strides address.
unsafe fn multiply(
    (m, k, n): (usize, usize, usize),
    (a, a_row, a_column): (*const f32, usize, usize),
    (b, b_row): (*const f32, usize),
    (c, c_row): (*mut f32, usize),
) {
    // SAFETY: the caller's promise; rows of b and c are contiguous.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            c,
            1,
            c_row as isize,
            false,
            a,
            a_column as isize,
            a_row as isize,
            b,
            1,
            b_row as isize,
            0.0,
            1.0,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

/// A convolution of 5×5 with a stride of two, one value of padding before and two after.
///
/// `weights` is `[outputs, inputs, 5, 5]`, `output` a map of `input.halved(outputs)`; both sides of `input` are even.
pub fn strided(
    input: &[f32],
    shape: Shape,
    weights: &[f32],
    bias: &[f32],
    output: &mut [f32],
    scratch: &mut Scratch,
) {
    let outputs = bias.len();
    let half = shape.halved(outputs);
    let (inner, columns) = (shape.channels * TAPS, half.columns);
    assert!(input.len() == shape.values() && output.len() == half.values());
    assert!(
        weights.len() == outputs * inner && shape.rows.is_multiple_of(2) && shape.columns.is_multiple_of(2)
    );
    split_columns(input, shape, &mut scratch.even, &mut scratch.odd);
    let rows = (BLOCK_VALUES / (inner * columns)).clamp(1, half.rows);
    scratch.block.resize(inner * rows * columns, 0.0);
    for first in (0..half.rows).step_by(rows) {
        let count = rows.min(half.rows - first);
        let width = count * columns;
        for channel in 0..shape.channels {
            for i in 0..KERNEL {
                for row in 0..count {
                    let at = 2 * (first + row) + i;
                    let source =
                        (1..=shape.rows).contains(&at).then(|| (channel * shape.rows + at - 1) * columns);
                    for j in 0..KERNEL {
                        let to = ((channel * KERNEL + i) * KERNEL + j) * width + row * columns;
                        let to = &mut scratch.block[to..to + columns];
                        let Some(source) = source else {
                            to.fill(0.0);
                            continue;
                        };
                        // Column 2w + j - 1 of the input, for all w.
                        let from = if j % 2 == 0 { &scratch.odd } else { &scratch.even };
                        shift(&from[source..source + columns], j.div_ceil(2) as isize - 1, to);
                    }
                }
            }
        }
        let start = first * columns;
        // SAFETY: a is [outputs, inner], b [inner, width], and c has `width` values from `start` in each of its rows.
        unsafe {
            multiply(
                (outputs, inner, width),
                (weights.as_ptr(), inner, 1),
                (scratch.block.as_ptr(), width),
                (output.as_mut_ptr().add(start), half.area()),
            );
        }
    }
    for (channel, bias) in output.chunks_exact_mut(half.area()).zip(bias) {
        channel.iter_mut().for_each(|value| *value += bias);
    }
}

/// `to[w] = from[w + by]`, zero outside; `by` is -1, 0 or 1.
fn shift(from: &[f32], by: isize, to: &mut [f32]) {
    let last = from.len() - 1;
    match by {
        -1 => {
            to[0] = 0.0;
            to[1..].copy_from_slice(&from[..last]);
        }
        0 => to.copy_from_slice(from),
        _ => {
            to[..last].copy_from_slice(&from[1..]);
            to[last] = 0.0;
        }
    }
}

/// Even and odd columns of a map, each `[channels, rows, columns / 2]`.
fn split_columns(input: &[f32], shape: Shape, even: &mut Vec<f32>, odd: &mut Vec<f32>) {
    let half = shape.values() / 2;
    even.resize(half, 0.0);
    odd.resize(half, 0.0);
    for ((pair, even), odd) in input.chunks_exact(2).zip(even.iter_mut()).zip(odd.iter_mut()) {
        (*even, *odd) = (pair[0], pair[1]);
    }
}

/// A transposed convolution of 5×5 with a stride of two, cropped by one value before and two after, then rectified and normalised.
///
/// `weights` is `[inputs, outputs, 5, 5]`, `output` a map of `shape.doubled(outputs)`.
pub fn transposed(
    input: &[f32],
    shape: Shape,
    weights: &[f32],
    after: &After,
    output: &mut [f32],
    scratch: &mut Scratch,
) {
    let outputs = after.bias.len();
    let double = shape.doubled(outputs);
    let (area, columns) = (shape.area(), shape.columns);
    assert!(input.len() == shape.values() && output.len() == double.values());
    assert_eq!(weights.len(), shape.channels * outputs * TAPS);
    // A few output channels at a time, and as many rows as fit the block.
    let some = outputs.min(16);
    let rows = (BLOCK_VALUES / (some * TAPS * columns)).clamp(1, shape.rows);
    scratch.block.resize(some * TAPS * rows * columns, 0.0);
    // Even and odd columns of the output rows of these channels.
    scratch.even.resize(some * double.rows * columns, 0.0);
    scratch.odd.resize(some * double.rows * columns, 0.0);
    for channel in (0..outputs).step_by(some) {
        let count = some.min(outputs - channel);
        scratch.even.fill(0.0);
        scratch.odd.fill(0.0);
        for first in (0..shape.rows).step_by(rows) {
            let block_rows = rows.min(shape.rows - first);
            let width = block_rows * columns;
            // SAFETY: a is [count · 25, inputs] with the inputs as its slow axis, b has `width` values from the row `first`
            // in each of its rows, and c is [count · 25, width].
            unsafe {
                multiply(
                    (count * TAPS, shape.channels, width),
                    (weights.as_ptr().add(channel * TAPS), 1, outputs * TAPS),
                    (input.as_ptr().add(first * columns), area),
                    (scratch.block.as_mut_ptr(), width),
                );
            }
            for o in 0..count {
                for i in 0..KERNEL {
                    for row in 0..block_rows {
                        let to = 2 * (first + row) + i;
                        if !(1..=double.rows).contains(&to) {
                            continue;
                        }
                        let to = (o * double.rows + to - 1) * columns;
                        let tap = |j: usize| {
                            let at = ((o * KERNEL + i) * KERNEL + j) * width + row * columns;
                            &scratch.block[at..at + columns]
                        };
                        add_even(&mut scratch.even[to..to + columns], tap(1), tap(3));
                        add_odd(&mut scratch.odd[to..to + columns], tap(0), tap(2), tap(4));
                    }
                }
            }
        }
        let values = count * double.rows * columns;
        let plane = double.rows * columns;
        let to = &mut output[channel * double.area()..(channel + count) * double.area()];
        let pairs = scratch.even[..values].chunks_exact(plane).zip(scratch.odd[..values].chunks_exact(plane));
        for (o, (to, (even, odd))) in to.chunks_exact_mut(double.area()).zip(pairs).enumerate() {
            let at = channel + o;
            let (bias, scale, offset) = (after.bias[at], after.scale[at], after.offset[at]);
            let finish = |value: f32| rectified(value + bias, scale, offset);
            for ((pair, even), odd) in to.chunks_exact_mut(2).zip(even).zip(odd) {
                pair[0] = finish(*even);
                pair[1] = finish(*odd);
            }
        }
    }
}

/// Even columns take the second and the fourth tap: `to[u] += second[u] + fourth[u - 1]`.
fn add_even(to: &mut [f32], second: &[f32], fourth: &[f32]) {
    to[0] += second[0];
    for ((to, second), fourth) in to[1..].iter_mut().zip(&second[1..]).zip(fourth) {
        *to += second + fourth;
    }
}

/// Odd columns take the others: `to[u] += first[u + 1] + third[u] + fifth[u - 1]`.
fn add_odd(to: &mut [f32], first: &[f32], third: &[f32], fifth: &[f32]) {
    let last = to.len() - 1;
    for (to, (third, fifth)) in to[1..].iter_mut().zip(third[1..].iter().zip(fifth)) {
        *to += third + fifth;
    }
    to[0] += third[0];
    for (to, first) in to[..last].iter_mut().zip(&first[1..]) {
        *to += first;
    }
}

/// The last convolution: one channel in, one per output, 4×4, dilated by two, the size unchanged (three values of padding).
///
/// `weights` is `[outputs, 1, 4, 4]`.
pub fn dilated(input: &[f32], shape: Shape, weights: &[f32], bias: &[f32], output: &mut [f32]) {
    const SIDE: usize = 4;
    const DILATION: usize = 2;
    const PADDING: usize = 3;
    assert!(shape.channels == 1 && input.len() == shape.values());
    assert!(weights.len() == bias.len() * SIDE * SIDE && output.len() == bias.len() * shape.area());
    let columns = shape.columns;
    for ((to, kernel), bias) in
        output.chunks_exact_mut(shape.area()).zip(weights.chunks_exact(SIDE * SIDE)).zip(bias)
    {
        for (row, to) in to.chunks_exact_mut(columns).enumerate() {
            to.fill(*bias);
            for i in 0..SIDE {
                let at = row + DILATION * i;
                if !(PADDING..PADDING + shape.rows).contains(&at) {
                    continue;
                }
                let from = &input[(at - PADDING) * columns..][..columns];
                for j in 0..SIDE {
                    let weight = kernel[i * SIDE + j];
                    // Column w + 2j - 3 of the input, for all w.
                    let by = (DILATION * j) as isize - PADDING as isize;
                    let (to_start, from_start) = ((-by).max(0) as usize, by.max(0) as usize);
                    let length = columns.saturating_sub(by.unsigned_abs());
                    for (to, from) in to[to_start..].iter_mut().zip(&from[from_start..]).take(length) {
                        *to += weight * from;
                    }
                }
            }
        }
    }
}
