//! What one instance knows and does, step by step: reads audio, analyzes windows, answers questions. Worker thread. It
//! has no thread of its own, so tests drive it with a fake model in milliseconds.

mod advising;
mod comparing;
mod hearing;
mod intake;
mod language;
mod library;
mod metering;
mod notices;
mod publishing;
mod references;
mod undo;

use super::advice_model::{AdviceModel, ModelKey, ModelSource};
use super::framer::Framer;
use super::history::History;
use super::passes::Passes;
use super::reference::ReferenceJob;
use super::runs::Runs;
use super::shelf::Shelf;
use super::windows::Queue;
use crate::audition::WorkerSide;
use crate::capture::{Flow, TapReader};
use crate::params::MixParams;
use crate::report;
use crate::state::{Loaded, Saved, SavedSong};
use crate::view::{Answered, Choices, Command, ModelStatus, SongSummary, View};
use arc_swap::ArcSwap;
use mixing_buddy_core::profile::Library;
use mixing_buddy_core::{CancelFlag, Conversation, Error, ModelChoice, Stem};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;
use tracing::{debug, info, warn};
use undo::Step;

/// Number of last windows that a pinned reference, or the answer to a question, is based on. As in training.
const LAST_WINDOWS: usize = 3;
/// While the host plays, the advice on the song is renewed after this many windows. Not tuned.
const WINDOWS_PER_SONG_ADVICE: usize = 2;
/// Smallest change of the confidence threshold that counts.
const THRESHOLD_STEP: f32 = 1e-4;

/// What a session is connected to.
pub struct Connections {
    /// Parameters and saved state.
    pub params: Arc<MixParams>,
    /// Where the session publishes its view.
    pub view: Arc<ArcSwap<View>>,
    /// Where models come from.
    pub source: Box<dyn ModelSource>,
    /// The way to the callback for auditions.
    pub audition: WorkerSide,
    /// The library of references; none if the user has no folder for it.
    pub library: Option<Library>,
    /// Raised when the instance is dropped.
    pub cancel: CancelFlag,
}

enum ModelState {
    Loading,
    Ready(Arc<dyn AdviceModel>),
    Failed,
}

/// What one instance knows.
pub struct Session {
    connections: Connections,
    model_key: ModelKey,
    model: ModelState,
    language: language::Language,
    reader: Option<TapReader>,
    framer: Option<Framer>,
    /// A render that waits for the separator.
    bounce: Option<intake::Bounce>,
    left: Vec<f32>,
    right: Vec<f32>,
    flow: Option<Flow>,
    last_audio: Option<Instant>,
    /// Whether the host sent no audio for so long that the next audio is a new run, wherever it lies in the song.
    has_ceased: bool,
    runs: Runs,
    queue: Queue,
    history: History,
    /// The song as the loaded project knew it.
    earlier_song: Option<SavedSong>,
    song_due: bool,
    /// Windows analyzed since the last advice on the song.
    windows_since_song: usize,
    newest_due: bool,
    choices: Choices,
    undo: Vec<Step>,
    job: Option<ReferenceJob>,
    /// Songs that are being measured for the library.
    shelf: Option<Shelf>,
    passes: Passes,
    question: Option<String>,
    /// Whether a question is about to come.
    will_ask: bool,
    /// The conversation that the next question goes on with.
    talk: Option<Conversation>,
    hearing: hearing::Hearing,
    metering: metering::Metering,
    dropped_frames_before: u64,
    /// Notices that the user has had once.
    told: notices::Told,
    confidence_threshold: f32,
    next_notice: u64,
    view: View,
    is_dirty: bool,
    is_saved_dirty: bool,
    published: Option<Instant>,
}

/// What is left to do after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Step again at once.
    Busy,
    /// Step again in some milliseconds.
    Idle,
}

