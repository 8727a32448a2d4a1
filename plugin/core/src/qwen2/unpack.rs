//! From stored blocks to codes and scales, or to values: the plain form, with which the fast kernels are compared.

use super::format::{Format, GROUP};
use half::f16;

/// Groups in a block of the K formats: 8 of Q4_K, 16 of Q6_K.
pub const MOST_GROUPS: usize = 16;
/// Most values of a block.
pub const MOST_VALUES: usize = 256;

/// One block, unpacked: a value is `scales[g] · (codes[i] - offset) - minima[g]`, where `g = i / group`.
pub struct Unpacked {
    /// Codes.
    pub codes: [u8; MOST_VALUES],
    /// Scale of each group.
    pub scales: [f32; MOST_GROUPS],
    /// Minimum of each group; 0 in formats without minima.
    pub minima: [f32; MOST_GROUPS],
}

impl Default for Unpacked {
    fn default() -> Self {
        Unpacked { codes: [0; MOST_VALUES], scales: [0.0; MOST_GROUPS], minima: [0.0; MOST_GROUPS] }
    }
}

/// The f16 at the start of `bytes`.
#[inline]
pub fn half_at(bytes: &[u8]) -> f32 {
    f16::from_le_bytes([bytes[0], bytes[1]]).to_f32()
}

/// Scales and minima of a Q4_K block, 6 bits each (`get_scale_min_k4` of llama.cpp).
#[inline]
pub fn q4k_scales(packed: &[u8; 12]) -> ([u8; 8], [u8; 8]) {
    let (mut scales, mut minima) = ([0; 8], [0; 8]);
    for j in 0..4 {
        scales[j] = packed[j] & 63;
        minima[j] = packed[j + 4] & 63;
        scales[j + 4] = (packed[j + 8] & 15) | (packed[j] >> 6) << 4;
        minima[j + 4] = packed[j + 8] >> 4 | (packed[j + 4] >> 6) << 4;
    }
    (scales, minima)
}

/// The packed scales of a Q4_K block.
#[inline]
pub fn q4k_packed(block: &[u8]) -> &[u8; 12] {
    // The slice has twelve bytes.
    block[4..16].try_into().unwrap_or(&[0; 12])
}

/// Unpacks one block of a quantised format.
///
/// # Panics
/// When `block` is shorter than a block.
pub fn unpack_block(format: Format, block: &[u8], to: &mut Unpacked) {
    match format {
        Format::Q4_0 => {
            to.scales[0] = half_at(block);
            let (low, high) = to.codes[..GROUP].split_at_mut(GROUP / 2);
            for ((low, high), byte) in low.iter_mut().zip(high).zip(&block[2..18]) {
                (*low, *high) = (byte & 15, byte >> 4);
            }
        }
        Format::Q5_0 => {
            to.scales[0] = half_at(block);
            let fifth = u32::from_le_bytes([block[2], block[3], block[4], block[5]]);
            let bit = |i: usize| ((fifth >> i & 1) << 4) as u8;
            for (i, byte) in block[6..22].iter().enumerate() {
                to.codes[i] = byte & 15 | bit(i);
                to.codes[i + GROUP / 2] = byte >> 4 | bit(i + GROUP / 2);
            }
        }
        Format::Q8_0 => {
            to.scales[0] = half_at(block);
            for (code, byte) in to.codes.iter_mut().zip(&block[2..34]) {
                *code = byte ^ 128;
            }
        }
        Format::Q4K => {
            let (factor, least) = (half_at(block), half_at(&block[2..]));
            let (scales, minima) = q4k_scales(q4k_packed(block));
            for group in 0..8 {
                to.scales[group] = factor * f32::from(scales[group]);
                to.minima[group] = least * f32::from(minima[group]);
                let bytes = &block[16 + group / 2 * GROUP..][..GROUP];
                let shift = 4 * (group % 2);
                for (code, byte) in to.codes[group * GROUP..].iter_mut().zip(bytes) {
                    *code = byte >> shift & 15;
                }
            }
        }
        Format::Q6K => {
            let factor = half_at(&block[208..]);
            for (scale, byte) in to.scales.iter_mut().zip(&block[192..208]) {
                *scale = factor * f32::from(*byte as i8);
            }
            for part in 0..8 {
                let (half, quarter) = (part / 4, part % 4);
                let low = &block[half * 64 + quarter % 2 * GROUP..][..GROUP];
                let high = &block[128 + half * GROUP..][..GROUP];
                for (i, code) in to.codes[part * GROUP..][..GROUP].iter_mut().enumerate() {
                    *code = low[i] >> (quarter / 2 * 4) & 15 | (high[i] >> (2 * quarter) & 3) << 4;
                }
            }
        }
        Format::F32 | Format::F16 | Format::Bf16 => {}
    }
}

/// Writes the values of a row.
///
/// # Panics
/// When the row's bytes do not hold as many values as `to`.
pub fn dense_row(format: Format, row: &[u8], to: &mut [f32]) {
    assert_eq!(format.row_bytes(to.len()), Some(row.len()), "a row of {} values", to.len());
    match format {
        Format::F32 => {
            for (value, bytes) in to.iter_mut().zip(row.chunks_exact(4)) {
                *value = f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
            }
        }
        Format::Bf16 => {
            for (value, bytes) in to.iter_mut().zip(row.chunks_exact(2)) {
                *value = f32::from_bits(u32::from(u16::from_le_bytes([bytes[0], bytes[1]])) << 16);
            }
        }
        Format::F16 => {
            for (value, bytes) in to.iter_mut().zip(row.chunks_exact(2)) {
                *value = half_at(bytes);
            }
        }
        Format::Q4_0 | Format::Q5_0 | Format::Q8_0 | Format::Q4K | Format::Q6K => {
            let mut block = Unpacked::default();
            let (group, offset) = (format.group(), format.offset());
            for (bytes, to) in
                row.chunks_exact(format.block_bytes()).zip(to.chunks_exact_mut(format.block_values()))
            {
                unpack_block(format, bytes, &mut block);
                for (g, to) in to.chunks_exact_mut(group).enumerate() {
                    let (scale, least) = (block.scales[g], block.minima[g]);
                    for (value, code) in to.iter_mut().zip(&block.codes[g * group..]) {
                        *value = scale * (i32::from(*code) - offset) as f32 - least;
                    }
                }
            }
        }
    }
}
