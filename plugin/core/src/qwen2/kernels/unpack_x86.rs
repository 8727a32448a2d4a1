//! Codes and scales of stored blocks as AVX2 vectors.
//!
//! A format is a constant here, its place in [`Format::ALL`], so that each kernel is compiled for one format. A *unit* is 32
//! values of a block: one vector of codes.

use crate::qwen2::format::{Format, GROUP};
use crate::qwen2::unpack::{q4k_packed, q4k_scales};
use std::arch::x86_64::*;

/// Units of a block of the K formats.
pub const UNITS: usize = 8;

/// Bytes by which rows are fetched in advance: a page.
const AHEAD: usize = 4096;

/// Numbers of the quantised formats, as constants of the kernels.
pub const Q4_0: usize = 3;
pub const Q5_0: usize = 4;
pub const Q8_0: usize = 5;
pub const Q4K: usize = 6;
pub const Q6K: usize = 7;

/// The format of a number.
pub const fn format<const F: usize>() -> Format {
    Format::ALL[F]
}

/// Calls `$call::<F>(…)` with the number of a format.
macro_rules! by_format {
    ($format:expr, $call:ident($($argument:expr),*)) => {
        match $format {
            Format::Q4_0 => $call::<{ unpack_x86::Q4_0 }>($($argument),*),
            Format::Q5_0 => $call::<{ unpack_x86::Q5_0 }>($($argument),*),
            Format::Q8_0 => $call::<{ unpack_x86::Q8_0 }>($($argument),*),
            Format::Q4K => $call::<{ unpack_x86::Q4K }>($($argument),*),
            Format::Q6K => $call::<{ unpack_x86::Q6K }>($($argument),*),
            // `Isa` and `Tile` have refused them.
            Format::F32 | Format::F16 | Format::Bf16 => unreachable!("dense rows have no kernel"),
        }
    };
}
pub(super) use by_format;

#[inline]
#[target_feature(enable = "avx2")]
fn load_16(bytes: &[u8]) -> __m128i {
    let bytes = &bytes[..16];
    // SAFETY: there are sixteen bytes.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn load_32(bytes: &[u8]) -> __m256i {
    let bytes = &bytes[..32];
    // SAFETY: there are thirty-two bytes.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}

/// Asks the memory for what lies [`AHEAD`] of these bytes. Nothing is read, so it may be behind the end of the file.
#[inline]
#[target_feature(enable = "avx2")]
pub fn fetch(bytes: &[u8]) {
    _mm_prefetch::<_MM_HINT_T0>(bytes.as_ptr().wrapping_add(AHEAD).cast());
}

/// Low halves of 16 bytes, then their high halves.
#[inline]
#[target_feature(enable = "avx2")]
pub fn nibbles(bytes: &[u8]) -> __m256i {
    let bytes = load_16(bytes);
    let both = _mm256_inserti128_si256::<1>(_mm256_castsi128_si256(bytes), _mm_srli_epi16::<4>(bytes));
    _mm256_and_si256(both, _mm256_set1_epi8(15))
}

/// 16 in each byte whose bit is set.
#[inline]
#[target_feature(enable = "avx2")]
fn fifth_bits(bits: u32) -> __m256i {
    // Byte n of the bits in bytes 8n to 8n + 7; then each byte keeps a bit of its own.
    let spread = _mm256_setr_epi64x(0, 0x0101_0101_0101_0101, 0x0202_0202_0202_0202, 0x0303_0303_0303_0303);
    let bytes = _mm256_shuffle_epi8(_mm256_set1_epi32(bits as i32), spread);
    let own = _mm256_set1_epi64x(0x8040_2010_0804_0201_u64 as i64);
    let is_set = _mm256_cmpeq_epi8(_mm256_and_si256(bytes, own), own);
    _mm256_and_si256(is_set, _mm256_set1_epi8(16))
}

/// The codes of a unit.
#[inline]
#[target_feature(enable = "avx2")]
pub fn codes<const F: usize>(block: &[u8], unit: usize) -> __m256i {
    match format::<F>() {
        Format::Q4_0 => nibbles(&block[2..18]),
        Format::Q5_0 => {
            let fifth = u32::from_le_bytes([block[2], block[3], block[4], block[5]]);
            _mm256_or_si256(nibbles(&block[6..22]), fifth_bits(fifth))
        }
        Format::Q8_0 => _mm256_xor_si256(load_32(&block[2..34]), _mm256_set1_epi8(i8::MIN)),
        Format::Q4K => {
            let bytes = load_32(&block[16 + unit / 2 * GROUP..]);
            let shifted = if unit.is_multiple_of(2) { bytes } else { _mm256_srli_epi16::<4>(bytes) };
            _mm256_and_si256(shifted, _mm256_set1_epi8(15))
        }
        Format::Q6K => {
            let (half, quarter) = (unit / 4, unit % 4);
            let low = load_32(&block[half * 64 + quarter % 2 * GROUP..]);
            let low = if quarter < 2 { low } else { _mm256_srli_epi16::<4>(low) };
            let high = load_32(&block[128 + half * GROUP..]);
            // Two bits, to the places 4 and 5.
            let high = match quarter {
                0 => _mm256_slli_epi16::<4>(high),
                1 => _mm256_slli_epi16::<2>(high),
                2 => high,
                _ => _mm256_srli_epi16::<2>(high),
            };
            _mm256_or_si256(
                _mm256_and_si256(low, _mm256_set1_epi8(15)),
                _mm256_and_si256(high, _mm256_set1_epi8(48)),
            )
        }
        Format::F32 | Format::F16 | Format::Bf16 => _mm256_setzero_si256(),
    }
}

/// The f16 at the start of `bytes`, in all places.
#[inline]
#[target_feature(enable = "avx2,f16c")]
pub fn half(bytes: &[u8]) -> __m256 {
    _mm256_cvtph_ps(_mm_set1_epi16(i16::from_le_bytes([bytes[0], bytes[1]])))
}

/// Eight unsigned bytes as numbers.
#[inline]
#[target_feature(enable = "avx2")]
fn eight(bytes: [u8; 8]) -> __m256 {
    let bytes = _mm_cvtsi64_si128(i64::from_le_bytes(bytes));
    _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes))
}

