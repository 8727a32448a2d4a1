//! Asks the model: about windows, the song, and what the user wants to know.

use super::{LAST_WINDOWS, Model, Next, SONG_EVERY_WINDOWS, Session, attempt};
use crate::capture::Flow;
use crate::view::{Answered, SongSummary};
use crate::worker::advisor::Advisor;
use crate::worker::history::MOST_MARKS;
use crate::worker::windows::Window;
use mixing_buddy_core::{Analysis, Error, Request};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// While the host renders, judging waits until no sound has come for this long: the render must not overtake the ring.
const RENDER_QUIET: Duration = Duration::from_millis(250);

impl Session {
    /// Does the most urgent piece of work.
    pub(super) fn work(&mut self) -> Next {
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

    pub(super) fn request(&self, question: String) -> Request {
        Request {
            question,
            anchor: self.choices.anchor,
            stems: self.choices.stems,
            reference: self.view.reference.as_ref().map(|reference| reference.balance),
            min_confidence: Some(self.sensitivity),
        }
    }

    pub(super) fn judge(&mut self, advisor: &dyn Advisor, window: &Window) {
        let started = Instant::now();
        let cancel = self.parts.cancel.clone();
        let request = self.request(String::new());
        let judged = attempt(|| {
            let analysis = advisor.analyze(&window.power(advisor.features()), &cancel)?;
            let advice = advisor.answer(&analysis, &request, &cancel)?;
            Ok((analysis, advice))
        });
        match judged {
            Ok((analysis, advice)) => {
                self.view.levels_lu = analysis.levels_lu;
                self.view.model.window_ms = Some(started.elapsed().as_secs_f32() * 1000.0);
                self.history.insert(window.start_s, window.end_s, advice, analysis);
                self.song_due = true;
                self.windows_since_song += 1;
                self.history_changed();
            }
            Err(error) => self.failed(&error),
        }
    }

    pub(super) fn judge_newest_again(&mut self, advisor: &dyn Advisor) {
        let Some(analysis) = self.history.recent(1).first().map(|(_, analysis)| (*analysis).clone()) else {
            return;
        };
        let (request, cancel) = (self.request(String::new()), self.parts.cancel.clone());
        match attempt(|| advisor.answer(&analysis, &request, &cancel)) {
            Ok(advice) => {
                self.history.replace_newest(advice);
                self.history_changed();
            }
            Err(error) => self.failed(&error),
        }
    }

    pub(super) fn judge_song(&mut self, advisor: &dyn Advisor) {
        self.song_due = false;
        self.windows_since_song = 0;
        let evidence = self.song_evidence();
        let windows = evidence.len();
        let Some(analysis) = advisor.pool(&evidence) else { return };
        let (request, cancel) = (self.request(String::new()), self.parts.cancel.clone());
        match attempt(|| advisor.answer(&analysis, &request, &cancel)) {
            Ok(advice) => {
                self.view.song = Some(Arc::new(SongSummary { advice, windows }));
                self.is_dirty = true;
                self.is_saved_dirty = true;
            }
            Err(error) => self.failed(&error),
        }
    }

    /// What was heard since the last "Start over", before the project was loaded and since.
    pub(super) fn song_evidence(&self) -> Vec<Analysis> {
        let earlier = self.earlier_song.iter().flat_map(|song| {
            // As many copies as there were windows, so that old and new weigh the same.
            std::iter::repeat_n(song.analysis(), song.windows.min(MOST_MARKS))
        });
        earlier.chain(self.history.evidence()).collect()
    }

    pub(super) fn answer(&mut self, advisor: &dyn Advisor, question: String) {
        let last: Vec<Analysis> =
            self.history.recent(LAST_WINDOWS).into_iter().map(|(_, analysis)| analysis.clone()).collect();
        self.is_dirty = true;
        let Some(analysis) = advisor.pool(&last) else {
            self.view.answer = None;
            self.say(false, "Play some of the song first: there is nothing to answer from yet.".into());
            return;
        };
        let (request, cancel) = (self.request(question.clone()), self.parts.cancel.clone());
        match attempt(|| advisor.answer(&analysis, &request, &cancel)) {
            Ok(advice) => self.view.answer = Some(Answered { question, advice: Some(advice) }),
            Err(error) => {
                self.view.answer = None;
                self.failed(&error);
            }
        }
    }

    /// A failure on a GPU is met by going on with the CPU; one on the CPU is said once.
    pub(super) fn failed(&mut self, error: &Error) {
        if matches!(error, Error::Cancelled) {
            return;
        }
        let gpu = match &self.model {
            Model::Ready(advisor) => Some(advisor.device()).filter(|device| device.is_gpu()),
            _ => None,
        };
        if let Some(gpu) = gpu.filter(|_| !self.wanted.cpu_only) {
            self.say(true, format!("{gpu} failed ({error}). The model runs on the CPU now."));
            self.wanted.cpu_only = true;
            self.model = Model::Wanted;
        } else if !std::mem::replace(&mut self.told_failed, true) {
            self.say(true, format!("A window could not be judged: {error}."));
        }
    }
}
