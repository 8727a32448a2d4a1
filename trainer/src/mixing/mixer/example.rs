//! A mix to be made, and what comes out of it.

use crate::mixing::augment::StemShape;
use crate::mixing::shares::ErrorSource;
use mixing_buddy_core::Stem;

/// Share of the mix's power (-50 dB) up to which a stem counts as absent, and the least that a stem is compared with.
/// Chosen, not tuned: absent stems have no power at all.
const ABSENT_SHARE: f64 = 1e-5;

/// What a stem goes through before the sum.
#[derive(Clone, Debug)]
pub struct StemTreatment {
    /// Song in the cache.
    pub song: usize,
    /// Window in the song.
    pub window: usize,
    /// Stem class.
    pub stem: Stem,
    /// Amplitude factors of one frame's cells, `[(mid, side), bands]`: gain, width and equaliser in one.
    pub amplitude: Vec<f32>,
    /// Frames by which the stem is rolled in time; only for stems that are alone in their window.
    pub roll: usize,
    /// What else is done to it.
    pub shape: StemShape,
}

impl StemTreatment {
    /// Whether the cross terms of two treatments are those of the recording.
    pub(super) fn shares_time_with(&self, other: &StemTreatment) -> bool {
        (self.song, self.window, self.roll) == (other.song, other.window, other.roll)
            && self.shape.is_plain()
            && other.shape.is_plain()
    }
}

/// A mix to be made.
#[derive(Clone, Debug, Default)]
pub struct MixPlan {
    /// What is mixed; a stem of two entries is layered.
    pub stems: Vec<StemTreatment>,
    /// Bus equaliser, an amplitude factor per band.
    pub bus_eq: Vec<f32>,
    /// Ratio of the bus compressor, 1 for none.
    pub bus_ratio: f32,
    /// Whose separator errors the mix gets, per separated stem; empty without a separator.
    pub share_errors: Vec<Option<ErrorSource>>,
}

/// One window, in the encoder's patch layout (`[frames, (mid, side), bands]`).
pub struct Example {
    /// Power of the mix.
    pub mix: Vec<f32>,
    /// Power of each stem on its own, `[stems][cells]`; zeros where absent.
    pub parts: Vec<Vec<f32>>,
    /// What the separator says: a map per separated stem, `[frames, bands]`.
    pub shares: Vec<Vec<f32>>,
}

impl Example {
    /// Level of each stem against the rest in dB, from sums of powers, as in the norms; none where absent.
    pub fn rest_levels_db(&self) -> [Option<f32>; Stem::COUNT] {
        let cells = self.mix.len();
        let parts: [&[f32]; Stem::COUNT] = std::array::from_fn(|c| &self.parts[c][..cells]);
        // All stems in one pass: sums that do not wait for each other take the time of one.
        let mut powers = [0.0f64; Stem::COUNT];
        for cell in 0..cells {
            for (sum, part) in powers.iter_mut().zip(&parts) {
                *sum += f64::from(part[cell]);
            }
        }
        let total: f64 = powers.iter().sum();
        std::array::from_fn(|c| {
            let rest = total - powers[c];
            (powers[c] > total * ABSENT_SHARE && rest > 0.0)
                .then(|| (10.0 * (powers[c] / rest.max(total * ABSENT_SHARE)).log10()) as f32)
        })
    }
}
