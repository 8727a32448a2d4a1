//! Asks the model for advice: on windows, on the song, and on questions of the user.

use super::{LAST_WINDOWS, ModelState, Next, Session, WINDOWS_PER_SONG_ADVICE, attempt};
use crate::capture::Flow;
use crate::view::{Answered, SongSummary};
use crate::worker::advice_model::AdviceModel;
use crate::worker::history::MOST_MARKS;
use crate::worker::windows::Window;
use mixing_buddy_core::passes::Print;
use mixing_buddy_core::{Analysis, Conversation, Error, Request};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tracing::{debug, warn};

/// While the host renders, the analysis waits until no audio has come for this long, so that the ring does not
/// overflow. Not tuned.
const RENDER_PAUSE: Duration = Duration::from_millis(250);

impl Session {
    /// Does the most urgent piece of work: an audition, a question, then live windows, the start of a conversation, a changed
    /// request, a reference file, rendered windows, the song.
    pub(super) fn work(&mut self) -> Next {
        if self.connections.cancel.is_cancelled() {
            return Next::Idle;
        }
        let ModelState::Ready(model) = &self.model else { return Next::Idle };
        let model = model.clone();
        if let Some(trial) = self.hearing.take_asked(&self.connections.audition) {
            self.hear(&*model, trial);
            return Next::Busy;
        }
        if self.hearing.can_be_refined(&self.connections.audition) {
            self.refine(&*model);
            return Next::Busy;
        }
        if let Some(question) = self.question.take() {
            self.answer(&*model, question);
            return Next::Busy;
        }
        if let Some(window) = self.queue.take_live() {
            self.advise_window(&*model, &window);
            return Next::Busy;
        }
        if std::mem::take(&mut self.will_ask) {
            self.begin_talk(&*model);
            return Next::Busy;
        }
        if std::mem::take(&mut self.newest_due) {
            self.advise_newest_again(&*model);
            return Next::Busy;
        }
        if self.job.is_some() {
            self.measure(&*model);
            return Next::Busy;
        }
        let is_playing =
            self.is_song_running() && self.last_audio.is_some_and(|when| when.elapsed() < RENDER_PAUSE);
        if self.has_spooled() {
            if is_playing {
                return Next::Idle;
            }
            self.frame_spooled();
            return Next::Busy;
        }
        if self.queue.offline_len() > 0 {
            if is_playing {
                return Next::Idle;
            }
            if let Some(window) = self.queue.take_offline() {
                self.advise_window(&*model, &window);
            }
            return Next::Busy;
        }
        let song_can_wait = self.flow == Some(Flow::Playing)
            && self.view.song.is_some()
            && self.windows_since_song < WINDOWS_PER_SONG_ADVICE;
        if self.song_due && !(is_playing && song_can_wait) {
            self.advise_song(&*model);
            return Next::Busy;
        }
        if self.shelf.is_some() {
            self.measure_for_library(&*model);
            return Next::Busy;
        }
        Next::Idle
    }

    pub(super) fn request(&self, question: String) -> Request {
        Request {
            question,
            anchor: self.choices.anchor,
            stems: self.choices.stems,
            reference: self.view.reference.as_ref().map(|reference| reference.balance),
            min_confidence: Some(self.confidence_threshold),
        }
    }

    pub(super) fn advise_window(&mut self, model: &dyn AdviceModel, window: &Window) {
        let started = Instant::now();
        let cancel = self.connections.cancel.clone();
        let request = self.request(String::new());
        let advised = attempt(|| {
            let power = window.power(model.features());
            let analysis = model.analyze(&power, &cancel)?;
            let advice = model.answer(&analysis, &request, &cancel)?;
            Ok((analysis, advice, Print::of(&power)))
        });
        match advised {
            Ok((analysis, advice, print)) => {
                let window_ms = started.elapsed().as_secs_f32() * 1000.0;
                debug!(
                    start_s = window.start_s,
                    ms = window_ms.round() as u32,
                    verdict = advice.verdict.name(),
                    best = ?(advice.best.stem, advice.best.gain_db),
                    confidence = advice.confidence,
                    "window analyzed"
                );
                self.view.levels_lu = analysis.levels_lu;
                self.view.model.window_ms = Some(window_ms);
                let order =
                    self.history.insert(window.start_s, window.end_s, advice.clone(), analysis.clone()).order;
                self.compare_passes(order, (window.start_s, window.end_s), (&advice, &analysis, print));
                self.song_due = true;
                self.windows_since_song += 1;
                self.history_changed();
            }
            Err(error) => self.failed(&error),
        }
    }

    pub(super) fn advise_newest_again(&mut self, model: &dyn AdviceModel) {
        let Some(analysis) = self.history.recent(1).first().map(|(_, analysis)| (*analysis).clone()) else {
            return;
        };
        let (request, cancel) = (self.request(String::new()), self.connections.cancel.clone());
        match attempt(|| model.answer(&analysis, &request, &cancel)) {
            Ok(advice) => {
                self.history.replace_newest(advice);
                self.history_changed();
            }
            Err(error) => self.failed(&error),
        }
    }

