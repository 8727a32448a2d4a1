//! What one instance knows and does, step by step: listening, judging, answering. Worker thread; no thread of its own,
//! so that tests drive it with a fake model in milliseconds.

mod aim;
mod judging;
mod listening;
mod showing;

use super::advisor::{Advisor, ModelSource, Wanted};
use super::framer::Framer;
use super::history::History;
use super::reference::ReferenceJob;
use super::windows::Queue;
use crate::capture::{Flow, TapReader};
use crate::params::MixParams;
use crate::report;
use crate::state::{Loaded, Saved, SavedSong};
use crate::view::{Answered, Choices, Command, ModelStatus, Reference, SongSummary, View};
use arc_swap::ArcSwap;
use mixing_buddy_core::{CancelFlag, Error, Stem};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

/// Windows that a pin takes and a question is answered from.
const LAST_WINDOWS: usize = 3;
/// While it plays, the song is judged with every so manieth window.
const SONG_EVERY_WINDOWS: usize = 2;

/// What a session is made of.
pub struct Parts {
    /// Parameters and saved state.
    pub params: Arc<MixParams>,
    /// Where the view is published.
    pub view: Arc<ArcSwap<View>>,
    /// Where models come from.
    pub source: Box<dyn ModelSource>,
    /// Raised when the instance goes.
    pub cancel: CancelFlag,
}

enum Model {
    Wanted,
    Ready(Arc<dyn Advisor>),
    Failed,
}

/// One instance's mind.
pub struct Session {
    parts: Parts,
    wanted: Wanted,
    model: Model,
    reader: Option<TapReader>,
    framer: Option<Framer>,
    left: Vec<f32>,
    right: Vec<f32>,
    flow: Option<Flow>,
    last_sound: Option<Instant>,
    queue: Queue,
    history: History,
    /// What a loaded project knew of the song.
    earlier_song: Option<SavedSong>,
    song_due: bool,
    /// Windows judged since the song was.
    windows_since_song: usize,
    newest_due: bool,
    choices: Choices,
    undo: Vec<Option<Reference>>,
    job: Option<ReferenceJob>,
    question: Option<String>,
    dropped_frames_before: u64,
    told_skipped: bool,
    told_damaged: bool,
    told_failed: bool,
    sensitivity: f32,
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
    /// Look again in some milliseconds.
    Idle,
}

impl Session {
    /// A session that knows nothing yet.
    pub fn new(parts: Parts) -> Self {
        let sensitivity = parts.params.sensitivity.value();
        let saved = parts.params.session.current();
        let mut session = Session {
            wanted: Wanted::default(),
            model: Model::Wanted,
            reader: None,
            framer: None,
            left: Vec::new(),
            right: Vec::new(),
            flow: None,
            last_sound: None,
            queue: Queue::default(),
            history: History::default(),
            earlier_song: None,
            song_due: false,
            windows_since_song: 0,
            newest_due: false,
            choices: Choices::default(),
            undo: Vec::new(),
            job: None,
            question: None,
            dropped_frames_before: 0,
            told_skipped: false,
            told_damaged: false,
            told_failed: false,
            sensitivity,
            next_notice: 0,
            view: View::default(),
            is_dirty: true,
            is_saved_dirty: false,
            published: None,
            parts,
        };
        session.take_up(&saved);
        session
    }

    /// Takes the worker's end of a new ring; what is left in the old one is heard first.
    pub fn set_reader(&mut self, reader: TapReader) {
        while self.listen() == Next::Busy && !self.parts.cancel.is_cancelled() {}
        self.dropped_frames_before = 0;
        self.reader = Some(reader);
    }

