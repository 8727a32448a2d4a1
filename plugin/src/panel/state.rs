//! What the panel remembers between frames: what is unfolded, selected and being typed.

use super::path_box::PathBox;
use crate::view::Answered;
use serde::{Deserialize, Serialize};

/// Scales that the panel offers, in percent of the platform's own.
pub const SCALES_PERCENT: [u16; 5] = [100, 125, 150, 175, 200];

/// Dark for dark rooms, light for light ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Theme {
    /// Light text on a dark ground.
    #[default]
    Dark,
    /// Dark text on a light ground.
    Light,
}

/// How the panel looks: worth saving with the project.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Look {
    /// Dark or light.
    pub theme: Theme,
    /// Size of everything, in percent of the platform's own: 100 to 200.
    pub scale_percent: u16,
}

impl Default for Look {
    fn default() -> Self {
        Look { theme: Theme::Dark, scale_percent: 100 }
    }
}

impl Look {
    /// The scale as a factor, held between 1 and 2 whatever a project file says.
    pub fn scale(self) -> f32 {
        f32::from(self.scale_percent.clamp(SCALES_PERCENT[0], SCALES_PERCENT[SCALES_PERCENT.len() - 1]))
            / 100.0
    }
}

/// What the panel remembers between frames. Keep it while the window is closed, and nothing is lost.
#[derive(Debug, Default)]
pub struct PanelState {
    /// Theme and scale.
    pub look: Look,
    /// [`Mark::order`](crate::view::Mark::order) of the mark that is selected in the timeline.
    pub selected: Option<u64>,
    /// The question being typed.
    pub question: String,
    /// The answer that was scrolled to, so that each comes into view once.
    pub answer_seen: Option<Answered>,
    /// The box that asks for a file, if it is open.
    pub path_box: Option<PathBox>,
    /// Whether theme and scale are unfolded.
    pub look_open: bool,
    /// Whether all notices are shown, or the newest few.
    pub notices_open: bool,
    /// The program behind "Browse…".
    pub dialogs: super::dialog::Dialogs,
}
