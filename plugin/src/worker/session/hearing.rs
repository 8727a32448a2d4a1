//! Prepares auditions: the last ten seconds with other gains of the stems.

use super::Session;
use crate::audition::WorkerSide;
use crate::view::{Audition, AuditionState, End, Trial};
use crate::worker::advice_model::AdviceModel;
use crate::worker::session::attempt;
use mixing_buddy_core::audition::{Clip, MOST_GAIN_DB, Remixer, Unmixed};
use mixing_buddy_core::features::BandPower;
use mixing_buddy_core::{CancelFlag, PerStem, Result};
use std::time::{Duration, Instant};
use tracing::debug;

/// A host that has not called for so long sleeps. Blocks of 8192 samples are 0.19 s apart. Not tuned.
const HOST_SLEEPS: Duration = Duration::from_millis(400);

/// A window that is auditioned.
struct Prepared {
    window: Unmixed,
    /// Its features, until it was separated: it sounds at once, and better half a second later.
    unseparated: Option<BandPower>,
    remixer: Remixer,
}

impl Prepared {
    /// The window with these gains beside it as it is.
    fn clip(&mut self, gains_db: &PerStem<f32>, number: u64, cancel: &CancelFlag) -> Result<Clip> {
        let altered = self.remixer.remix(&self.window, gains_db, cancel)?;
        Clip::new(self.window.sound(), altered, number)
    }
}

/// What the session knows of auditions.
#[derive(Default)]
pub(super) struct Hearing {
    /// What the user asked for and is not prepared yet.
    asked: Option<Trial>,
    /// The window of the present audition.
    prepared: Option<Prepared>,
    /// Gains of the clip that was sent last.
    sent: Option<Trial>,
    /// Number of windows so far.
    windows: u64,
    /// The host's calls when they were last counted, and when they last changed.
    calls: Option<(u32, Instant)>,
}

impl Hearing {
    /// What the user asked for, if the callback can take another clip.
    pub(super) fn take_asked(&mut self, link: &WorkerSide) -> Option<Trial> {
        if link.has_room() { self.asked.take() } else { None }
    }

    /// Whether the window that sounds can be taken apart better, and the callback can take another clip.
    pub(super) fn can_be_refined(&self, link: &WorkerSide) -> bool {
        let waits = self.prepared.as_ref().is_some_and(|prepared| prepared.unseparated.is_some());
        waits && link.is_active() && link.has_room()
    }
}

impl Session {
    pub(super) fn ask_to_hear(&mut self, trial: Trial) {
        let limit = |gain_db: &f32| {
            if gain_db.is_finite() { gain_db.clamp(-MOST_GAIN_DB, MOST_GAIN_DB) } else { 0.0 }
        };
        let trial = Trial { gains_db: trial.gains_db.map(limit), ..trial };
        self.hearing.asked = Some(trial);
        self.view.audition.trial = trial;
        if !self.connections.audition.is_active() {
            self.view.audition.state = AuditionState::Preparing;
        }
    }

    pub(super) fn stop_hearing(&mut self) {
        self.end_audition(AuditionState::Off);
    }

    fn end_audition(&mut self, state: AuditionState) {
        self.connections.audition.end();
        // The sound of the window is not kept longer than it is needed.
        let windows = self.hearing.windows;
        self.hearing = Hearing { windows, ..Hearing::default() };
        self.view.audition.state = state;
        self.is_dirty = true;
    }

    /// Prepares what was asked for and sends it to the callback.
    pub(super) fn hear(&mut self, model: &dyn AdviceModel, trial: Trial) {
        let started = Instant::now();
        match attempt(|| self.prepare_clip(model, &trial)) {
            Ok(Some(clip)) => {
                let link = &mut self.connections.audition;
                link.want(trial.version, trial.over_song);
                if let Some(clip) = clip {
                    link.send(clip);
                }
                self.hearing.sent = Some(trial);
                debug!(ms = started.elapsed().as_millis(), "audition prepared");
            }
            Ok(None) => self.end_audition(AuditionState::Ended(End::NoSound)),
            Err(error) => {
                self.end_audition(AuditionState::Off);
                self.report_error(&error);
            }
        }
    }