    /// Does what is asked.
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
            Command::UndoReference => {
                if let Some(earlier) = self.undo.pop() {
                    self.view.reference = earlier;
                    self.aim_changed();
                }
            }
            Command::SetAnchor(anchor) => {
                self.choices.anchor = anchor.filter(|stem| *stem != Stem::Other);
                self.aim_changed();
            }
            Command::SetStems(stems) => {
                self.choices.stems = stems;
                self.aim_changed();
            }
            Command::Ask(question) => {
                self.view.answer = Some(Answered { question: question.clone(), advice: None });
                self.question = Some(question);
            }
            Command::StartOver => {
                self.history.start_over();
                self.earlier_song = None;
                self.view.song = None;
                self.song_due = false;
                self.history_changed();
            }
            Command::ChooseModel(path) => self.choose_model(path),
            Command::SaveReport(path) => match report::save(&path, &self.view) {
                Ok(written) => self.say(false, format!("The report is in {}.", written.display())),
                Err(error) => self.say(true, error.to_string()),
            },
            Command::Dismiss(id) => self.view.notices.retain(|notice| notice.id != id),
        }
    }

    /// One round: takes up what the host loaded, listens, and does one piece of work.
    pub fn step(&mut self) -> Next {
        match self.parts.params.session.take_loaded() {
            Some(Loaded::Saved(saved)) => self.take_up(&saved),
            Some(Loaded::Unusable(sentence)) => {
                self.take_up(&Saved::default());
                self.say(true, sentence);
            }
            None => {}
        }
        let sensitivity = self.parts.params.sensitivity.value();
        if (sensitivity - self.sensitivity).abs() > 1e-4 {
            self.sensitivity = sensitivity;
            self.aim_changed();
        }
        self.fetch_model();
        let listening = self.listen();
        let working = self.work();
        self.publish();
        if listening == Next::Busy || working == Next::Busy { Next::Busy } else { Next::Idle }
    }

    /// The view as it was last published.
    pub fn view(&self) -> &View {
        &self.view
    }

    fn take_up(&mut self, saved: &Saved) {
        let model_changed = saved.choices.model_path != self.choices.model_path;
        self.choices = saved.choices.clone();
        self.choices.anchor = self.choices.anchor.filter(|stem| *stem != Stem::Other);
        self.view.reference = saved.reference.clone();
        self.undo.clear();
        self.job = None;
        self.view.reference_progress = None;
        self.view.answer = None;
        self.question = None;
        self.queue.clear();
        self.history = History::restore(saved.history.clone());
        self.earlier_song = saved.song.clone();
        self.view.song = saved
            .song
            .as_ref()
            .map(|song| Arc::new(SongSummary { advice: song.advice.clone(), windows: song.windows }));
        self.song_due = false;
        self.newest_due = false;
        if model_changed {
            self.wanted = Wanted { path: self.choices.model_path.clone(), cpu_only: self.wanted.cpu_only };
            self.model = Model::Wanted;
        }
        self.history_changed();
    }

    fn fetch_model(&mut self) {
        if !matches!(self.model, Model::Wanted) {
            return;
        }
        let (source, wanted, cancel) = (&mut self.parts.source, &self.wanted, &self.parts.cancel);
        // A damaged file must not take the host down, whatever it makes a parser do.
        let got = catch_unwind(AssertUnwindSafe(|| source.get(wanted, cancel))).unwrap_or_else(|_| {
            Err(Error::Format("The model could not be loaded: a fault in the program.".into()))
        });
        match got {
            Ok(None) | Err(Error::Cancelled) => {}
            Ok(Some(advisor)) => {
                self.view.model = ModelStatus {
                    name: advisor.name(),
                    device: advisor.device().to_string(),
                    threshold: advisor.threshold(),
                    window_ms: None,
                    dropped_s: self.view.model.dropped_s,
                };
                self.view.usual_lu = advisor.usual_lu();
                self.queue.clear();
                self.model = Model::Ready(advisor);
                self.is_dirty = true;
            }
            Err(error) if self.wanted.path.is_some() => {
                // The choice stays in the project: the file may come back.
                self.say(true, format!("{error}. The built-in model is in use."));
                self.wanted.path = None;
            }
            Err(error) => {
                self.say(true, format!("There is no model: {error}."));
                self.model = Model::Failed;
            }
        }
    }

    fn choose_model(&mut self, path: Option<PathBuf>) {
        self.choices.model_path.clone_from(&path);
        self.is_saved_dirty = true;
        self.wanted = Wanted { path, cpu_only: self.wanted.cpu_only };
        self.model = Model::Wanted;
        self.job = None;
        self.view.reference_progress = None;
    }
}

/// Runs something of which a fault must not take the host down.
fn attempt<T>(work: impl FnOnce() -> mixing_buddy_core::Result<T>) -> mixing_buddy_core::Result<T> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(Error::Format("a fault in the program stopped it".into())))
}
