//! The settings that parameters, the saved state and the panel have in common. This module knows none of them.
//!
//! [`params`](crate::params), [`state`](crate::state), the worker and the panel all read these types; the arrows
//! point here and nowhere back.

use mixing_buddy_core::features::FeatureSettings;
use serde::{Deserialize, Serialize};

/// Slabs in a window. A window moves by whole slabs.
pub const SLABS_PER_WINDOW: usize = 4;
/// Length of a slab in seconds, a quarter of a window: the shortest hop.
pub const SLAB_S: f64 = FeatureSettings::WINDOW_S as f64 / SLABS_PER_WINDOW as f64;

/// Smallest size of the panel in points, at any scale.
pub const MIN_SIZE_PT: [f32; 2] = [560.0, 420.0];
/// Size of the panel in points when it opens for the first time.
pub const DEFAULT_SIZE_PT: [f32; 2] = [820.0, 600.0];
/// Scales that the panel offers, in percent of the platform's own scale.
pub const SCALES_PERCENT: [u16; 5] = [100, 125, 150, 175, 200];
/// A saved panel size is clamped to this range in points, so that no file can make the panel vanish.
const SAVED_SIZE_PT: std::ops::RangeInclusive<f32> = 320.0..=8000.0;

/// The automatable parameters as they stand now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Whether the plugin is bypassed: audio passes through and is not analyzed.
    pub bypass: bool,
    /// Confidence from which the model gives advice, 0 to 1. Below it the model abstains.
    pub confidence_threshold: f32,
    /// Time from one analyzed window to the next.
    pub hop: Hop,
}

/// Time from one analyzed window to the next. Windows are ten seconds long, so shorter hops make them overlap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hop {
    /// 2.5 s: one slab.
    TwoAndAHalf,
    /// 5 s: two slabs.
    #[default]
    Five,
    /// 10 s: four slabs, so windows do not overlap.
    Ten,
}

impl Hop {
    /// All hops, shortest first.
    pub const ALL: [Hop; 3] = [Hop::TwoAndAHalf, Hop::Five, Hop::Ten];

    /// The hop in slabs.
    pub const fn slabs(self) -> usize {
        match self {
            Hop::TwoAndAHalf => 1,
            Hop::Five => 2,
            Hop::Ten => SLABS_PER_WINDOW,
        }
    }

    /// The hop as the panel shows it: "2.5 s".
    pub const fn label(self) -> &'static str {
        match self {
            Hop::TwoAndAHalf => "2.5 s",
            Hop::Five => "5 s",
            Hop::Ten => "10 s",
        }
    }
}

/// Colour theme of the panel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Theme {
    /// Light text on a dark background.
    #[default]
    Dark,
    /// Dark text on a light background.
    Light,
}

/// Theme and scale of the panel. Saved with the project.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Look {
    /// Dark or light.
    pub theme: Theme,
    /// Size of everything, in percent of the platform's own scale: 100 to 200.
    pub scale_percent: u16,
}

impl Default for Look {
    fn default() -> Self {
        Look { theme: Theme::Dark, scale_percent: 100 }
    }
}

impl Look {
    /// The scale as a factor, clamped to 1 to 2 whatever a project file contains.
    pub fn scale(self) -> f32 {
        f32::from(self.scale_percent.clamp(SCALES_PERCENT[0], SCALES_PERCENT[SCALES_PERCENT.len() - 1]))
            / 100.0
    }
}

/// What a project keeps of the panel: its look, and its size in points.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PanelSettings {
    /// Theme and scale.
    pub look: Look,
    /// Width and height in points.
    pub size_pt: (f32, f32),
}

impl Default for PanelSettings {
    fn default() -> Self {
        PanelSettings { look: Look::default(), size_pt: DEFAULT_SIZE_PT.into() }
    }
}

impl PanelSettings {
    /// The same settings with a size that a window can have.
    pub fn checked(self) -> Self {
        let clamp = |points: f32, default: f32| {
            if points.is_finite() {
                points.clamp(*SAVED_SIZE_PT.start(), *SAVED_SIZE_PT.end())
            } else {
                default
            }
        };
        let default = PanelSettings::default().size_pt;
        PanelSettings {
            size_pt: (clamp(self.size_pt.0, default.0), clamp(self.size_pt.1, default.1)),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hops_are_labelled_with_their_length() {
        for hop in Hop::ALL {
            assert_eq!(hop.label(), format!("{} s", hop.slabs() as f64 * SLAB_S));
        }
    }
}