/// Scales of the eight groups of a Q4_K block, and their minima.
#[inline]
#[target_feature(enable = "avx2,f16c")]
pub fn q4k_factors(block: &[u8]) -> (__m256, __m256) {
    let (scales, minima) = q4k_scales(q4k_packed(block));
    (_mm256_mul_ps(half(block), eight(scales)), _mm256_mul_ps(half(&block[2..]), eight(minima)))
}

/// Scales of the sixteen groups of a Q6_K block.
#[inline]
#[target_feature(enable = "avx2,f16c")]
pub fn q6k_factors(block: &[u8]) -> [f32; 16] {
    let scales = load_16(&block[192..208]);
    let factor = half(&block[208..]);
    let mut factors = [0.0; 16];
    let halves = [scales, _mm_srli_si128::<8>(scales)];
    for (scales, to) in halves.into_iter().zip(factors.chunks_exact_mut(8)) {
        store_8(_mm256_mul_ps(factor, _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(scales))), to);
    }
    factors
}

/// Writes eight numbers.
#[inline]
#[target_feature(enable = "avx2")]
pub fn store_8(values: __m256, to: &mut [f32]) {
    let to = &mut to[..8];
    // SAFETY: there is room for eight.
    unsafe { _mm256_storeu_ps(to.as_mut_ptr(), values) };
}

/// The first eight numbers.
#[inline]
#[target_feature(enable = "avx2")]
pub fn load_8(from: &[f32]) -> __m256 {
    let from = &from[..8];
    // SAFETY: there are eight.
    unsafe { _mm256_loadu_ps(from.as_ptr()) }
}

/// The codes of 32 inputs.
#[inline]
#[target_feature(enable = "avx2")]
pub fn inputs(codes: &[i8]) -> __m256i {
    let codes = &codes[..32];
    // SAFETY: there are thirty-two.
    unsafe { _mm256_loadu_si256(codes.as_ptr().cast()) }
}

/// Eight integers.
#[inline]
#[target_feature(enable = "avx2")]
pub fn integers(values: &[i32; 8]) -> __m256i {
    // SAFETY: there are eight.
    unsafe { _mm256_loadu_si256(values.as_ptr().cast()) }
}

/// The sum of eight numbers.
#[inline]
#[target_feature(enable = "avx2")]
pub fn sum_8(values: __m256) -> f32 {
    let four = _mm_add_ps(_mm256_castps256_ps128(values), _mm256_extractf128_ps::<1>(values));
    let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
}

/// The starts of each unit as a vector whose lanes are added up later: those of a Q6_K unit belong to its two groups.
pub fn spread_starts<const F: usize>(starts: &[i32]) -> Vec<[i32; 8]> {
    match format::<F>() {
        Format::Q6K => starts.chunks_exact(2).map(|pair| [pair[0], 0, 0, 0, pair[1], 0, 0, 0]).collect(),
        _ => starts.iter().map(|start| [*start, 0, 0, 0, 0, 0, 0, 0]).collect(),
    }
}

/// Sums of a row that are made side by side, so that none waits for the one before.
pub const SIDES: usize = 4;

