//! What one instance knows and does, step by step: listening, judging, answering. Worker thread; no thread of its own,
//! so that tests drive it with a fake model in milliseconds.

use super::advisor::{Advisor, ModelSource, Wanted};
use super::history::{History, MOST_MARKS};
use super::listener::Listener;
use super::reference::{ReferenceJob, Step, reference_of};
use super::windows::{Queue, Window};
use crate::capture::{Flow, TapReader};
use crate::panel::Hop;
use crate::params::MixParams;
use crate::report;
use crate::state::{Loaded, Saved, SavedSong};
use crate::view::{Activity, Answered, Choices, Command, ModelStatus, Notice, Reference, SongSummary, View};
use arc_swap::ArcSwap;
use mixing_buddy_core::{CancelFlag, Error, Heard, Request, Stem};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Windows that a pin takes and a question is answered from.
const LAST_WINDOWS: usize = 3;
/// References that undo can go back to.
const UNDO_DEPTH: usize = 16;
/// Sentences kept.
const MOST_NOTICES: usize = 8;
/// Work on a reference file between two looks into the ring.
const REFERENCE_SLICE: Duration = Duration::from_millis(30);
/// Reading the ring goes on for this long before other things are looked after.
const LISTEN_SLICE: Duration = Duration::from_millis(50);
/// While the host renders, judging waits until no sound has come for this long: the render must not overtake the ring.
const RENDER_QUIET: Duration = Duration::from_millis(250);
/// While it plays, the song is judged with every so manieth window.
const SONG_EVERY_WINDOWS: usize = 2;
/// The view is published at most this often for the sake of the seconds heard.
const PUBLISH_EVERY: Duration = Duration::from_millis(50);

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
    listener: Option<Listener>,
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
            listener: None,
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
                    device: advisor.device().into(),
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

    /// Reads the ring for a while.
    pub fn listen(&mut self) -> Next {
        let started = Instant::now();
        let settings = match &self.model {
            // The ring holds ten seconds; a model loads in less.
            Model::Wanted => return Next::Idle,
            Model::Ready(advisor) => Some(advisor.features().clone()),
            Model::Failed => None,
        };
        let hop_slabs = match Hop::from(self.parts.params.hop.value()) {
            Hop::TwoAndAHalf => 1,
            Hop::Five => 2,
            Hop::Ten => 4,
        };
        let Some(reader) = &mut self.reader else { return Next::Idle };
        let (rate, is_offline) = (reader.sample_rate_hz(), reader.is_offline());
        if let Some(settings) = &settings
            && !self.listener.as_ref().is_some_and(|listener| listener.fits(settings, rate, is_offline))
        {
            match Listener::new(settings, rate, is_offline) {
                Ok(listener) => self.listener = Some(listener),
                Err(error) => {
                    self.reader = None;
                    self.say(true, format!("This sound cannot be heard: {error}."));
                    return Next::Idle;
                }
            }
        }
        let mut skipped = false;
        let mut damaged = false;
        let mut failure = None;
        let mut dropped = None;
        while let Some(stretch) = reader.next(&mut self.left, &mut self.right) {
            self.flow = Some(stretch.flow);
            dropped = Some(stretch.dropped);
            self.is_dirty = true;
            if stretch.frames > 0 {
                self.last_sound = Some(started);
            }
            if let (Some(listener), true) = (&mut self.listener, settings.is_some()) {
                let queue = &mut self.queue;
                let taken = listener.take(&stretch, &mut self.left, &mut self.right, hop_slabs, |window| {
                    if window.is_damaged() {
                        damaged = true;
                    } else {
                        skipped |= queue.push(window);
                    }
                });
                failure = taken.err().or(failure);
            }
            if started.elapsed() > LISTEN_SLICE || self.parts.cancel.is_cancelled() {
                break;
            }
        }
        let is_empty = reader.is_empty();
        if let Some(total) = dropped {
            let new = total.saturating_sub(self.dropped_frames_before);
            self.dropped_frames_before = total;
            self.view.model.dropped_s += new as f64 / f64::from(rate.max(1));
        }
        if skipped && !std::mem::replace(&mut self.told_skipped, true) {
            self.say(false, "This machine does not keep up: some windows are skipped.".into());
        }
        if damaged && !std::mem::replace(&mut self.told_damaged, true) {
            self.say(
                true,
                "Some of the sound was no numbers (NaN or infinite). Windows that hold it are not judged."
                    .into(),
            );
        }
        if let Some(error) = failure {
            self.reader = None;
            self.say(true, format!("This sound cannot be heard: {error}."));
            return Next::Idle;
        }
        if is_empty { Next::Idle } else { Next::Busy }
    }

    /// Does the most urgent piece of work.
    fn work(&mut self) -> Next {
        if self.parts.cancel.is_cancelled() {
            return Next::Idle;
        }
        let Model::Ready(advisor) = &self.model else { return Next::Idle };
        let advisor = advisor.clone();
        if let Some(question) = self.question.take() {
            self.answer(&*advisor, question);
            return Next::Busy;
        }
        if let Some(window) = self.queue.take_live() {
            self.judge(&*advisor, &window);
            return Next::Busy;
        }
        if std::mem::take(&mut self.newest_due) {
            self.judge_newest_again(&*advisor);
            return Next::Busy;
        }
        if self.job.is_some() {
            self.measure(&*advisor);
            return Next::Busy;
        }
        let is_playing = self.flow == Some(Flow::Playing)
            && self.last_sound.is_some_and(|when| when.elapsed() < RENDER_QUIET);
        if self.queue.offline_len() > 0 {
            if is_playing {
                return Next::Idle;
            }
            if let Some(window) = self.queue.take_offline() {
                self.judge(&*advisor, &window);
            }
            return Next::Busy;
        }
        let song_rests = self.view.song.is_some() && self.windows_since_song < SONG_EVERY_WINDOWS;
        if self.song_due && !(is_playing && song_rests) {
            self.judge_song(&*advisor);
            return Next::Busy;
        }
        Next::Idle
    }

    fn request(&self, question: String) -> Request {
        Request {
            question,
            anchor: self.choices.anchor,
            stems: self.choices.stems,
            reference: self.view.reference.as_ref().map(|reference| reference.balance),
            min_confidence: Some(self.sensitivity),
        }
    }

    fn judge(&mut self, advisor: &dyn Advisor, window: &Window) {
        let started = Instant::now();
        let cancel = self.parts.cancel.clone();
        let request = self.request(String::new());
        let judged = attempt(|| {
            let heard = advisor.hear(&window.power(advisor.features()), &cancel)?;
            let advice = advisor.answer(&heard, &request, &cancel)?;
            Ok((heard, advice))
        });
        match judged {
            Ok((heard, advice)) => {
                self.view.levels_lu = heard.levels_lu;
                self.view.model.window_ms = Some(started.elapsed().as_secs_f32() * 1000.0);
                self.history.insert(window.start_s, window.end_s, advice, heard);
                self.song_due = true;
                self.windows_since_song += 1;
                self.history_changed();
            }
            Err(error) => self.failed(&error),
        }
    }

    fn judge_newest_again(&mut self, advisor: &dyn Advisor) {
        let Some(heard) = self.history.recent(1).first().map(|(_, heard)| (*heard).clone()) else { return };
        let (request, cancel) = (self.request(String::new()), self.parts.cancel.clone());
        match attempt(|| advisor.answer(&heard, &request, &cancel)) {
            Ok(advice) => {
                self.history.replace_newest(advice);
                self.history_changed();
            }
            Err(error) => self.failed(&error),
        }
    }

    fn judge_song(&mut self, advisor: &dyn Advisor) {
        self.song_due = false;
        self.windows_since_song = 0;
        let evidence = self.song_evidence();
        let windows = evidence.len();
        let Some(heard) = advisor.pool(&evidence) else { return };
        let (request, cancel) = (self.request(String::new()), self.parts.cancel.clone());
        match attempt(|| advisor.answer(&heard, &request, &cancel)) {
            Ok(advice) => {
                self.view.song = Some(Arc::new(SongSummary { advice, windows }));
                self.is_dirty = true;
                self.is_saved_dirty = true;
            }
            Err(error) => self.failed(&error),
        }
    }

    /// What was heard since the last "Start over", before the project was loaded and since.
    fn song_evidence(&self) -> Vec<Heard> {
        let earlier = self.earlier_song.iter().flat_map(|song| {
            // As many copies as there were windows, so that old and new weigh the same.
            std::iter::repeat_n(song.heard(), song.windows.min(MOST_MARKS))
        });
        earlier.chain(self.history.evidence()).collect()
    }

    fn answer(&mut self, advisor: &dyn Advisor, question: String) {
        let last: Vec<Heard> =
            self.history.recent(LAST_WINDOWS).into_iter().map(|(_, heard)| heard.clone()).collect();
        self.is_dirty = true;
        let Some(heard) = advisor.pool(&last) else {
            self.view.answer = None;
            self.say(false, "Play some of the song first: there is nothing to answer from yet.".into());
            return;
        };
        let (request, cancel) = (self.request(question.clone()), self.parts.cancel.clone());
        match attempt(|| advisor.answer(&heard, &request, &cancel)) {
            Ok(advice) => self.view.answer = Some(Answered { question, advice: Some(advice) }),
            Err(error) => {
                self.view.answer = None;
                self.failed(&error);
            }
        }
    }

    /// A failure on a GPU is met by going on with the CPU; one on the CPU is said once.
    fn failed(&mut self, error: &Error) {
        if matches!(error, Error::Cancelled) {
            return;
        }
        let on_gpu = self.view.model.device != "CPU" && !self.wanted.cpu_only;
        if on_gpu {
            self.say(
                true,
                format!("{} failed ({error}). The model runs on the CPU now.", self.view.model.device),
            );
            self.wanted.cpu_only = true;
            self.model = Model::Wanted;
        } else if !std::mem::replace(&mut self.told_failed, true) {
            self.say(true, format!("A window could not be judged: {error}."));
        }
    }

    fn pin(&mut self) {
        let Model::Ready(advisor) = &self.model else { return };
        let recent = self.history.recent(LAST_WINDOWS);
        let Some((newest, _)) = recent.first() else {
            self.say(false, "Play some of the song first: there is nothing to pin yet.".into());
            return;
        };
        let name = format!("Pinned at {}", report::clock(newest.start_s));
        let heard: Vec<Heard> = recent.iter().map(|(_, heard)| (*heard).clone()).collect();
        match reference_of(&**advisor, name, &heard) {
            Some(reference) => self.set_reference(Some(reference)),
            None => self.say(false, "Nothing was heard in the last windows that could be pinned.".into()),
        }
    }

    fn load_reference(&mut self, path: &Path) {
        let Model::Ready(advisor) = &self.model else {
            self.say(true, "The model is not loaded yet: a reference cannot be measured.".into());
            return;
        };
        let settings = advisor.features().clone();
        match attempt(|| ReferenceJob::open(path, &settings)) {
            Ok(job) => {
                self.job = Some(job);
                self.view.reference_progress = Some(0.0);
            }
            Err(error) => self.say(true, format!("{error}.")),
        }
    }

    fn measure(&mut self, advisor: &dyn Advisor) {
        let Some(job) = &mut self.job else { return };
        let cancel = &self.parts.cancel;
        self.is_dirty = true;
        match attempt(|| job.step(advisor, cancel, REFERENCE_SLICE)) {
            Ok(Step::Going(share)) => self.view.reference_progress = Some(share),
            Ok(Step::Done(reference)) => {
                self.job = None;
                self.view.reference_progress = None;
                self.set_reference(Some(*reference));
            }
            Err(error) => {
                self.job = None;
                self.view.reference_progress = None;
                if !matches!(error, Error::Cancelled) {
                    self.say(true, format!("{error}."));
                }
            }
        }
    }

    fn set_reference(&mut self, reference: Option<Reference>) {
        if reference == self.view.reference {
            return;
        }
        self.undo.push(std::mem::replace(&mut self.view.reference, reference));
        if self.undo.len() > UNDO_DEPTH {
            self.undo.remove(0);
        }
        self.aim_changed();
    }

    /// What is aimed at has changed: the newest window and the song are judged again.
    fn aim_changed(&mut self) {
        self.newest_due = true;
        self.song_due = true;
        self.windows_since_song = SONG_EVERY_WINDOWS;
        self.is_dirty = true;
        self.is_saved_dirty = true;
    }

    fn history_changed(&mut self) {
        self.view.history = Arc::new(self.history.marks());
        self.view.newest = self.history.newest();
        self.view.agreement = self.history.agreement();
        self.view.can_pin = !self.history.recent(1).is_empty();
        self.is_dirty = true;
        self.is_saved_dirty = true;
    }

    fn say(&mut self, is_error: bool, mut text: String) {
        self.is_dirty = true;
        // Errors begin as parts of sentences, or with a path, which is left as it is.
        if text.starts_with("the ") || text.starts_with("model ") {
            text[..1].make_ascii_uppercase();
        }
        self.view.notices.retain(|notice| notice.text != text);
        self.view.notices.push(Notice { id: self.next_notice, is_error, text });
        self.next_notice += 1;
        while self.view.notices.len() > MOST_NOTICES {
            // Errors stay until they are dismissed, so other sentences go first.
            let victim = self.view.notices.iter().position(|notice| !notice.is_error).unwrap_or(0);
            self.view.notices.remove(victim);
        }
    }

    fn activity(&self) -> Activity {
        match self.model {
            Model::Wanted => return Activity::Loading,
            Model::Failed => return Activity::NoModel,
            Model::Ready(_) => {}
        }
        let is_playing = self.flow == Some(Flow::Playing);
        if self.queue.offline_len() > 0 && !is_playing {
            return Activity::CatchingUp { left: self.queue.offline_len() };
        }
        match self.flow {
            None | Some(Flow::Stopped) if self.view.history.is_empty() => Activity::Waiting,
            None | Some(Flow::Stopped | Flow::Paused) => Activity::Paused,
            Some(Flow::Bypassed) => Activity::Bypassed,
            Some(Flow::Playing) => {
                let heard_s = self.listener.as_ref().map_or(0.0, Listener::heard_s);
                Activity::Listening { heard_s: heard_s.min(10.0) }
            }
        }
    }

    /// Publishes the view if it changed, and what a save is to write.
    fn publish(&mut self) {
        if self.is_saved_dirty {
            self.is_saved_dirty = false;
            self.save();
        }
        if self.parts.params.bypass.value() && self.flow.is_none() {
            self.flow = Some(Flow::Bypassed);
        }
        let is_old = self.published.is_none_or(|when| when.elapsed() >= PUBLISH_EVERY);
        if !self.is_dirty || !is_old {
            return;
        }
        self.is_dirty = false;
        self.published = Some(Instant::now());
        self.view.activity = self.activity();
        self.view.can_undo_reference = !self.undo.is_empty();
        self.view.choices = self.choices.clone();
        self.view.revision += 1;
        self.parts.view.store(Arc::new(self.view.clone()));
    }

    fn save(&mut self) {
        let song = match (&self.view.song, &self.model) {
            (Some(summary), Model::Ready(advisor)) => {
                advisor.pool(&self.song_evidence()).map(|heard| SavedSong {
                    advice: summary.advice.clone(),
                    windows: summary.windows,
                    reading: heard.reading,
                    levels_lu: heard.levels_lu,
                })
            }
            (Some(_), _) => self.earlier_song.clone(),
            (None, _) => None,
        };
        self.parts.params.session.publish(Saved {
            choices: self.choices.clone(),
            reference: self.view.reference.clone(),
            history: self.view.history.iter().map(|mark| (**mark).clone()).collect(),
            song,
            ..Saved::default()
        });
    }
}

/// Runs something of which a fault must not take the host down.
fn attempt<T>(work: impl FnOnce() -> mixing_buddy_core::Result<T>) -> mixing_buddy_core::Result<T> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(Error::Format("a fault in the program stopped it".into())))
}