impl Session {
    /// A session with the state that the project has now.
    pub fn new(connections: Connections) -> Self {
        let confidence_threshold = connections.params.confidence_threshold.value();
        let saved = connections.params.project.current();
        let mut session = Session {
            model_key: ModelKey::default(),
            model: ModelState::Loading,
            language: language::Language::default(),
            reader: None,
            framer: None,
            bounce: None,
            left: Vec::new(),
            right: Vec::new(),
            flow: None,
            last_audio: None,
            has_ceased: false,
            runs: Runs::default(),
            queue: Queue::default(),
            history: History::default(),
            earlier_song: None,
            song_due: false,
            windows_since_song: 0,
            newest_due: false,
            choices: Choices::default(),
            undo: Vec::new(),
            job: None,
            shelf: None,
            passes: Passes::default(),
            question: None,
            will_ask: false,
            talk: None,
            hearing: hearing::Hearing::default(),
            metering: metering::Metering::default(),
            dropped_frames_before: 0,
            told: notices::Told::default(),
            confidence_threshold,
            next_notice: 0,
            view: View { version: env!("CARGO_PKG_VERSION"), ..View::default() },
            is_dirty: true,
            is_saved_dirty: false,
            published: None,
            connections,
        };
        session.restore(&saved);
        session.follow_language();
        session
    }

    /// Takes the reading end of a new ring, after reading the rest of the old one.
    pub fn set_reader(&mut self, reader: TapReader) {
        while self.read_audio() == Next::Busy && !self.connections.cancel.is_cancelled() {}
        self.dropped_frames_before = 0;
        self.reader = Some(reader);
    }

    /// Does what the panel asks.
    pub fn command(&mut self, command: Command) {
        self.is_dirty = true;
        match command {
            Command::PinReference => self.pin(),
            Command::LoadReference(path) => self.load_reference(&path),
            Command::CancelReference => {
                self.job = None;
                self.view.reference_progress = None;
            }
            Command::ClearReference => self.set_reference(None),
            Command::Undo => self.undo(),
            Command::ThresholdWas(before) => self.can_undo(Step::Threshold(before)),
            Command::SetAnchor(anchor) => self.set_anchor(anchor.filter(is_target)),
            Command::SetStems(stems) => self.set_stems(stems),
            Command::WillAsk => self.will_ask = true,
            Command::Ask(question) => {
                self.view.answer =
                    Some(Answered { question: question.clone(), written: String::new(), advice: None });
                self.question = Some(question);
            }
            Command::StartOver => self.start_over(),
            Command::Library(command) => self.library_command(command),
            Command::ChooseModel(path) => self.choose_model(path),
            Command::ChooseLanguage(choice) => self.choose_language(choice),
            Command::SaveReport(path) => match report::save(&path, &self.view) {
                Ok(written) => self.inform(format!("Report saved: {}.", written.display())),
                Err(error) => self.report_error(&error),
            },
            Command::Hear(trial) => self.ask_to_hear(trial),
            Command::StopHearing => self.stop_hearing(),
            Command::Dismiss(id) => self.view.notices.retain(|notice| notice.id != id),
        }
    }

    /// One round: takes a state that the host has loaded, reads audio, and does one piece of work.
    pub fn step(&mut self) -> Next {
        match self.connections.params.project.take_loaded() {
            Some(Loaded::Saved(saved)) => self.restore(&saved),
            Some(Loaded::Unusable(sentence)) => {
                warn!(reason = %sentence, "the saved state could not be read");
                self.restore(&Saved::default());
                self.alert(sentence);
            }
            None => {}
        }
        let threshold = self.connections.params.confidence_threshold.value();
        if (threshold - self.confidence_threshold).abs() > THRESHOLD_STEP {
            self.confidence_threshold = threshold;
            self.request_changed();
        }
        self.follow_language();
        self.fetch_model();
        let reading = self.read_audio();
        self.follow_audition();
        let working = self.work();
        self.publish();
        if reading == Next::Busy || working == Next::Busy { Next::Busy } else { Next::Idle }
    }

