//! The sums of a tile: 8 positions by 32 outputs, or 16 by 16.
//!
//! All kernels compute the same exact sums and round the last steps alike, so that all processors get the same values.
//!
//! | file | for |
//! | --- | --- |
//! | `plain` | every processor |
//! | `avx2` | x86 since 2013 |
//! | `avx512` | x86 with AVX-512 VNNI |
//! | `neon` | ARM, 64 bits |

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
mod plain;

use crate::isa::Isa;

/// What a tile is computed from.
pub struct TileInput<'a> {
    /// Codes of the map, from the first tap of the tile's first position.
    pub input: &'a [i16],
    /// Codes from one position to the next.
    pub pixel_codes: usize,
    /// Distance of each tap from the first code.
    pub taps: &'a [usize],
    /// Input channels, an even number.
    pub inputs: usize,
    /// The kernel's codes, `[taps][pairs of inputs][outputs][2]`.
    pub codes: &'a [i16],
    /// What a sum of 1 is worth, for each of the 16 or 32 outputs.
    pub scales: &'a [f32],
}

impl Isa {
    /// Adds a tile's values to `output`, whose positions are `pixel_values` apart.
    ///
    /// # Safety
    /// `input` must reach to the last tap of the last position, `output` to the last output of the last position, and
    /// `codes` must be as long as `taps`, `inputs` and `scales` say.
    pub(super) unsafe fn add_tile(self, tile: &TileInput<'_>, output: *mut f32, pixel_values: usize) {
        debug_assert_eq!(tile.codes.len(), tile.taps.len() * tile.inputs * tile.scales.len());
        let is_wide = tile.scales.len() == 32;
        // SAFETY: the caller's promise; `Isa` names these instructions only where the processor has them.
        unsafe {
            match (self, is_wide) {
                (Isa::Plain, true) => plain::add_tile::<8, 32>(tile, output, pixel_values),
                (Isa::Plain, false) => plain::add_tile::<16, 16>(tile, output, pixel_values),
                #[cfg(target_arch = "x86_64")]
                (Isa::Avx2, true) => avx2::add_tile::<8, 2>(tile, output, pixel_values),
                #[cfg(target_arch = "x86_64")]
                (Isa::Avx2, false) => avx2::add_tile::<16, 1>(tile, output, pixel_values),
                #[cfg(target_arch = "x86_64")]
                (Isa::Avx512, true) => avx512::add_tile::<8, 2>(tile, output, pixel_values),
                #[cfg(target_arch = "x86_64")]
                (Isa::Avx512, false) => avx512::add_tile::<16, 1>(tile, output, pixel_values),
                #[cfg(target_arch = "aarch64")]
                (Isa::Neon, true) => neon::add_tile::<8, 2>(tile, output, pixel_values),
                #[cfg(target_arch = "aarch64")]
                (Isa::Neon, false) => neon::add_tile::<16, 1>(tile, output, pixel_values),
            }
        }
    }
}