    /// The clip; none without enough sound. The inner option is none if the clip that plays has these gains already.
    fn prepare_clip(&mut self, model: &dyn AdviceModel, trial: &Trial) -> Result<Option<Option<Clip>>> {
        let is_active = self.connections.audition.is_active();
        if is_active && self.hearing.sent.is_some_and(|sent| sent.gains_db == trial.gains_db) {
            return Ok(Some(None));
        }
        let cancel = self.connections.cancel.clone();
        if !is_active || self.hearing.prepared.is_none() {
            let take = self.framer.as_ref().and_then(|framer| framer.tail()).and_then(|tail| tail.take());
            let Some(take) = take else { return Ok(None) };
            let remixer = Remixer::new(model.features(), take.sound.sample_rate_hz);
            let window = Unmixed::new(take.sound, Vec::new(), model.stem_masks(&take.power, &cancel)?);
            let unseparated = model.separator().map(|_| take.power);
            self.hearing.windows += 1;
            self.hearing.prepared = Some(Prepared { window, unseparated, remixer });
        }
        let Some(prepared) = &mut self.hearing.prepared else { return Ok(None) };
        prepared.clip(&trial.gains_db, self.hearing.windows, &cancel).map(|clip| Some(Some(clip)))
    }

    /// Separates the window that sounds, and sends the clip again.
    pub(super) fn refine(&mut self, model: &dyn AdviceModel) {
        match attempt(|| self.refined_clip(model)) {
            Ok(Some(clip)) => self.connections.audition.send(clip),
            Ok(None) => {}
            Err(error) => self.report_error(&error),
        }
    }

    /// The present clip from a separated window; none where there is nothing to refine.
    fn refined_clip(&mut self, model: &dyn AdviceModel) -> Result<Option<Clip>> {
        let cancel = self.connections.cancel.clone();
        let Some((prepared, sent)) = self.hearing.prepared.as_mut().zip(self.hearing.sent) else {
            return Ok(None);
        };
        // Taken first: what fails once is not tried again.
        let Some(power) = prepared.unseparated.take() else { return Ok(None) };
        prepared.window.set_separated(model.separate(&prepared.window, &power, &cancel)?);
        prepared.clip(&sent.gains_db, self.hearing.windows, &cancel).map(Some)
    }

    /// Follows what has become of the audition, and frees everything once the editor is closed.
    pub(super) fn follow_audition(&mut self) {
        let link = &mut self.connections.audition;
        let end = link.poll();
        let (is_open, calls) = (link.switch().is_open(), link.switch().calls());
        if !is_open {
            if let Some(framer) = &mut self.framer {
                framer.keep_tail(false);
            }
            if self.view.audition.state != AuditionState::Off || self.hearing.prepared.is_some() {
                self.end_audition(AuditionState::Off);
            }
        } else if let Some(end) = end {
            self.end_audition(AuditionState::Ended(end));
        } else if self.connections.audition.is_active() {
            let now = Instant::now();
            let since = match self.hearing.calls {
                Some((before, since)) if before == calls => since,
                _ => now,
            };
            self.hearing.calls = Some((calls, since));
            let sleeps = now.duration_since(since) > HOST_SLEEPS;
            let state = if sleeps { AuditionState::HostSleeps } else { AuditionState::Sounding };
            self.show_audition(Audition { state, ..self.view.audition });
        }
        let tail = self.framer.as_ref().and_then(|framer| framer.tail());
        // In tenths: the panel shows no more, and not every change is worth a new view.
        let playable_s = tail.map_or(0.0, |tail| (tail.playable_s() * 10.0).floor() / 10.0);
        self.show_audition(Audition { playable_s, ..self.view.audition });
    }

    fn show_audition(&mut self, audition: Audition) {
        self.is_dirty |= self.view.audition != audition;
        self.view.audition = audition;
    }
}
