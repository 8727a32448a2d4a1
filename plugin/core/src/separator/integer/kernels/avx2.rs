//! The kernel for x86 processors with AVX2.

use super::TileInput;
use std::arch::x86_64::*;

/// Outputs of a vector of sums.
const LANES: usize = 8;
/// Positions whose sums fit the registers, with what else is needed.
const PIXELS: usize = 4;
/// Outputs of a unit of the kernel.
const UNIT: usize = 16;

/// See [`Isa::add_tile`](crate::isa::Isa): `P` positions by `V` times sixteen outputs.
///
/// # Safety
/// As there, and the processor must have these instructions.
#[target_feature(enable = "avx2")]
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
#[target_feature(enable = "avx2")]
unsafe fn part<const V: usize>(
    tile: &TileInput<'_>,
    unit: usize,
    first: usize,
    output: *mut f32,
    pixel_values: usize,
) {
    let mut sums = [[_mm256_setzero_si256(); 2]; PIXELS];
    // SAFETY: there are `V` units of codes for each pair of inputs.
    let mut codes = unsafe { tile.codes.as_ptr().add(unit * 2 * UNIT) };
    for tap in tile.taps {
        // SAFETY: the caller promises that `input` and `codes` reach this far; pairs of inputs are read as one number.
        unsafe {
            let mut input = tile.input.as_ptr().add(*tap + first * tile.pixel_codes);
            for _ in 0..tile.inputs / 2 {
                let low = _mm256_loadu_si256(codes.cast());
                let high = _mm256_loadu_si256(codes.add(2 * LANES).cast());
                for (pixel, sums) in sums.iter_mut().enumerate() {
                    let pair = input.add(pixel * tile.pixel_codes).cast::<i32>().read_unaligned();
                    let pair = _mm256_set1_epi32(pair);
                    sums[0] = _mm256_add_epi32(sums[0], _mm256_madd_epi16(pair, low));
                    sums[1] = _mm256_add_epi32(sums[1], _mm256_madd_epi16(pair, high));
                }
                // Wraps beyond the last unit, where it is not read any more.
                codes = codes.wrapping_add(2 * UNIT * V);
                input = input.add(2);
            }
        }
    }
    for (pixel, sums) in sums.iter().enumerate() {
        for (n, sum) in sums.iter().enumerate() {
            let output_at = unit * UNIT + n * LANES;
            // SAFETY: the caller's promise.
            unsafe {
                let to = output.add((first + pixel) * pixel_values + output_at);
                let scales = _mm256_loadu_ps(tile.scales.as_ptr().add(output_at));
                let value = _mm256_mul_ps(_mm256_cvtepi32_ps(*sum), scales);
                _mm256_storeu_ps(to, _mm256_add_ps(_mm256_loadu_ps(to), value));
            }
        }
    }
}
