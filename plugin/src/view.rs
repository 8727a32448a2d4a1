//! What the panel shows and what it can ask for: plain values, published by the worker and drawn by the panel.
//!
//! The worker builds a [`View`] and publishes it as a whole. The panel draws it and sends [`Command`]s. Neither holds
//! anything of the other, so tests draw the panel from a `View` written by hand.

use crate::library::{LibraryCommand, LibraryView};
use crate::since::Since;
use mixing_buddy_core::audition::Version;
use mixing_buddy_core::decoder::ReferenceBalance;
use mixing_buddy_core::loudness::Meters;
use mixing_buddy_core::passes::Followed;
use mixing_buddy_core::profile::Choice;
use mixing_buddy_core::{Advice, DeviceKind, ModelChoice, PerStem, Stem};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::Arc;

/// Everything the panel draws, at one moment.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// Increases with every published change.
    pub revision: u64,
    /// Version of the plugin.
    pub version: &'static str,
    /// What the plugin is doing.
    pub activity: Activity,
    /// The newest window with advice.
    pub newest: Option<Arc<Mark>>,
    /// How many of the last windows agree with the newest in stem and direction, and how many windows were compared.
    pub agreement: (usize, usize),
    /// The advice on all windows since the last "Start over", pooled.
    pub song: Option<Arc<SongSummary>>,
    /// All windows with advice, oldest advice first.
    pub history: Arc<Vec<Arc<Mark>>>,
    /// Levels measured in the newest window, in LU against the rest of the mix; none where the stem is absent.
    pub levels_lu: PerStem<Option<f32>>,
    /// The usual range of each stem, in LU against the rest of the mix: low and high end.
    pub usual_lu: PerStem<(f32, f32)>,
    /// The balance to aim at.
    pub reference: Option<Reference>,
    /// Progress in measuring a reference file, 0 to 1.
    pub reference_progress: Option<f32>,
    /// The library of references.
    pub library: LibraryView,
    /// What has changed since an earlier pass over the same place.
    pub since: Option<Since>,
    /// What "Undo" would take back.
    pub undo: Option<Undoable>,
    /// Whether there are analyzed windows that can be pinned as the reference.
    pub can_pin: bool,
    /// The user's settings that are not parameters.
    pub choices: Choices,
    /// The last question in the user's words, and its answer.
    pub answer: Option<Answered>,
    /// The model, its device and its cost.
    pub model: ModelStatus,
    /// Loudness and peaks of what the host has played since it last began to play.
    pub meters: Meters,
    /// The audition: what is heard in place of the mix.
    pub audition: Audition,
    /// Messages for the user, newest last. Errors stay until the user dismisses them.
    pub notices: Vec<Notice>,
}

/// What the plugin is doing.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Activity {
    /// The model is being loaded.
    #[default]
    Loading,
    /// No model can be used; a notice gives the reason.
    NoModel,
    /// Nothing has been played yet.
    Waiting,
    /// The host plays and a window fills with audio.
    Filling {
        /// Seconds of audio in the first window since the last break: 0 to 10.
        filled_s: f32,
    },
    /// The host plays, and something keeps every window from finishing.
    Obstructed(Obstacle),
    /// The host's transport is stopped.
    Paused,
    /// The plugin is bypassed.
    Bypassed,
    /// The worker analyzes windows that an offline render has queued.
    CatchingUp {
        /// Windows still to analyze.
        left: usize,
    },
}

/// What keeps windows from finishing while the host plays.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Obstacle {
    /// The host plays a loop that is too short for the model.
    ShortLoop {
        /// Length of the loop in seconds.
        loop_s: f32,
    },
    /// The position jumps.
    Jumps,
    /// The host stops and starts.
    Stops,
    /// Audio is lost because the computer is too busy.
    LostAudio,
}

/// A window and the advice on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    /// Start of the window by the host's transport, in seconds.
    pub start_s: f64,
    /// End of the window by the host's transport, in seconds.
    pub end_s: f64,
    /// Number of the advice: higher is newer.
    pub order: u64,
    /// Whether it counts for the song: false for windows before the last change of the mix that was found, or the last
    /// "Start over".
    pub current: bool,
    /// Number of the pass over the song, from one; 0 where that is not known.
    #[serde(default)]
    pub pass: u32,
    /// What became of the advice at this place: that of the pass before, or of this one where no later pass has been here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub followed: Option<Followed>,
    /// The advice.
    pub advice: Advice,
}

/// Advice on all windows since the last "Start over".
#[derive(Clone, Debug, PartialEq)]
pub struct SongSummary {
    /// The advice on the song.
    pub advice: Advice,
    /// Number of windows pooled.
    pub windows: usize,
}

/// A reference balance and its origin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reference {
    /// Name for the user: "Pinned at 1:20" or a file name.
    pub name: String,
    /// Levels as the model measures them (unweighted RMS against the rest, dB). The model compares windows with these.
    pub balance: ReferenceBalance,
    /// The same levels in LU, for display.
    pub levels_lu: PerStem<Option<f32>>,
    /// Number of windows that were measured.
    pub windows: usize,
    /// Number of songs, where it is made of songs of the library; else 0, which is not saved.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub songs: usize,
    /// The songs and groups that it is made of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<Choice>,
}

