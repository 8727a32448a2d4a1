//! Kernels in the order in which they are read.

/// Values that a tile has, over all its outputs and positions.
pub const TILE_VALUES: usize = 256;

/// Codes of a cache line. Kernels begin at such a line: reads across two of them take twice as long.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line(#[expect(dead_code, reason = "read as plain codes")] [i16; 32]);

/// Some taps of a convolution's kernel: `[blocks of outputs][taps][pairs of inputs][outputs of a block][2]`.
pub struct Packed {
    codes: Vec<Line>,
    /// Row and column of each tap, from the first value of the border.
    taps: Vec<(usize, usize)>,
    inputs: usize,
    outputs: usize,
    block: usize,
    /// One for each output, zero for those that fill the last block.
    scales: Vec<f32>,
    /// The largest sum of magnitudes over the kernel of one output.
    largest_sum: u64,
}

impl Packed {
    /// Packs `code(output, input, tap)`; `scales` has one entry for each output.
    ///
    /// # Panics
    /// When the number of inputs is odd.
    pub fn new(
        scales: &[f32],
        inputs: usize,
        taps: Vec<(usize, usize)>,
        code: impl Fn(usize, usize, usize) -> i16,
    ) -> Self {
        assert!(inputs.is_multiple_of(2), "inputs are read in pairs");
        let outputs = scales.len();
        let block = if outputs <= 16 { 16 } else { 32 };
        let padded = outputs.next_multiple_of(block);
        let mut codes = vec![Line([0; 32]); padded * taps.len() * inputs / 32];
        let flat = codes_of_mut(&mut codes);
        let mut largest_sum = 0;
        for output in 0..outputs {
            let first = output / block * block * taps.len() * inputs + output % block * 2;
            let mut sum = 0;
            for tap in 0..taps.len() {
                for input in 0..inputs {
                    let code = code(output, input, tap);
                    sum += u64::from(code.unsigned_abs());
                    flat[first + (tap * inputs + input / 2 * 2) * block + input % 2] = code;
                }
            }
            largest_sum = largest_sum.max(sum);
        }
        let mut scales = scales.to_vec();
        scales.resize(padded, 0.0);
        Packed { codes, taps, inputs, outputs, block, scales, largest_sum }
    }

    /// The largest code of an input with which no sum can leave 32 bits.
    pub fn largest_code(&self) -> i16 {
        i16::try_from(i32::MAX as u64 / self.largest_sum.max(1)).unwrap_or(i16::MAX)
    }

    /// Row and column of each tap.
    pub fn taps(&self) -> &[(usize, usize)] {
        &self.taps
    }

    /// Input channels.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Output channels.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Outputs that are computed together, 16 or 32.
    pub fn block(&self) -> usize {
        self.block
    }

    /// Outputs with those that fill the last block.
    pub fn padded_outputs(&self) -> usize {
        self.scales.len()
    }

    /// The first output, the kernels and the scales of each block.
    pub fn blocks(&self) -> impl Iterator<Item = (usize, &[i16], &[f32])> {
        let lines = self.block * self.taps.len() * self.inputs / 32;
        let parts = self.codes.chunks_exact(lines).map(codes_of).zip(self.scales.chunks_exact(self.block));
        parts.enumerate().map(|(n, (codes, scales))| (n * self.block, codes, scales))
    }
}

/// The codes of some lines.
fn codes_of(lines: &[Line]) -> &[i16] {
    // SAFETY: a line is 32 codes and nothing else, its size being its alignment.
    unsafe { std::slice::from_raw_parts(lines.as_ptr().cast(), lines.len() * 32) }
}

/// As [`codes_of`], to be written.
fn codes_of_mut(lines: &mut [Line]) -> &mut [i16] {
    // SAFETY: as there; any code makes a valid line.
    unsafe { std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast(), lines.len() * 32) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_of_inputs_lie_side_by_side_for_all_outputs_of_a_block() {
        let code = |output: usize, input: usize, tap: usize| (100 * output + 10 * input + tap) as i16;
        let packed = Packed::new(&[1.0; 17], 4, vec![(0, 0), (0, 1)], code);
        assert_eq!((packed.block(), packed.padded_outputs(), packed.outputs()), (32, 32, 17));
        let (first, codes, scales) = packed.blocks().next().unwrap();
        assert_eq!((first, codes.len(), scales.len()), (0, 32 * 4 * 2, 32));
        for (output, input, tap) in [(0, 0, 0), (16, 3, 1), (5, 2, 0)] {
            let at = ((tap * 2 + input / 2) * 32 + output) * 2 + input % 2;
            assert_eq!(codes[at], code(output, input, tap));
        }
        assert_eq!(codes[17 * 2], 0);
    }

    #[test]
    fn no_sum_of_largest_codes_leaves_32_bits() {
        let packed = Packed::new(&[1.0], 2, vec![(0, 0); 25], |_, _, _| 2047);
        let sum = i64::from(packed.largest_code()) * 2047 * 50;
        assert!(sum <= i64::from(i32::MAX) && sum + 2047 * 50 > i64::from(i32::MAX));
    }
}
