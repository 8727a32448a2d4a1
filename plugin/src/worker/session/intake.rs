//! Reads audio from the ring and frames it into windows.

use super::{ModelState, Next, Session};
use crate::capture::{Flow, Stretch, TapReader};
use crate::settings::Hop;
use crate::worker::framer::Framer;
use crate::worker::runs::RunEnd;
use mixing_buddy_core::Error;
use std::time::{Duration, Instant};
use tracing::{debug, warn};

/// Reading goes on for this long before other work gets a turn. Not tuned.
const READ_SLICE: Duration = Duration::from_millis(50);

/// A host that sends nothing for this long has stopped: what it sends next is a new run, even if the position runs on,
/// because the user may have changed the mix. Hosts that stop the plugin around every block are far quicker. Not tuned.
const CEASED: Duration = Duration::from_secs(2);
/// After the host has stopped the plugin, the song counts as playing for this long: some stop it after every block.
/// Blocks of 8192 samples are 0.19 s apart.
const STOPPED: Duration = Duration::from_millis(500);
/// The same while the host renders: then blocks come much faster.
const STOPPED_OFFLINE: Duration = Duration::from_millis(50);

/// What happened while audio was read.
#[derive(Default)]
struct Events {
    /// The queue was full, so a window was skipped.
    skipped: bool,
    /// A window contained samples that are not finite.
    damaged: bool,
    /// Framing failed.
    failure: Option<Error>,
    /// Total of lost frames, if anything was read.
    dropped: Option<u64>,
}

impl Session {
    /// Reads the ring for a while.
    pub fn read_audio(&mut self) -> Next {
        let started = Instant::now();
        let settings = match &self.model {
            // The ring holds ten seconds, and a model loads in less.
            ModelState::Loading => return Next::Idle,
            ModelState::Ready(model) => Some((model.features().clone(), model.separator().cloned())),
            ModelState::Failed => None,
        };
        let hop = Hop::from(self.connections.params.hop.value());
        let Some(reader) = &mut self.reader else { return Next::Idle };
        let (rate, is_offline) = (reader.sample_rate_hz(), reader.is_offline());
        if let Some((settings, separator)) = &settings
            && !self
                .framer
                .as_ref()
                .is_some_and(|framer| framer.fits(settings, separator.as_ref(), rate, is_offline))
        {
            let cancel = self.connections.cancel.clone();
            match Framer::new(settings, separator.as_ref(), rate, is_offline, cancel) {
                Ok(framer) => self.framer = Some(framer),
                Err(error) => return self.cannot_read(&error),
            }
        }
        let mut events = Events::default();
        // A render may rest for any time.
        if reader.is_empty() && !is_offline && self.last_audio.is_some_and(|when| when.elapsed() > CEASED) {
            self.has_ceased = true;
        }
        let mut dropped = self.dropped_frames_before;
        while let Some(mut stretch) = reader.next(&mut self.left, &mut self.right) {
            let is_interrupted = stretch.frames > 0 && std::mem::take(&mut self.has_ceased);
            stretch.follows_break |= is_interrupted;
            log_break(&stretch, rate);
            self.flow = Some(stretch.flow);
            events.dropped = Some(stretch.dropped);
            self.is_dirty = true;
            if stretch.frames > 0 {
                self.last_audio = Some(started);
                self.runs.sounded(stretch.frames as f64 / f64::from(rate.max(1)), started);
            }
            if let (Some(framer), true) = (&mut self.framer, settings.is_some()) {
                let is_loss = stretch.dropped > std::mem::replace(&mut dropped, stretch.dropped);
                if Framer::is_end_of_run(&stretch) && framer.run_s() > 0.0 && !framer.has_window() {
                    let end = match stretch.flow {
                        Flow::Playing if is_loss => RunEnd::Loss,
                        Flow::Playing if framer.loops_at(&stretch) => RunEnd::Loop(framer.run_s()),
                        Flow::Playing if !is_interrupted => RunEnd::Jump,
                        Flow::Playing | Flow::Paused | Flow::Bypassed | Flow::Stopped => RunEnd::Stop,
                    };
                    self.runs.ended(end);
                }
                let (queue, runs) = (&mut self.queue, &mut self.runs);
                let framed = framer.take(&stretch, &mut self.left, &mut self.right, hop.slabs(), |window| {
                    runs.window_finished();
                    if window.is_damaged() {
                        events.damaged = true;
                    } else {
                        events.skipped |= queue.push(window);
                    }
                });
                events.failure = framed.err().or(events.failure);
            }
            if started.elapsed() > READ_SLICE || self.connections.cancel.is_cancelled() {
                break;
            }
        }
        let is_empty = reader.is_empty();
        self.tell(&events, rate);
        if let Some(error) = events.failure {
            return self.cannot_read(&error);
        }
        if is_empty { Next::Idle } else { Next::Busy }
    }

    /// Whether the song runs, as far as one can tell: a host may stop the plugin after every block.
    pub(super) fn is_song_running(&self) -> bool {
        let is_offline = self.reader.as_ref().is_some_and(TapReader::is_offline);
        let pause = if is_offline { STOPPED_OFFLINE } else { STOPPED };
        match self.flow {
            Some(Flow::Playing) => !self.has_ceased,
            Some(Flow::Stopped) => self.last_audio.is_some_and(|when| when.elapsed() < pause),
            Some(Flow::Paused | Flow::Bypassed) | None => false,
        }
    }

    /// Tells the user and the log what happened.
    fn tell(&mut self, events: &Events, sample_rate_hz: u32) {
        if let Some(total) = events.dropped {
            let frames = total.saturating_sub(self.dropped_frames_before);
            self.dropped_frames_before = total;
            let seconds = frames as f64 / f64::from(sample_rate_hz.max(1));
            self.view.model.dropped_s += seconds;
            if frames > 0 {
                warn!(seconds, "audio lost: the ring was full");
            }
        }
        if events.skipped && !std::mem::replace(&mut self.told.skipped, true) {
            warn!("the analysis is slower than the music: windows are skipped");
            self.inform("This computer can't keep up, so some windows are skipped.".into());
        }
        if events.damaged && !std::mem::replace(&mut self.told.damaged, true) {
            warn!("the host sends samples that are not finite");
            self.alert(
                "Some of the audio is not valid (NaN or infinite). Windows with such audio are not analyzed."
                    .into(),
            );
        }
    }

    fn cannot_read(&mut self, error: &Error) -> Next {
        warn!(%error, "the audio cannot be analyzed");
        self.reader = None;
        self.alert(format!("This audio cannot be analyzed: {error}."));
        Next::Idle
    }
}

fn log_break(stretch: &Stretch, sample_rate_hz: u32) {
    if stretch.follows_break {
        let at_s = stretch.position as f64 / f64::from(sample_rate_hz.max(1));
        debug!(at_s, flow = ?stretch.flow, "break in the song");
    }
}
