//! The kernel for 64-bit ARM processors.

use super::TileInput;
use std::arch::aarch64::*;

/// Outputs of a vector of sums.
const LANES: usize = 4;
/// Positions whose sums fit the registers, with what else is needed.
const PIXELS: usize = 4;
/// Outputs of a unit of the kernel.
const UNIT: usize = 16;

/// See [`Isa::add_tile`](crate::isa::Isa): `P` positions by `V` times sixteen outputs.
///
/// # Safety
/// As there.
pub unsafe fn add_tile<const P: usize, const V: usize>(
    tile: &TileInput<'_>,
    output: *mut f32,
    pixel_values: usize,
) {
    for unit in 0..V {
        for first in (0..P).step_by(PIXELS) {
            // SAFETY: the caller's promise.
            unsafe { part::<V>(tile, unit, first, output, pixel_values) };
        }
    }
}

/// Four positions from `first`, sixteen outputs.
#[inline]
unsafe fn part<const V: usize>(
    tile: &TileInput<'_>,
    unit: usize,
    first: usize,
    output: *mut f32,
    pixel_values: usize,
) {
    // SAFETY: the caller promises that `input`, `codes` and `output` reach this far; every 64-bit ARM processor has NEON.
    unsafe {
        let mut sums = [[vdupq_n_s32(0); UNIT / LANES]; PIXELS];
        let mut codes = tile.codes.as_ptr().add(unit * 2 * UNIT);
        for tap in tile.taps {
            let mut input = tile.input.as_ptr().add(*tap + first * tile.pixel_codes);
            for _ in 0..tile.inputs / 2 {
                // Codes for the first and the second input of the pair, apart.
                let (low, high) = (vld2q_s16(codes), vld2q_s16(codes.add(UNIT)));
                for (pixel, sums) in sums.iter_mut().enumerate() {
                    let at = input.add(pixel * tile.pixel_codes);
                    let (a, b) = (*at, *at.add(1));
                    for (half, pairs) in [low, high].into_iter().enumerate() {
                        let (first, second) = (pairs.0, pairs.1);
                        let sum = vmlal_n_s16(sums[2 * half], vget_low_s16(first), a);
                        sums[2 * half] = vmlal_n_s16(sum, vget_low_s16(second), b);
                        let sum = vmlal_high_n_s16(sums[2 * half + 1], first, a);
                        sums[2 * half + 1] = vmlal_high_n_s16(sum, second, b);
                    }
                }
                // Wraps beyond the last unit, where it is not read any more.
                codes = codes.wrapping_add(2 * UNIT * V);
                input = input.add(2);
            }
        }
        for (pixel, sums) in sums.iter().enumerate() {
            for (n, sum) in sums.iter().enumerate() {
                let output_at = unit * UNIT + n * LANES;
                let to = output.add((first + pixel) * pixel_values + output_at);
                let scales = vld1q_f32(tile.scales.as_ptr().add(output_at));
                let value = vmulq_f32(vcvtq_f32_s32(*sum), scales);
                vst1q_f32(to, vaddq_f32(vld1q_f32(to), value));
            }
        }
    }
}