    /// The view, with changes that are not published yet.
    pub fn view(&self) -> &View {
        &self.view
    }

    fn restore(&mut self, saved: &Saved) {
        let model_changed = saved.choices.model_path != self.choices.model_path;
        self.choices = saved.choices.clone();
        self.choices.anchor = self.choices.anchor.filter(is_target);
        self.view.reference = saved.reference.clone();
        self.undo.clear();
        self.job = None;
        self.view.reference_progress = None;
        self.view.answer = None;
        self.question = None;
        self.talk = None;
        self.queue.clear();
        self.bounce = None;
        self.history = History::restore(saved.history.clone());
        self.passes = Passes::default();
        self.view.since = None;
        self.stop_measuring_songs();
        self.earlier_song = saved.song.clone();
        self.view.song = saved
            .song
            .as_ref()
            .map(|song| Arc::new(SongSummary { advice: song.advice.clone(), windows: song.windows }));
        self.song_due = false;
        self.newest_due = false;
        if model_changed {
            self.model_key.path.clone_from(&self.choices.model_path);
            self.model = ModelState::Loading;
        }
        debug!(windows = saved.history.len(), has_song = saved.song.is_some(), "state restored");
        self.history_changed();
    }

    fn fetch_model(&mut self) {
        if !matches!(self.model, ModelState::Loading) {
            return;
        }
        let (source, key, cancel) = (&mut self.connections.source, &self.model_key, &self.connections.cancel);
        let started = Instant::now();
        // A damaged file must not crash the host, whatever a parser does with it.
        let loaded = catch_unwind(AssertUnwindSafe(|| source.get(key, cancel))).unwrap_or_else(|_| {
            Err(Error::Format("the model could not be loaded because of an internal error".into()))
        });
        match loaded {
            Ok(None) | Err(Error::Cancelled) => {}
            Ok(Some(model)) => {
                let device = model.device();
                info!(model = model.name(), %device, ms = started.elapsed().as_millis(), "model loaded");
                self.view.model = ModelStatus {
                    name: model.name(),
                    device: Some(device),
                    threshold: model.threshold(),
                    window_ms: None,
                    dropped_s: self.view.model.dropped_s,
                    language: self.model_key.language.clone(),
                };
                self.view.usual_lu = model.usual_lu();
                self.queue.clear();
                self.bounce = None;
                self.model = ModelState::Ready(model);
                self.language_loaded();
                self.is_dirty = true;
            }
            Err(error) if self.model_key.path.is_some() => {
                warn!(%error, "the chosen model could not be loaded");
                // The choice stays in the project: the file may be present again next time.
                self.alert(format!("{} The built-in model is in use.", notices::sentence(&error)));
                self.model_key.path = None;
            }
            Err(error) if self.model_key.language != ModelChoice::Compact => self.language_failed(&error),
            Err(error) => {
                warn!(%error, "no model could be loaded");
                self.alert(format!("No model can be used: {error}."));
                self.model = ModelState::Failed;
            }
        }
    }

    fn choose_model(&mut self, path: Option<PathBuf>) {
        self.choices.model_path.clone_from(&path);
        self.is_saved_dirty = true;
        self.model_key.path = path;
        self.model = ModelState::Loading;
        self.job = None;
        self.view.reference_progress = None;
        // Another model reads other levels.
        self.stop_measuring_songs();
        self.passes = Passes::default();
        self.view.since = None;
    }
}

/// Whether advice may name the stem, so that it can be an anchor.
fn is_target(stem: &Stem) -> bool {
    Stem::TARGETS.contains(stem)
}

/// Runs work that may panic: a panic must not crash the host.
fn attempt<T>(work: impl FnOnce() -> mixing_buddy_core::Result<T>) -> mixing_buddy_core::Result<T> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(Error::Format("an internal error stopped it".into())))
}
