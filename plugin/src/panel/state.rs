//! What the panel keeps between frames: what is open, what is selected, what the user types.

use super::dialog::Dialogs;
use super::models::Models;
use super::path_box::PathBox;
use crate::settings::Look;
use crate::view::Answered;
use mixing_buddy_core::PerStem;

/// The track that the plugin sits on, as the host names it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Track {
    /// Its name; can be empty.
    pub name: String,
    /// Its colour: red, green, blue.
    pub colour_rgb: Option<[u8; 3]>,
}

/// What the host does with a parameter, as far as it tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Indication {
    /// What it is mapped to, such as a knob of a controller.
    pub mapped_to: Option<String>,
    /// The state of its automation.
    pub automation: Automation,
}

/// The state of a parameter's automation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Automation {
    /// There is none.
    #[default]
    None,
    /// There is some, but it does not play.
    Present,
    /// It plays.
    Playing,
    /// It is recorded.
    Recording,
    /// The user plays something else over it.
    Overriding,
}

impl Indication {
    /// In words; none where there is nothing to say.
    pub fn words(&self) -> Option<String> {
        let automation = match self.automation {
            Automation::None => None,
            Automation::Present => Some("automated"),
            Automation::Playing => Some("automation plays"),
            Automation::Recording => Some("automation records"),
            Automation::Overriding => Some("automation overridden"),
        };
        match (&self.mapped_to, automation) {
            (Some(control), Some(automation)) => Some(format!("{control} · {automation}")),
            (Some(control), None) => Some(control.clone()),
            (None, automation) => automation.map(str::to_string),
        }
    }
}

/// What the host does with each parameter of the panel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Indications {
    /// The bypass.
    pub bypass: Indication,
    /// The confidence threshold.
    pub threshold: Indication,
    /// The time between windows.
    pub hop: Indication,
}

/// A place that gets the keyboard with the next frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Focus {
    /// The field for a question.
    Question,
    /// The timeline.
    Timeline,
}

/// What the panel keeps between frames. Keep it while the window is closed, and nothing is lost.
#[derive(Debug, Default)]
pub struct PanelState {
    /// Theme and scale.
    pub look: Look,
    /// [`Mark::order`](crate::view::Mark::order) of the mark that is selected in the timeline.
    pub selected: Option<u64>,
    /// The question that the user types.
    pub question: String,
    /// The answer that the panel has scrolled to, so that it scrolls to each answer once.
    pub answer_seen: Option<Answered>,
    /// The box that asks for a file, if it is open.
    pub path_box: Option<PathBox>,
    /// Whether the controls for theme and scale are open.
    pub look_open: bool,
    /// Whether the list of the library is open.
    pub library_open: bool,
    /// Whether all notices are shown, or only the newest.
    pub notices_open: bool,
    /// The gains that the user tries, in dB; none while they follow the advice.
    pub trial_db: Option<PerStem<f32>>,
    /// Whether the faders of the audition are shown.
    pub faders_open: bool,
    /// Whether an audition may play over the running song.
    pub over_song: bool,
    /// Whether the list of keys is open.
    pub keys_open: bool,
    /// What gets the keyboard with the next frame.
    pub focus: Option<Focus>,
    /// The confidence threshold before the slider was dragged.
    pub threshold_before: Option<f32>,
    /// The track that the plugin sits on, where the host tells.
    pub track: Option<Track>,
    /// The models, and what is being done about them.
    pub models: Models,
    /// What the host does with the parameters.
    pub indications: Indications,
    /// The program behind "Browse…".
    pub dialogs: Dialogs,
}
