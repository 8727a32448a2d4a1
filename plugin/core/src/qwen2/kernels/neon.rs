//! Kernels for 64-bit ARM processors.
//!
//! Codes become signed, so that products of bytes fit 16 bits; what the starts correct for unsigned codes is not needed.

use super::tile::{TILE_ROWS, Tile, TileInput, TileSums};
use crate::qwen2::activations::Column;
use crate::qwen2::format::{Format, GROUP};
use crate::qwen2::unpack::{Unpacked, unpack_block};
use std::arch::aarch64::*;

/// Σ code · input over sixteen values, in four lanes. Two products of a signed byte with an input, at most 128 · 127 each, fit
/// 16 bits.
#[inline(always)]
fn sixteen(codes: int8x16_t, inputs: int8x16_t) -> int32x4_t {
    // SAFETY: every 64-bit ARM processor has NEON.
    unsafe {
        let products = vmull_s8(vget_low_s8(codes), vget_low_s8(inputs));
        vpaddlq_s16(vmlal_s8(products, vget_high_s8(codes), vget_high_s8(inputs)))
    }
}

/// Sixteen codes as signed ones.
#[inline(always)]
fn signed(codes: &[u8], offset: i32) -> int8x16_t {
    let codes = &codes[..16];
    // SAFETY: there are sixteen bytes; every 64-bit ARM processor has NEON.
    unsafe { vreinterpretq_s8_u8(vsubq_u8(vld1q_u8(codes.as_ptr()), vdupq_n_u8(offset as u8))) }
}

/// Sixteen inputs.
#[inline(always)]
fn load(inputs: &[i8]) -> int8x16_t {
    let inputs = &inputs[..16];
    // SAFETY: there are sixteen bytes; every 64-bit ARM processor has NEON.
    unsafe { vld1q_s8(inputs.as_ptr()) }
}

/// See [`Isa::multiply_rows`](super::Isa::multiply_rows).
pub fn multiply_rows(
    format: Format,
    (rows, row_bytes): (&[u8], usize),
    column: Column<'_>,
    _starts: &[i32],
    sums: &mut [f32],
) {
    let (values, group, offset) = (format.block_values(), format.group(), format.offset());
    let mut block = Unpacked::default();
    for (row, sum) in rows.chunks_exact(row_bytes).zip(sums) {
        // SAFETY: every 64-bit ARM processor has NEON.
        let mut lanes = unsafe { vdupq_n_f32(0.0) };
        let mut least = 0.0;
        for (n, bytes) in row.chunks_exact(format.block_bytes()).enumerate() {
            unpack_block(format, bytes, &mut block);
            for half in 0..values / 16 {
                let at = n * values + half * 16;
                let total = sixteen(signed(&block.codes[half * 16..], offset), load(&column.codes[at..]));
                let factor = block.scales[half * 16 / group] * column.scales[at / GROUP];
                // SAFETY: every 64-bit ARM processor has NEON.
                lanes = unsafe { vfmaq_n_f32(lanes, vcvtq_f32_s32(total), factor) };
            }
            if format == Format::Q4K {
                for (minimum, weighted) in
                    block.minima.iter().zip(&column.weighted[n * values / GROUP..]).take(8)
                {
                    least += minimum * weighted;
                }
            }
        }
        // SAFETY: every 64-bit ARM processor has NEON.
        *sum = unsafe { vaddvq_f32(lanes) } - least;
    }
}

/// See [`Tile::multiply`].
pub fn multiply_tile(tile: &Tile, input: &TileInput<'_>, columns: usize) -> TileSums {
    const ROWS: usize = 4;
    let (group, offset) = (tile.format.group(), tile.format.offset());
    let mut sums = TileSums::default();
    for (c, sums) in sums.iter_mut().enumerate().take(columns) {
        let column = input.activations.column(input.first + c);
        for (quarter, sums) in sums.chunks_exact_mut(ROWS).enumerate() {
            // SAFETY: every 64-bit ARM processor has NEON, `sums` has four numbers, and so have the slices of four below.
            unsafe {
                let mut lanes = vdupq_n_f32(0.0);
                for g in 0..tile.length / group {
                    let mut total = vdupq_n_s32(0);
                    for four in g * group / 4..(g + 1) * group / 4 {
                        let codes = signed(&tile.codes[(four * TILE_ROWS + quarter * ROWS) * 4..], offset);
                        let inputs = &column.codes[four * 4..][..4];
                        let inputs =
                            vreinterpretq_s8_s32(vdupq_n_s32(inputs.as_ptr().cast::<i32>().read_unaligned()));
                        let low = vmull_s8(vget_low_s8(codes), vget_low_s8(inputs));
                        let high = vmull_s8(vget_high_s8(codes), vget_high_s8(inputs));
                        total = vpadalq_s16(total, vpaddq_s16(low, high));
                    }
                    let at = g * TILE_ROWS + quarter * ROWS;
                    let scales = &tile.scales[at..][..ROWS];
                    let factor = vmulq_n_f32(vld1q_f32(scales.as_ptr()), column.scales[g * group / GROUP]);
                    lanes = vfmaq_f32(lanes, vcvtq_f32_s32(total), factor);
                    if tile.format == Format::Q4K {
                        let minima = &tile.minima[at..][..ROWS];
                        lanes = vfmsq_n_f32(lanes, vld1q_f32(minima.as_ptr()), column.weighted[g]);
                    }
                }
                vst1q_f32(sums.as_mut_ptr(), lanes);
            }
        }
    }
    sums
}