/// Defines `multiply_rows` for a set of instructions. `$add::<F>(start, codes, inputs)` adds the products of a unit, whose
/// codes are `$codes::<F>(block, unit)`.
///
/// Rows are read one after another, as they are in memory: two at a time need half as many loads of the inputs, and take three
/// times as long, because the memory sees two streams that begin anew with each row.
macro_rules! rows_kernel {
    ($features:literal, $codes:ident, $add:ident) => {
        /// See [`Isa::multiply_rows`](super::Isa::multiply_rows).
        pub fn multiply_rows(
            format: Format,
            rows: (&[u8], usize),
            column: Column<'_>,
            starts: &[i32],
            sums: &mut [f32],
        ) {
            // SAFETY: `Isa` names these instructions only where the processor has them.
            unsafe { by_format!(format, rows_of(rows, column, starts, sums)) }
        }

        #[target_feature(enable = $features)]
        fn rows_of<const F: usize>(
            (rows, row_bytes): (&[u8], usize),
            column: Column<'_>,
            starts: &[i32],
            sums: &mut [f32],
        ) {
            let starts = spread_starts::<F>(starts);
            for (row, sum) in rows.chunks_exact(row_bytes).zip(sums) {
                let sides = match unpack_x86::format::<F>().block_values() {
                    GROUP => row_of_groups::<F>(row, column, &starts),
                    _ => row_of_blocks::<F>(row, column, &starts),
                };
                let [a, b, c, d] = sides;
                *sum = sum_8(_mm256_add_ps(_mm256_add_ps(a, b), _mm256_add_ps(c, d)));
            }
        }

        /// Formats whose block is one unit.
        #[inline]
        #[target_feature(enable = $features)]
        fn row_of_groups<const F: usize>(
            row: &[u8],
            column: Column<'_>,
            starts: &[[i32; 8]],
        ) -> [__m256; SIDES] {
            let bytes = unpack_x86::format::<F>().block_bytes();
            let mut sums = [_mm256_setzero_ps(); SIDES];
            let whole = row.chunks_exact(SIDES * bytes);
            let last = row.len() / bytes / SIDES * SIDES;
            let parts = column.codes.chunks_exact(SIDES * GROUP).zip(column.scales.chunks_exact(SIDES));
            let rest = whole.remainder().chunks_exact(bytes);
            for ((blocks, (inputs_of, scales)), starts) in whole.zip(parts).zip(starts.chunks_exact(SIDES)) {
                for side in 0..SIDES {
                    let block = &blocks[side * bytes..(side + 1) * bytes];
                    let factor = _mm256_mul_ps(half(block), _mm256_set1_ps(scales[side]));
                    fetch(block);
                    let input = inputs(&inputs_of[side * GROUP..]);
                    let total = $add::<F>(integers(&starts[side]), $codes::<F>(block, 0), input);
                    sums[side] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(total), factor, sums[side]);
                }
            }
            for (n, block) in rest.enumerate() {
                let unit = last + n;
                let factor = _mm256_mul_ps(half(block), _mm256_set1_ps(column.scales[unit]));
                let input = inputs(&column.codes[unit * GROUP..]);
                let total = $add::<F>(integers(&starts[unit]), $codes::<F>(block, 0), input);
                sums[0] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(total), factor, sums[0]);
            }
            sums
        }

        /// Formats with [`UNITS`] units in a block.
        #[inline]
        #[target_feature(enable = $features)]
        fn row_of_blocks<const F: usize>(
            row: &[u8],
            column: Column<'_>,
            starts: &[[i32; 8]],
        ) -> [__m256; SIDES] {
            let format = unpack_x86::format::<F>();
            let mut sums = [_mm256_setzero_ps(); SIDES];
            let codes_in = column.codes.chunks_exact(UNITS * GROUP);
            let scales_in = column.scales.chunks_exact(UNITS).zip(column.weighted.chunks_exact(UNITS));
            let blocks = row.chunks_exact(format.block_bytes()).zip(starts.chunks_exact(UNITS));
            for (((block, starts), input), (scales, weighted)) in blocks.zip(codes_in).zip(scales_in) {
                for line in block.chunks(64) {
                    fetch(line);
                }
                // Scales of the units' halves; of Q4_K, of whole units with the scales of the inputs.
                let mut factors = [0.0f32; 2 * UNITS];
                if matches!(format, Format::Q4K) {
                    let (scale, least) = q4k_factors(block);
                    store_8(_mm256_mul_ps(scale, load_8(scales)), &mut factors);
                    sums[0] = _mm256_fnmadd_ps(least, load_8(weighted), sums[0]);
                } else {
                    factors = q6k_factors(block);
                }
                for unit in 0..UNITS {
                    let factor = if matches!(format, Format::Q4K) {
                        _mm256_set1_ps(factors[unit])
                    } else {
                        let low = _mm_set1_ps(factors[2 * unit]);
                        let both = _mm256_set_m128(_mm_set1_ps(factors[2 * unit + 1]), low);
                        _mm256_mul_ps(both, _mm256_set1_ps(scales[unit]))
                    };
                    let input = inputs(&input[unit * GROUP..]);
                    let total = $add::<F>(integers(&starts[unit]), $codes::<F>(block, unit), input);
                    let side = unit % SIDES;
                    sums[side] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(total), factor, sums[side]);
                }
            }
            sums
        }
    };
}
pub(super) use rows_kernel;
