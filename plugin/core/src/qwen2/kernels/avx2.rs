//! Kernels for x86 processors with AVX2, FMA and F16C, but no instruction for products of bytes that sums without overflow.

use super::tile::{TILE_COLUMNS, TILE_ROWS, Tile, TileInput, TileSums};
use super::unpack_x86::{self, *};
use crate::qwen2::activations::Column;
use crate::qwen2::format::{Format, GROUP};
use std::arch::x86_64::*;

rows_kernel!("avx2,fma,f16c", codes, add_products);

/// `start + Σ code · input` over fours. Unsigned codes times signed inputs, whose pairs are summed in 16 bits: that holds codes
/// of up to 7 bits. Codes of 8 bits are made signed, and the sign moves to the inputs.
#[inline]
#[target_feature(enable = "avx2")]
fn add_products<const F: usize>(start: __m256i, codes: __m256i, inputs: __m256i) -> __m256i {
    let ones = _mm256_set1_epi16(1);
    match format::<F>() {
        Format::Q8_0 => {
            // What `start` corrects for unsigned codes is not needed here.
            let signed = _mm256_xor_si256(codes, _mm256_set1_epi8(i8::MIN));
            let pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(signed), _mm256_sign_epi8(inputs, signed));
            _mm256_madd_epi16(pairs, ones)
        }
        _ => _mm256_add_epi32(start, _mm256_madd_epi16(_mm256_maddubs_epi16(codes, inputs), ones)),
    }
}

/// Fills a tile; see [`Tile::load`].
pub fn load(tile: &mut Tile, rows: &[&[u8]; TILE_ROWS]) {
    let format = tile.format;
    // SAFETY: `Isa` names these instructions only where the processor has them.
    unsafe { by_format!(format, load_of(tile, rows)) }
}

#[target_feature(enable = "avx2,fma,f16c")]
fn load_of<const F: usize>(tile: &mut Tile, rows: &[&[u8]; TILE_ROWS]) {
    const HALF: usize = TILE_ROWS / 2;
    let format = unpack_x86::format::<F>();
    let (bytes, units) = (format.block_bytes(), format.block_values() / GROUP);
    let groups = format.block_values() / format.group();
    for (n, to) in tile.codes.chunks_exact_mut(units * GROUP * TILE_ROWS).enumerate() {
        for side in 0..2 {
            for (unit, to) in to.chunks_exact_mut(GROUP * TILE_ROWS).enumerate() {
                let mut eight = [_mm256_setzero_si256(); HALF];
                for (codes_of, row) in eight.iter_mut().zip(&rows[side * HALF..]) {
                    *codes_of = codes::<F>(&row[n * bytes..][..bytes], unit);
                }
                let fours = transpose(eight);
                for (four, to) in fours.into_iter().zip(to.chunks_exact_mut(4 * TILE_ROWS)) {
                    let to = &mut to[side * 32..][..32];
                    // SAFETY: there is room for 32 bytes.
                    unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), four) };
                }
            }
        }
        let scales = &mut tile.scales[n * groups * TILE_ROWS..][..groups * TILE_ROWS];
        for (r, row) in rows.iter().enumerate() {
            let block = &row[n * bytes..][..bytes];
            match format {
                Format::Q4K => {
                    let minima = &mut tile.minima[n * groups * TILE_ROWS..][..groups * TILE_ROWS];
                    let (scale, least) = q4k_factors(block);
                    let (mut scale_of, mut least_of) = ([0.0; 8], [0.0; 8]);
                    store_8(scale, &mut scale_of);
                    store_8(least, &mut least_of);
                    for g in 0..groups {
                        scales[g * TILE_ROWS + r] = scale_of[g];
                        minima[g * TILE_ROWS + r] = least_of[g];
                    }
                }
                Format::Q6K => {
                    for (g, scale) in q6k_factors(block).into_iter().enumerate() {
                        scales[g * TILE_ROWS + r] = scale;
                    }
                }
                _ => scales[r] = _mm256_cvtss_f32(half(block)),
            }
        }
    }
}