    pub(super) fn advise_song(&mut self, model: &dyn AdviceModel) {
        self.song_due = false;
        self.windows_since_song = 0;
        let Some(analysis) = self.song_analysis(model) else { return };
        let windows = self.song_windows();
        let (request, cancel) = (self.request(String::new()), self.connections.cancel.clone());
        match attempt(|| model.answer(&analysis, &request, &cancel)) {
            Ok(advice) => {
                self.view.song = Some(Arc::new(SongSummary { advice, windows }));
                self.is_dirty = true;
                self.is_saved_dirty = true;
            }
            Err(error) => self.failed(&error),
        }
    }

    /// The analysis of the song since the last "Start over": of the loaded project, and of the windows since then.
    ///
    /// Without new windows the project's own analysis stands as it is: pooled with copies of itself it would grow more
    /// certain with each load, and a project that is only opened and saved would not stay the same.
    pub(super) fn song_analysis(&self, model: &dyn AdviceModel) -> Option<Analysis> {
        let new = self.history.analyses();
        match &self.earlier_song {
            Some(song) if new.is_empty() => Some(song.analysis()),
            earlier => {
                let earlier = earlier.iter().flat_map(|song| {
                    // One copy per pooled window, so that old and new windows have the same weight.
                    std::iter::repeat_n(song.analysis(), self.earlier_windows())
                });
                model.pool(&earlier.chain(new).collect::<Vec<Analysis>>())
            }
        }
    }

    /// Number of windows behind [`Session::song_analysis`].
    pub(super) fn song_windows(&self) -> usize {
        self.earlier_windows() + self.history.analysis_count()
    }

    fn earlier_windows(&self) -> usize {
        self.earlier_song.as_ref().map_or(0, |song| song.windows.min(MOST_MARKS))
    }

    pub(super) fn answer(&mut self, model: &dyn AdviceModel, question: String) {
        self.is_dirty = true;
        let Some(mut talk) = self.take_talk(model) else {
            self.view.answer = None;
            self.inform("Play part of the song first. There is nothing to answer from yet.".into());
            return;
        };
        let cancel = self.connections.cancel.clone();
        let mut written = String::new();
        let answer = attempt(|| {
            model.ask(&mut talk, &question, &cancel, &mut |piece| {
                written.push_str(piece);
                let (question, written) = (question.clone(), written.clone());
                self.view.answer = Some(Answered { question, written, advice: None });
                self.is_dirty = true;
                self.publish();
            })
        });
        match answer {
            Ok(advice) => {
                let written = advice.text.clone();
                self.view.answer = Some(Answered { question, written, advice: Some(advice) });
                self.is_dirty = true;
                self.talk = Some(talk);
            }
            Err(error) => {
                self.view.answer = None;
                self.failed(&error);
            }
        }
    }

    /// Makes what the next answer begins with.
    fn begin_talk(&mut self, model: &dyn AdviceModel) {
        let Some(mut talk) = self.take_talk(model) else { return };
        let cancel = self.connections.cancel.clone();
        match attempt(|| model.begin(&mut talk, &cancel)) {
            Ok(()) => self.talk = Some(talk),
            Err(error) => self.failed(&error),
        }
    }

    /// The conversation about the last windows: the one before, while it is about the same sound with the same wishes. None if
    /// there are no windows.
    fn take_talk(&mut self, model: &dyn AdviceModel) -> Option<Conversation> {
        let analyses: Vec<Analysis> =
            self.history.recent(LAST_WINDOWS).into_iter().map(|(_, analysis)| analysis.clone()).collect();
        let (analysis, request) = (model.pool(&analyses)?, self.request(String::new()));
        let known = self.talk.take().filter(|talk| talk.is_about(&analysis, &request));
        Some(known.unwrap_or_else(|| Conversation::new(analysis, request)))
    }

    /// After a failure on a GPU the model moves to the CPU. A failure on the CPU is shown once.
    pub(super) fn failed(&mut self, error: &Error) {
        if matches!(error, Error::Cancelled) {
            return;
        }
        let gpu = match &self.model {
            ModelState::Ready(model) => Some(model.device()).filter(|device| device.is_gpu()),
            ModelState::Loading | ModelState::Failed => None,
        };
        if let Some(gpu) = gpu.filter(|_| !self.model_key.cpu_only) {
            warn!(device = %gpu, %error, "the device failed, the CPU is used");
            self.alert(format!("{gpu} failed ({error}). The model runs on the CPU now."));
            self.model_key.cpu_only = true;
            self.model = ModelState::Loading;
        } else {
            warn!(%error, "the model failed");
            if !std::mem::replace(&mut self.told.failed, true) {
                self.alert(format!("A window could not be analyzed: {error}."));
            }
        }
    }
}
