//! The settings that determine the features.

use crate::stem::Stem;
use serde::{Deserialize, Serialize};

/// All settings of the features. Part of the model bundle, so that a model always gets the features that it was trained
/// with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeatureSettings {
    /// Rate of the sound in Hz.
    pub sample_rate_hz: u32,
    /// Length of the Fourier transform in samples.
    pub fft_samples: usize,
    /// Step between frames in samples.
    pub hop_samples: usize,
    /// How the bands are spaced.
    #[serde(default = "BandScale::of_old_bundles")]
    pub scale: BandScale,
    /// Number of bands. Called `mels` in files, since the first models spaced them on the mel scale.
    #[serde(rename = "mels")]
    pub bands: usize,
    /// Centre of the lowest band in Hz.
    pub lowest_hz: f32,
    /// Centre of the highest band in Hz.
    pub highest_hz: f32,
    /// Frames per patch; a patch is one token of the encoder.
    pub patch_frames: usize,
    /// The stems whose share of the mix a separator estimates, in the order of their shares. None in models without one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub separated: Vec<Stem>,
}

/// Spacing of the bands along frequency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BandScale {
    /// O'Shaughnessy's mel scale, `2595 log10(1 + f / 700)`: nearly linear below 700 Hz.
    Mel,
    /// The ERB-rate scale of Glasberg and Moore (1990), `21.4 log10(1 + 0.00437 f)`: twice as fine below 200 Hz, where
    /// kick and bass share most of a mix's power.
    ErbRate,
}

impl BandScale {
    /// Bundles that do not name a scale were made with this one.
    fn of_old_bundles() -> Self {
        BandScale::Mel
    }

    /// Position on the scale of a frequency in Hz.
    pub fn of_hz(self, hz: f64) -> f64 {
        match self {
            BandScale::Mel => 2595.0 * (1.0 + hz / 700.0).log10(),
            BandScale::ErbRate => 21.4 * (1.0 + 0.00437 * hz).log10(),
        }
    }

    /// Frequency in Hz of a position on the scale.
    pub fn to_hz(self, place: f64) -> f64 {
        match self {
            BandScale::Mel => 700.0 * (10f64.powf(place / 2595.0) - 1.0),
            BandScale::ErbRate => (10f64.powf(place / 21.4) - 1.0) / 0.00437,
        }
    }
}

impl Default for FeatureSettings {
    fn default() -> Self {
        FeatureSettings {
            sample_rate_hz: crate::audio::MODEL_RATE_HZ,
            fft_samples: 4096,
            hop_samples: 640,
            scale: BandScale::ErbRate,
            bands: 80,
            lowest_hz: 30.0,
            highest_hz: 15_500.0,
            patch_frames: 5,
            separated: Vec::new(),
        }
    }
}

impl FeatureSettings {
    /// Length of a window in seconds.
    pub const WINDOW_S: f32 = 10.0;
    /// Length of the shortest window that is judged, in seconds. Chosen, not tuned.
    pub const SHORTEST_S: f32 = 3.0;

    /// Slabs in a full window. Features are made slab by slab, so that windows which overlap can share them.
    pub const SLABS_PER_WINDOW: usize = 4;

    /// Values of the power of one patch: frames × bands × (mid, side).
    pub fn patch_values(&self) -> usize {
        self.patch_frames * self.bands * 2
    }

    /// Values of the shares of one patch: separated stems × frames × bands.
    pub fn patch_shares(&self) -> usize {
        self.separated.len() * self.patch_frames * self.bands
    }

    /// Values of one frame of a stream of features: mid bands, side bands, then the share bands of each separated stem.
    pub fn row_values(&self) -> usize {
        (2 + self.separated.len()) * self.bands
    }

    /// Frames of a slab: as many whole patches as are nearest to a quarter of a window, 2.5 s.
    pub fn slab_frames(&self) -> usize {
        let patch_samples = (self.hop_samples * self.patch_frames) as f64;
        let slab_s = f64::from(Self::WINDOW_S) / Self::SLABS_PER_WINDOW as f64;
        let patches = slab_s * f64::from(self.sample_rate_hz) / patch_samples;
        (patches.round() as usize).max(1) * self.patch_frames
    }

    /// Samples of a full window.
    pub fn window_samples(&self) -> usize {
        (Self::WINDOW_S * self.sample_rate_hz as f32) as usize
    }

    /// Frames of `samples` samples, cut to whole patches.
    pub fn frames(&self, samples: usize) -> usize {
        samples / self.hop_samples / self.patch_frames * self.patch_frames
    }
}
