//! How weights are stored: dense, or in blocks that share a scale, as llama.cpp's GGUF files define them.

/// Values in a block of the simple formats, and values that share a scale in the activations.
pub const GROUP: usize = 32;
/// Values in a block of the K formats.
const SUPER: usize = 256;

/// The storage format of a matrix.
///
/// A quantised value is `scale · (code - offset) - minimum`. Scale and minimum are shared by [`Format::group`] values;
/// the offset belongs to the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// 32-bit floating point.
    F32,
    /// 16-bit floating point, IEEE 754.
    F16,
    /// The upper half of a 32-bit float.
    Bf16,
    /// 4 bits, a scale for 32 values.
    Q4_0,
    /// 5 bits, a scale for 32 values.
    Q5_0,
    /// 8 bits, a scale for 32 values.
    Q8_0,
    /// 4 bits, a scale and a minimum for 32 values, both in 6 bits.
    Q4K,
    /// 6 bits, a scale for 16 values in 8 bits.
    Q6K,
}

impl Format {
    /// All formats.
    pub const ALL: [Format; 8] = [
        Format::F32,
        Format::F16,
        Format::Bf16,
        Format::Q4_0,
        Format::Q5_0,
        Format::Q8_0,
        Format::Q4K,
        Format::Q6K,
    ];

    /// The format of a number in a GGUF file (`ggml_type` of `ggml.h`).
    pub fn of_ggml(number: u32) -> Option<Self> {
        Some(match number {
            0 => Format::F32,
            1 => Format::F16,
            2 => Format::Q4_0,
            6 => Format::Q5_0,
            8 => Format::Q8_0,
            12 => Format::Q4K,
            14 => Format::Q6K,
            30 => Format::Bf16,
            _ => return None,
        })
    }

    /// Name, as llama.cpp writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Format::F32 => "F32",
            Format::F16 => "F16",
            Format::Bf16 => "BF16",
            Format::Q4_0 => "Q4_0",
            Format::Q5_0 => "Q5_0",
            Format::Q8_0 => "Q8_0",
            Format::Q4K => "Q4_K",
            Format::Q6K => "Q6_K",
        }
    }

    /// Values of a block.
    pub const fn block_values(self) -> usize {
        match self {
            Format::F32 | Format::F16 | Format::Bf16 => 1,
            Format::Q4_0 | Format::Q5_0 | Format::Q8_0 => GROUP,
            Format::Q4K | Format::Q6K => SUPER,
        }
    }

    /// Bytes of a block.
    pub const fn block_bytes(self) -> usize {
        match self {
            Format::F32 => 4,
            Format::F16 | Format::Bf16 => 2,
            // A scale as f16, then the codes.
            Format::Q4_0 => 2 + GROUP / 2,
            Format::Q5_0 => 2 + 4 + GROUP / 2,
            Format::Q8_0 => 2 + GROUP,
            // Two factors as f16, eight scales and minima of 6 bits, then the codes.
            Format::Q4K => 2 * 2 + 12 + SUPER / 2,
            // Low four bits, high two bits, scales, a factor as f16.
            Format::Q6K => SUPER / 2 + SUPER / 4 + SUPER / 16 + 2,
        }
    }

    /// Whether values have blocks with a scale.
    pub const fn is_quantized(self) -> bool {
        self.block_values() > 1
    }

    /// Values that share a scale; 1 for dense formats.
    pub const fn group(self) -> usize {
        match self {
            Format::Q6K => 16,
            _ if self.is_quantized() => GROUP,
            _ => 1,
        }
    }

    /// What is subtracted from a code.
    pub const fn offset(self) -> i32 {
        match self {
            Format::Q4_0 => 8,
            Format::Q5_0 => 16,
            Format::Q6K => 32,
            // Its signed codes are read as unsigned ones, with the sign bit flipped.
            Format::Q8_0 => 128,
            Format::F32 | Format::F16 | Format::Bf16 | Format::Q4K => 0,
        }
    }

    /// Bytes of a row; none where the row is no whole number of blocks or too long.
    pub fn row_bytes(self, columns: usize) -> Option<usize> {
        columns
            .is_multiple_of(self.block_values())
            .then(|| (columns / self.block_values()).checked_mul(self.block_bytes()))?
    }
}