/// Serde hands over a reference.
fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// The user's settings that are saved with the project and are not parameters.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Choices {
    /// The anchor, a stem whose level is right: vocals, drums or bass.
    pub anchor: Option<Stem>,
    /// Which stems are in the mix, if the user has set them; otherwise the model detects them.
    pub stems: Option<PerStem<bool>>,
    /// A model file to use in place of the built-in model.
    pub model_path: Option<PathBuf>,
}

/// A question in the user's words, answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Answered {
    /// The question.
    pub question: String,
    /// What is written of the answer so far.
    pub written: String,
    /// The answer; none while the model works on it.
    pub advice: Option<Advice>,
}

/// The model in use, its device and its cost.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModelStatus {
    /// Name and version of the bundle: "compact 0.1.0"; empty while none is loaded.
    pub name: String,
    /// Where the model runs; none while no model is loaded.
    pub device: Option<DeviceKind>,
    /// Time to analyze the last window and answer, in milliseconds.
    pub window_ms: Option<f32>,
    /// Audio lost because the ring was full, in seconds.
    pub dropped_s: f64,
    /// The model's own confidence threshold.
    pub threshold: f32,
    /// The language model beside the built-in model's ears.
    pub language: ModelChoice,
}

/// What is heard in place of the mix, or can be.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Audition {
    /// Whether it sounds.
    pub state: AuditionState,
    /// What was asked for last.
    pub trial: Trial,
    /// Seconds of sound that can be played; 0 until there are three.
    pub playable_s: f32,
}

/// Whether an audition sounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AuditionState {
    /// No, and nothing happened that the user must know.
    #[default]
    Off,
    /// No: it ended, or could not begin.
    Ended(End),
    /// Not yet: the worker prepares it.
    Preparing,
    /// Yes.
    Sounding,
    /// No: the host does not call the plugin while it stands.
    HostSleeps,
}

impl AuditionState {
    /// Whether the output is not the mix, or will not be soon.
    pub fn is_on(self) -> bool {
        match self {
            AuditionState::Off | AuditionState::Ended(_) => false,
            AuditionState::Preparing | AuditionState::Sounding | AuditionState::HostSleeps => true,
        }
    }
}

/// Why an audition ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The song plays, and the user has not allowed an audition over it.
    SongPlays,
    /// The song has stopped.
    SongStopped,
    /// The plugin is bypassed.
    Bypassed,
    /// The host has stopped or deactivated the plugin, or changed its sample rate.
    Host,
    /// The host renders.
    Renders,
    /// The editor is closed.
    EditorClosed,
    /// There are less than three seconds of sound to play.
    NoSound,
}

impl End {
    /// All of them.
    pub const ALL: [End; 7] = [
        End::SongPlays,
        End::SongStopped,
        End::Bypassed,
        End::Host,
        End::Renders,
        End::EditorClosed,
        End::NoSound,
    ];
}

/// Gains to be heard, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Trial {
    /// Gain of each stem in dB.
    pub gains_db: PerStem<f32>,
    /// With or without the gains.
    pub version: Version,
    /// Whether it may play over the running song.
    pub over_song: bool,
}

/// A change that can be undone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Undoable {
    /// Of the reference, or of what of the library is aimed at.
    Reference,
    /// Of the anchor.
    Anchor,
    /// Of the stems in the mix.
    Stems,
    /// Of the confidence threshold, which had this value.
    Threshold(f32),
    /// "Start over".
    StartOver,
}

/// A message for the user.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// Identifies the notice in [`Command::Dismiss`].
    pub id: u64,
    /// Whether something failed.
    pub is_error: bool,
    /// The message: one or two sentences.
    pub text: String,
}

/// What the panel can ask the worker to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Use the balance of the last windows as the reference.
    PinReference,
    /// Measure an audio file and use its balance as the reference.
    LoadReference(PathBuf),
    /// Stop measuring a reference file.
    CancelReference,
    /// Aim at the usual balance again.
    ClearReference,
    /// Undo the last change of reference, anchor, stems or threshold, or the last "Start over". The host has the
    /// threshold: the panel sets it before.
    Undo,
    /// The user has changed the confidence threshold, which had this value.
    ThresholdWas(f32),
    /// Set the anchor.
    SetAnchor(Option<Stem>),
    /// Set which stems are in the mix; none lets the model detect them.
    SetStems(Option<PerStem<bool>>),
    /// The user is about to ask: what an answer begins with can be made now.
    WillAsk,
    /// Ask a question about the last windows in the user's own words.
    Ask(String),
    /// The mix has changed: older windows no longer count for the song.
    StartOver,
    /// Read the library of references, measure songs into it, aim at some of them.
    Library(LibraryCommand),
    /// Use another language model, for all projects.
    ChooseLanguage(ModelChoice),
    /// Use another model, or the built-in one.
    ChooseModel(Option<PathBuf>),
    /// Write the report: `PATH.md` and `PATH.json`.
    SaveReport(PathBuf),
    /// Play the last ten seconds with other gains in place of the mix, or change them.
    Hear(Trial),
    /// Play the mix again.
    StopHearing,
    /// Remove a notice.
    Dismiss(u64),
}
