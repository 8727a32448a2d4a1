//! The kernel that every processor can run.

use super::TileInput;

/// See [`Isa::add_tile`](crate::isa::Isa): `P` positions by `O` outputs.
///
/// # Safety
/// As there.
pub unsafe fn add_tile<const P: usize, const O: usize>(
    tile: &TileInput<'_>,
    output: *mut f32,
    pixel_values: usize,
) {
    for pixel in 0..P {
        let input = &tile.input[pixel * tile.pixel_codes..];
        let mut sums = [0i32; O];
        for (tap, codes) in tile.taps.iter().zip(tile.codes.chunks_exact(tile.inputs * O)) {
            let pairs = input[*tap..][..tile.inputs].as_chunks::<2>().0;
            for ([first, second], codes) in pairs.iter().zip(codes.chunks_exact(2 * O)) {
                for (sum, [a, b]) in sums.iter_mut().zip(codes.as_chunks::<2>().0) {
                    let product = i32::from(*first) * i32::from(*a) + i32::from(*second) * i32::from(*b);
                    *sum = sum.wrapping_add(product);
                }
            }
        }
        // SAFETY: the caller's promise.
        let output = unsafe { std::slice::from_raw_parts_mut(output.add(pixel * pixel_values), O) };
        for ((to, sum), scale) in output.iter_mut().zip(sums).zip(tile.scales) {
            *to += sum as f32 * scale;
        }
    }
}
