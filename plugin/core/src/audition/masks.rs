//! How the power of each cell of a window is shared among the stems.

use crate::error::Result;
use crate::features::{BandPower, FeatureSettings};
use crate::stem::{PerStem, Stem};
use candle_core::Tensor;

/// Power below which a cell has no sound, whatever the level of the window: then all stems share it equally.
const NO_POWER: f32 = 1e-30;

/// The share of each stem in the power of each cell, 0 to 1: `[frames, bands]` per stem, row-major. In each cell the shares
/// of all stems sum to one.
#[derive(Clone, Debug, PartialEq)]
pub struct StemMasks {
    /// Number of frames, as in the features.
    pub frames: usize,
    /// Number of bands, as in the features.
    pub bands: usize,
    /// Shares of the power of `(L + R) / 2`.
    pub mid: PerStem<Vec<f32>>,
    /// Shares of the power of `(L - R) / 2`.
    pub side: PerStem<Vec<f32>>,
}

impl StemMasks {
    /// From the encoder's logits of one window, `[1, tokens, stems, patch_values]`: a softmax over the stems.
    ///
    /// # Errors
    /// When the logits have another shape.
    pub fn from_logits(logits: &Tensor, settings: &FeatureSettings) -> Result<Self> {
        let cells = settings.patch_values();
        let (_, tokens, _, _) = logits.dims4()?;
        let logits = logits.reshape((tokens * Stem::COUNT, cells))?.to_vec2::<f32>()?;
        let (bands, frames) = (settings.bands, tokens * settings.patch_frames);
        let empty = || PerStem::from_fn(|_| Vec::with_capacity(frames * bands));
        let mut masks = StemMasks { frames, bands, mid: empty(), side: empty() };
        for token in logits.chunks_exact(Stem::COUNT) {
            for cell in 0..cells {
                let top = token.iter().map(|row| row[cell]).fold(f32::NEG_INFINITY, f32::max);
                let sum: f32 = token.iter().map(|row| (row[cell] - top).exp()).sum();
                // A patch is frames × (mid, side) × bands.
                let map = if cell / bands % 2 == 0 { &mut masks.mid } else { &mut masks.side };
                for stem in Stem::ALL {
                    map[stem].push((token[stem.index()][cell] - top).exp() / sum);
                }
            }
        }
        Ok(masks)
    }

    /// The ideal ratio masks of stems that are known: each stem's part of the sum of all stems' powers. What masks of this
    /// resolution can reach at best, for comparison.
    pub fn ideal(stems: &PerStem<BandPower>) -> Self {
        let (frames, bands) = (stems.vocals.frames, stems.vocals.bands);
        let shares = |map: fn(&BandPower) -> &Vec<f32>| {
            let total: Vec<f32> = (0..frames * bands)
                .map(|cell| Stem::ALL.iter().map(|stem| map(&stems[*stem])[cell]).sum())
                .collect();
            PerStem::from_fn(|stem| {
                let shares = map(&stems[stem]).iter().zip(&total);
                shares
                    .map(|(part, all)| if *all > NO_POWER { part / all } else { 1.0 / Stem::COUNT as f32 })
                    .collect()
            })
        };
        StemMasks { frames, bands, mid: shares(|power| &power.mid), side: shares(|power| &power.side) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn logits_become_shares_of_the_right_frame_band_and_channel() {
        let settings = FeatureSettings { bands: 3, patch_frames: 2, ..FeatureSettings::default() };
        let (tokens, cells) = (2, settings.patch_values());
        let mut logits = vec![0.0f32; tokens * Stem::COUNT * cells];
        // Token 1, its frame 1, side, band 2: the bass has all.
        let cell = settings.bands * 3 + 2;
        logits[(Stem::COUNT + Stem::Bass.index()) * cells + cell] = 40.0;
        let logits = Tensor::from_vec(logits, (1, tokens, Stem::COUNT, cells), &Device::Cpu).unwrap();
        let masks = StemMasks::from_logits(&logits, &settings).unwrap();
        assert_eq!((masks.frames, masks.bands), (4, 3));
        for (map, at) in [(&masks.mid, None), (&masks.side, Some(3 * settings.bands + 2))] {
            for index in 0..12 {
                let expected = if at == Some(index) { 1.0 } else { 0.25 };
                assert!((map.bass[index] - expected).abs() < 1e-6, "{index}");
                let sum: f32 = Stem::ALL.iter().map(|stem| map[*stem][index]).sum();
                assert!((sum - 1.0).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn ideal_shares_are_parts_of_the_stems_power() {
        let power = |value: f32| BandPower {
            frames: 1,
            bands: 2,
            mid: vec![value, 0.0],
            side: vec![1.0, value],
            shares: Vec::new(),
        };
        let masks = StemMasks::ideal(&PerStem {
            vocals: power(3.0),
            drums: power(1.0),
            bass: power(0.0),
            other: power(0.0),
        });
        assert_eq!(masks.mid.vocals, [0.75, 0.25]);
        assert_eq!(masks.side.vocals, [0.25, 0.75]);
    }
}
