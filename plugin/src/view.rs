//! What the panel shows and what it may ask for: plain values, published by the worker, drawn by the panel.
//!
//! The arrow runs one way: the worker makes a [`View`] and publishes it whole; the panel draws it and sends
//! [`Command`]s. Neither holds anything of the other, so the panel is drawn in tests from a `View` written by hand.

use mixing_buddy_core::decoder::ReferenceBalance;
use mixing_buddy_core::{Advice, PerStem, Stem};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::Arc;

/// Everything the panel draws, as of one moment.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// Goes up with every published change.
    pub revision: u64,
    /// What the advisor is doing.
    pub activity: Activity,
    /// The newest judged window.
    pub newest: Option<Arc<Mark>>,
    /// How many of the last windows, of how many, agree with the newest: stem and direction.
    pub agreement: (usize, usize),
    /// The windows since the last "Start over", pooled and judged as one song.
    pub song: Option<Arc<SongSummary>>,
    /// Judged windows by host position, oldest judgement first.
    pub history: Arc<Vec<Arc<Mark>>>,
    /// Levels heard in the newest window, in LU against the rest of the mix; none where the stem is absent.
    pub levels_lu: PerStem<Option<f32>>,
    /// The band that is usual for each stem, in LU against the rest of the mix: low and high end.
    pub usual_lu: PerStem<(f32, f32)>,
    /// The balance to aim at.
    pub reference: Option<Reference>,
    /// Progress of a reference file that is being measured, 0 to 1.
    pub reference_progress: Option<f32>,
    /// Whether pin or clear of a reference can be undone.
    pub can_undo_reference: bool,
    /// Whether there are judged windows that could be pinned.
    pub can_pin: bool,
    /// The user's settings that are no parameters.
    pub choices: Choices,
    /// The last question in the user's words, and its answer.
    pub answer: Option<Answered>,
    /// The model and what it costs.
    pub model: ModelStatus,
    /// Sentences for the user, newest last; errors stay until dismissed.
    pub notices: Vec<Notice>,
}

/// What the advisor is doing.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Activity {
    /// The model is being loaded.
    #[default]
    Loading,
    /// There is no model that can be used; the notice says why.
    NoModel,
    /// Nothing has been played yet.
    Waiting,
    /// A window is filling; seconds heard of the ten that it takes.
    Listening {
        /// Seconds of sound in the window so far.
        buffered_s: f32,
    },
    /// The host's transport stands still.
    Paused,
    /// The plugin is bypassed.
    Bypassed,
    /// Judging windows that were queued by an offline bounce.
    CatchingUp {
        /// Windows still to be judged.
        left: usize,
    },
}

/// One judged window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    /// Start of the window by the host's transport, in seconds.
    pub start_s: f64,
    /// End of the window by the host's transport, in seconds.
    pub end_s: f64,
    /// Number of the judgement: higher is newer.
    pub order: u64,
    /// Whether it counts for the song summary: false for those before the last "Start over".
    pub current: bool,
    /// What was said.
    pub advice: Advice,
}

/// The windows since the last "Start over", as one song.
#[derive(Clone, Debug, PartialEq)]
pub struct SongSummary {
    /// What is said of the song.
    pub advice: Advice,
    /// Number of windows pooled.
    pub windows: usize,
}

/// A reference balance and where it is from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reference {
    /// For a person: "Pinned at 1:20" or a file's name.
    pub name: String,
    /// Levels as the model measures them (unweighted RMS against the rest, dB): what judgements use.
    pub balance: ReferenceBalance,
    /// The same in LU, for display.
    pub levels_lu: PerStem<Option<f32>>,
    /// Number of windows behind it.
    pub windows: usize,
}

/// The user's settings that are saved with the project and are no parameters.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Choices {
    /// A stem that is right: vocals, drums or bass.
    pub anchor: Option<Stem>,
    /// Which stems are in the mix, where the user says so; else those that are heard.
    pub stems: Option<PerStem<bool>>,
    /// A model file other than the built-in one.
    pub model_path: Option<PathBuf>,
}

/// A question in the user's words, answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Answered {
    /// The question.
    pub question: String,
    /// The answer; none while it is being made.
    pub advice: Option<Advice>,
}

/// The model in use and what it costs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModelStatus {
    /// Name and version of the bundle: "compact 0.1.0"; empty while none is loaded.
    pub name: String,
    /// "CPU", "CUDA" or "Metal".
    pub device: String,
    /// Time of the last window from complete to judged, in milliseconds.
    pub window_ms: Option<f32>,
    /// Sound dropped because the ring was full, in seconds.
    pub dropped_s: f64,
    /// Confidence from which the model speaks by itself.
    pub threshold: f32,
}

/// A sentence for the user.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// Names the notice when it is dismissed.
    pub id: u64,
    /// Whether something failed.
    pub is_error: bool,
    /// The sentence.
    pub text: String,
}

/// What the panel asks of the worker.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Use the last judged windows as the balance to aim at.
    PinReference,
    /// Measure an audio file and aim at its balance.
    LoadReference(PathBuf),
    /// Stop measuring a reference file.
    CancelReference,
    /// Aim at what is usual again.
    ClearReference,
    /// Undo the last pin, load or clear.
    UndoReference,
    /// Name a stem that is right.
    SetAnchor(Option<Stem>),
    /// Say which stems are in the mix.
    SetStems(Option<PerStem<bool>>),
    /// Ask in the user's words about the last windows.
    Ask(String),
    /// The mix was changed: older windows no longer count for the song.
    StartOver,
    /// Use another model, or the built-in one.
    ChooseModel(Option<PathBuf>),
    /// Write the report: `PATH.md` and `PATH.json`.
    SaveReport(PathBuf),
    /// Remove a notice.
    Dismiss(u64),
}