/// Eight rows of eight fours to eight columns.
#[inline]
#[target_feature(enable = "avx2")]
fn transpose(rows: [__m256i; 8]) -> [__m256i; 8] {
    let [a, b, c, d, e, f, g, h] = rows;
    let (ab, cd) = (
        [_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b)],
        [_mm256_unpacklo_epi32(c, d), _mm256_unpackhi_epi32(c, d)],
    );
    let (ef, gh) = (
        [_mm256_unpacklo_epi32(e, f), _mm256_unpackhi_epi32(e, f)],
        [_mm256_unpacklo_epi32(g, h), _mm256_unpackhi_epi32(g, h)],
    );
    // Column n and n + 4 of the first four rows, and of the last four.
    let first = [
        _mm256_unpacklo_epi64(ab[0], cd[0]),
        _mm256_unpackhi_epi64(ab[0], cd[0]),
        _mm256_unpacklo_epi64(ab[1], cd[1]),
        _mm256_unpackhi_epi64(ab[1], cd[1]),
    ];
    let last = [
        _mm256_unpacklo_epi64(ef[0], gh[0]),
        _mm256_unpackhi_epi64(ef[0], gh[0]),
        _mm256_unpacklo_epi64(ef[1], gh[1]),
        _mm256_unpackhi_epi64(ef[1], gh[1]),
    ];
    [
        _mm256_permute2x128_si256::<0x20>(first[0], last[0]),
        _mm256_permute2x128_si256::<0x20>(first[1], last[1]),
        _mm256_permute2x128_si256::<0x20>(first[2], last[2]),
        _mm256_permute2x128_si256::<0x20>(first[3], last[3]),
        _mm256_permute2x128_si256::<0x31>(first[0], last[0]),
        _mm256_permute2x128_si256::<0x31>(first[1], last[1]),
        _mm256_permute2x128_si256::<0x31>(first[2], last[2]),
        _mm256_permute2x128_si256::<0x31>(first[3], last[3]),
    ]
}

/// Columns of a pass over eight rows: sums, totals, codes and constants fill the sixteen registers.
const PASS: usize = 4;

/// See [`Tile::multiply`].
pub fn multiply_tile(tile: &Tile, input: &TileInput<'_>, columns: usize) -> TileSums {
    let format = tile.format;
    // SAFETY: `Isa` names these instructions only where the processor has them.
    unsafe { by_format!(format, tile_of(tile, input, columns)) }
}

#[target_feature(enable = "avx2,fma,f16c")]
fn tile_of<const F: usize>(tile: &Tile, input: &TileInput<'_>, columns: usize) -> TileSums {
    let mut sums = TileSums::default();
    for first in (0..columns).step_by(PASS) {
        match columns - first {
            1 => pass::<F, 1>(tile, input, first, &mut sums),
            2 => pass::<F, 2>(tile, input, first, &mut sums),
            3 => pass::<F, 3>(tile, input, first, &mut sums),
            _ => pass::<F, PASS>(tile, input, first, &mut sums),
        }
    }
    sums
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn pass<const F: usize, const C: usize>(tile: &Tile, input: &TileInput<'_>, first: usize, to: &mut TileSums) {
    debug_assert!(first + C <= TILE_COLUMNS);
    let format = unpack_x86::format::<F>();
    let group = format.group();
    // No closures: they are not inlined into functions with features of their own.
    let mut columns = [input.activations.column(input.first + first); C];
    for (c, column) in columns.iter_mut().enumerate().skip(1) {
        *column = input.activations.column(input.first + first + c);
    }
    for side in 0..2 {
        let mut sums = [_mm256_setzero_ps(); C];
        for (g, codes) in tile.codes.chunks_exact(group * TILE_ROWS).enumerate() {
            let mut totals = [_mm256_setzero_si256(); C];
            for (total, c) in totals.iter_mut().zip(0..) {
                *total = match format {
                    Format::Q8_0 => _mm256_setzero_si256(),
                    _ => _mm256_set1_epi32(input.start(first + c, g)),
                };
            }
            for (four, codes) in codes.chunks_exact(4 * TILE_ROWS).enumerate() {
                let codes = &codes[side * 32..][..32];
                // SAFETY: there are 32 bytes.
                let codes = unsafe { _mm256_loadu_si256(codes.as_ptr().cast()) };
                for (total, column) in totals.iter_mut().zip(&columns) {
                    let at = g * group + four * 4;
                    let inputs = &column.codes[at..at + 4];
                    let inputs = i32::from_le_bytes([
                        inputs[0] as u8,
                        inputs[1] as u8,
                        inputs[2] as u8,
                        inputs[3] as u8,
                    ]);
                    let products =
                        add_products::<F>(_mm256_setzero_si256(), codes, _mm256_set1_epi32(inputs));
                    *total = _mm256_add_epi32(*total, products);
                }
            }
            let at = g * TILE_ROWS + side * 8;
            let scales = load_8(&tile.scales[at..]);
            for ((sum, total), column) in sums.iter_mut().zip(&totals).zip(&columns) {
                let factor = _mm256_mul_ps(scales, _mm256_set1_ps(column.scales[g * group / GROUP]));
                *sum = _mm256_fmadd_ps(_mm256_cvtepi32_ps(*total), factor, *sum);
                if matches!(format, Format::Q4K) {
                    let least = load_8(&tile.minima[at..]);
                    *sum = _mm256_fnmadd_ps(least, _mm256_set1_ps(column.weighted[g]), *sum);
                }
            }
        }
        for (sum, to) in sums.into_iter().zip(&mut to[first..]) {
            store_8(sum, &mut to[side * 8..]);
        }
    }
}
