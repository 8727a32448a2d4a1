//! The blocks of GGUF files, decoded by loops that the compiler can vectorise.
//!
//! Layouts: `ggml-quants.h` of llama.cpp. Each value is computed by candle's operations in candle's order.

use crate::isa::{Vectorised, vectorised};
use candle_core::quantized::GgmlDType;
use half::f16;

/// Kinds of blocks that are dequantised here.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// 8 bits per value, 32 values.
    Q8,
    /// 5 bits per value, 32 values.
    Q5,
    /// 4 bits per value, 8 parts of 32 values with a scale and an offset each.
    Q4K,
    /// 6 bits per value, 16 parts of 16 values with a scale each.
    Q6K,
}

impl Kind {
    /// The kind of blocks of a type; none for types that only candle dequantises.
    pub(super) fn of(dtype: GgmlDType) -> Option<Self> {
        match dtype {
            GgmlDType::Q8_0 => Some(Kind::Q8),
            GgmlDType::Q5_0 => Some(Kind::Q5),
            GgmlDType::Q4K => Some(Kind::Q4K),
            GgmlDType::Q6K => Some(Kind::Q6K),
            _ => None,
        }
    }

    /// Values of a block.
    pub(super) fn values(self) -> usize {
        match self {
            Kind::Q8 | Kind::Q5 => 32,
            Kind::Q4K | Kind::Q6K => 256,
        }
    }

    /// Bytes of a block.
    pub(super) fn bytes(self) -> usize {
        match self {
            Kind::Q8 => 2 + 32,
            Kind::Q5 => 2 + 4 + 16,
            Kind::Q4K => 2 + 2 + 12 + 128,
            Kind::Q6K => 128 + 64 + 16 + 2,
        }
    }
}

/// Dequantises whole blocks into as many values.
pub(super) fn decode(kind: Kind, bytes: &[u8], to: &mut [f32]) {
    vectorised(Decode { kind, bytes, to });
}

struct Decode<'a> {
    kind: Kind,
    bytes: &'a [u8],
    to: &'a mut [f32],
}

impl Vectorised for Decode<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Decode { kind, bytes, to } = self;
        match kind {
            Kind::Q8 => each(bytes, to, q8),
            Kind::Q5 => each(bytes, to, q5),
            Kind::Q4K => each(bytes, to, q4k),
            Kind::Q6K => each(bytes, to, q6k),
        }
    }
}

#[inline(always)]
fn each<const BYTES: usize, const VALUES: usize>(
    bytes: &[u8],
    to: &mut [f32],
    block: impl Fn(&[u8; BYTES], &mut [f32; VALUES]),
) {
    for (bytes, to) in bytes.as_chunks().0.iter().zip(to.as_chunks_mut().0) {
        block(bytes, to);
    }
}

#[inline(always)]
fn half(bytes: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([bytes[at], bytes[at + 1]]).to_f32()
}

/// Scale, then 32 signed bytes.
#[inline(always)]
fn q8(block: &[u8; 34], to: &mut [f32; 32]) {
    let scale = half(block, 0);
    for (to, value) in to.iter_mut().zip(&block[2..]) {
        *to = f32::from(*value as i8) * scale;
    }
}

/// For each byte, its bits as the fifth bits of eight bytes.
const FIFTH_BITS: [u64; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut bit = 0;
        while bit < 8 {
            table[byte] |= ((byte as u64 >> bit) & 1) << (8 * bit + 4);
            bit += 1;
        }
        byte += 1;
    }
    table
};

/// Scale, 32 fifth bits, then 16 bytes: the lower half of each is a value of the first half of the block, the upper of
/// the second. Eight values lie side by side in a word.
#[inline(always)]
fn q5(block: &[u8; 22], to: &mut [f32; 32]) {
    let scale = half(block, 0);
    let mut values = [0u8; 32];
    for (part, eight) in values.as_chunks_mut::<8>().0.iter_mut().enumerate() {
        let mut nibbles = [0; 8];
        let from = 6 + 8 * (part % 2);
        nibbles.copy_from_slice(&block[from..from + 8]);
        let nibbles = (u64::from_le_bytes(nibbles) >> (4 * (part / 2))) & 0x0f0f_0f0f_0f0f_0f0f;
        *eight = (nibbles | FIFTH_BITS[usize::from(block[2 + part])]).to_le_bytes();
    }
    for (to, value) in to.iter_mut().zip(values) {
        *to = (i32::from(value) - 16) as f32 * scale;
    }
}

/// Scales of scale and offset, eight of each in 6 bits, then 128 bytes: of each 32, the lower halves are one part, the
/// upper halves the next.
#[inline(always)]
fn q4k(block: &[u8; 144], to: &mut [f32; 256]) {
    let (scale, offset) = (half(block, 0), half(block, 2));
    let packed = &block[4..16];
    let part = |at: usize| {
        let (scale_bits, offset_bits) = if at < 4 {
            (packed[at] & 63, packed[at + 4] & 63)
        } else {
            let high = (packed[at - 4] >> 6, packed[at] >> 6);
            ((packed[at + 4] & 15) | (high.0 << 4), (packed[at + 4] >> 4) | (high.1 << 4))
        };
        (scale * f32::from(scale_bits), offset * f32::from(offset_bits))
    };
    for (pair, (bytes, to)) in block[16..].chunks_exact(32).zip(to.chunks_exact_mut(64)).enumerate() {
        let (low, high) = to.split_at_mut(32);
        let ((scale, offset), (high_scale, high_offset)) = (part(2 * pair), part(2 * pair + 1));
        for ((low, high), byte) in low.iter_mut().zip(high).zip(bytes) {
            *low = scale * f32::from(byte & 15) - offset;
            *high = high_scale * f32::from(byte >> 4) - high_offset;
        }
    }
}

/// 128 bytes of lower halves, 64 of upper two bits, 16 signed scales, a scale of scales. Of each half of the block, four
/// rows of 32 values share the bytes.
#[inline(always)]
fn q6k(block: &[u8; 210], to: &mut [f32; 256]) {
    let scale = half(block, 208);
    for (half, to) in to.chunks_exact_mut(128).enumerate() {
        let nibbles = &block[64 * half..64 * half + 64];
        let tops = &block[128 + 32 * half..128 + 32 * half + 32];
        let scales = &block[192 + 8 * half..192 + 8 * half + 8];
        for (row, to) in to.chunks_exact_mut(32).enumerate() {
            let nibbles = &nibbles[32 * (row % 2)..32 * (row % 2) + 32];
            let (nibble_shift, top_shift) = (4 * (row / 2), 2 * row);
            for (part, to) in to.chunks_exact_mut(16).enumerate() {
                let scale = scale * f32::from(scales[2 * row + part] as i8);
                let (nibbles, tops) = (&nibbles[16 * part..16 * part + 16], &tops[16 * part..16 * part + 16]);
                for ((to, nibble), top) in to.iter_mut().zip(nibbles).zip(tops) {
                    let value = ((nibble >> nibble_shift) & 15) | (((top >> top_shift) & 3) << 4);
                    *to = scale * (i32::from(value) - 32) as f32;
                }
            }
        }
    }
}
