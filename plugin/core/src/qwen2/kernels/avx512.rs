//! Kernels for x86 processors with AVX-512 and VNNI, whose one instruction multiplies fours of bytes and adds them up.

use super::tile::{TILE_COLUMNS, TILE_ROWS, Tile, TileInput, TileSums};
use super::unpack_x86::{self, *};
use crate::qwen2::activations::Column;
use crate::qwen2::format::{Format, GROUP};
use std::arch::x86_64::*;

rows_kernel!("avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma,f16c", codes_512, add_products);

/// The codes of a unit. The fifth bits of Q5_0 are a mask here.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx2,f16c")]
fn codes_512<const F: usize>(block: &[u8], unit: usize) -> __m256i {
    match unpack_x86::format::<F>() {
        Format::Q5_0 => {
            let fifth = u32::from_le_bytes([block[2], block[3], block[4], block[5]]);
            let low = nibbles(&block[6..22]);
            _mm256_mask_add_epi8(low, fifth, low, _mm256_set1_epi8(16))
        }
        _ => codes::<F>(block, unit),
    }
}

/// `start + Σ code · input` over fours.
#[inline]
#[target_feature(enable = "avx512f,avx512vl,avx512vnni,avx2")]
fn add_products<const F: usize>(start: __m256i, codes: __m256i, inputs: __m256i) -> __m256i {
    _mm256_dpbusd_epi32(start, codes, inputs)
}

/// See [`Tile::multiply`].
pub fn multiply_tile(tile: &Tile, input: &TileInput<'_>, columns: usize) -> TileSums {
    let format = tile.format;
    // SAFETY: `Isa` names these instructions only where the processor has them.
    unsafe { by_format!(format, tile_of(tile, input, columns)) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma,f16c")]
fn tile_of<const F: usize>(tile: &Tile, input: &TileInput<'_>, columns: usize) -> TileSums {
    let mut sums = TileSums::default();
    match columns {
        1 => pass::<F, 1>(tile, input, &mut sums),
        2 => pass::<F, 2>(tile, input, &mut sums),
        3 => pass::<F, 3>(tile, input, &mut sums),
        4 => pass::<F, 4>(tile, input, &mut sums),
        5 => pass::<F, 5>(tile, input, &mut sums),
        6 => pass::<F, 6>(tile, input, &mut sums),
        7 => pass::<F, 7>(tile, input, &mut sums),
        _ => pass::<F, TILE_COLUMNS>(tile, input, &mut sums),
    }
    sums
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma,f16c")]
fn pass<const F: usize, const C: usize>(tile: &Tile, input: &TileInput<'_>, to: &mut TileSums) {
    let format = unpack_x86::format::<F>();
    let group = format.group();
    // No closures: they are not inlined into functions with features of their own.
    let mut columns = [input.activations.column(input.first); C];
    let mut starts = [input.column_starts(0); C];
    for c in 1..C {
        (columns[c], starts[c]) = (input.activations.column(input.first + c), input.column_starts(c));
    }
    let mut sums = [_mm512_setzero_ps(); C];
    let scales = tile.scales.chunks_exact(TILE_ROWS);
    for (g, (codes, scales)) in tile.codes.chunks_exact(group * TILE_ROWS).zip(scales).enumerate() {
        let mut inputs = [columns[0].codes; C];
        for (inputs, column) in inputs.iter_mut().zip(&columns) {
            *inputs = &column.codes[g * group..][..group];
        }
        let mut totals = [_mm512_setzero_si512(); C];
        for (total, starts) in totals.iter_mut().zip(&starts) {
            *total = _mm512_set1_epi32(starts[g]);
        }
        for (four, codes) in codes.chunks_exact(4 * TILE_ROWS).enumerate() {
            // SAFETY: the chunk has 64 bytes.
            let codes = unsafe { _mm512_loadu_si512(codes.as_ptr().cast()) };
            for (total, inputs) in totals.iter_mut().zip(&inputs) {
                // SAFETY: a group has a whole number of fours, and `four` counts those of the group.
                let inputs = unsafe { inputs.as_ptr().cast::<i32>().add(four).read_unaligned() };
                *total = _mm512_dpbusd_epi32(*total, codes, _mm512_set1_epi32(inputs));
            }
        }
        // SAFETY: the chunk has sixteen numbers.
        let scales = unsafe { _mm512_loadu_ps(scales.as_ptr()) };
        for ((sum, total), column) in sums.iter_mut().zip(&totals).zip(&columns) {
            let factor = _mm512_mul_ps(scales, _mm512_set1_ps(column.scales[g * group / GROUP]));
            *sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(*total), factor, *sum);
        }
        if matches!(format, Format::Q4K) {
            let minima = &tile.minima[g * TILE_ROWS..][..TILE_ROWS];
            // SAFETY: there are sixteen numbers.
            let minima = unsafe { _mm512_loadu_ps(minima.as_ptr()) };
            for (sum, column) in sums.iter_mut().zip(&columns) {
                *sum = _mm512_fnmadd_ps(minima, _mm512_set1_ps(column.weighted[g]), *sum);
            }
        }
    }
    for (sum, to) in sums.into_iter().zip(to) {
        // SAFETY: there is room for sixteen numbers.
        unsafe { _mm512_storeu_ps(to.as_mut_ptr(), sum) };
    }
}
