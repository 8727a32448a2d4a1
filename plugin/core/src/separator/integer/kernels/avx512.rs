//! The kernel for x86 processors with AVX-512 and VNNI, whose one instruction adds two products to each of sixteen sums.

use super::TileInput;
use std::arch::asm;
use std::arch::x86_64::*;

/// Outputs of a vector of sums.
const LANES: usize = 16;

/// See [`Isa::add_tile`](crate::isa::Isa): `P` positions by `V` vectors of outputs.
///
/// # Safety
/// As there, and the processor must have these instructions.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub unsafe fn add_tile<const P: usize, const V: usize>(
    tile: &TileInput<'_>,
    output: *mut f32,
    pixel_values: usize,
) {
    let mut sums = [[_mm512_setzero_si512(); V]; P];
    let mut codes = tile.codes.as_ptr();
    for tap in tile.taps {
        // SAFETY: the caller promises that `input` and `codes` reach this far; pairs of inputs are read as one number.
        unsafe {
            let mut input = tile.input.as_ptr().add(*tap);
            for _ in 0..tile.inputs / 2 {
                let mut kernel = [_mm512_setzero_si512(); V];
                for kernel in &mut kernel {
                    *kernel = _mm512_loadu_si512(codes.cast());
                    codes = codes.add(2 * LANES);
                }
                for (pixel, sums) in sums.iter_mut().enumerate() {
                    let pair = input.add(pixel * tile.pixel_codes).cast::<i32>().read_unaligned();
                    let pair = _mm512_set1_epi32(pair);
                    for (sum, kernel) in sums.iter_mut().zip(&kernel) {
                        *sum = add_products(*sum, pair, *kernel);
                    }
                }
                input = input.add(2);
            }
        }
    }
    for (pixel, sums) in sums.iter().enumerate() {
        for (n, sum) in sums.iter().enumerate() {
            // SAFETY: the caller's promise.
            unsafe {
                let to = output.add(pixel * pixel_values + n * LANES);
                let scales = _mm512_loadu_ps(tile.scales.as_ptr().add(n * LANES));
                let value = _mm512_mul_ps(_mm512_cvtepi32_ps(*sum), scales);
                _mm512_storeu_ps(to, _mm512_add_ps(_mm512_loadu_ps(to), value));
            }
        }
    }
}

/// `_mm512_dpwssd_epi32`. Of that function compilers make two instructions, a multiplication and an addition, because their
/// chain is shorter; here sixteen chains run side by side, and one instruction takes half the time.
#[inline]
#[target_feature(enable = "avx512f,avx512vnni")]
fn add_products(mut sum: __m512i, pairs: __m512i, kernel: __m512i) -> __m512i {
    // SAFETY: one instruction of this function's features, on registers only.
    unsafe {
        asm!(
            "vpdpwssd {sum}, {pairs}, {kernel}",
            sum = inout(zmm_reg) sum,
            pairs = in(zmm_reg) pairs,
            kernel = in(zmm_reg) kernel,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    sum
}
