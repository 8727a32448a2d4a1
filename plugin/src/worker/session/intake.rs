//! Reads audio from the ring and frames it into windows.

use super::{ModelState, Next, Session};
use crate::capture::{Flow, Stretch, TapReader};
use crate::settings::{Hop, SLAB_S};
use crate::worker::framer::Framer;
use crate::worker::runs::{RunEnd, Runs};
use crate::worker::spool::Spool;
use crate::worker::windows::Queue;
use mixing_buddy_core::{Error, Result};
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
    /// A render is longer than what may wait for the separator.
    too_long: bool,
}

/// A render that is separated later than it is read.
pub(super) struct Bounce {
    spool: Spool,
    framer: Framer,
}

/// Where the windows of a framer go, and what is noted on the way.
struct Sinks<'a> {
    queue: &'a mut Queue,
    runs: &'a mut Runs,
    events: &'a mut Events,
}

impl Sinks<'_> {
    /// Frames a stretch; `end` is why the run before it ended, if it did.
    fn frame(
        &mut self,
        framer: &mut Framer,
        stretch: &Stretch,
        (left, right): (&mut [f32], &mut [f32]),
        hop: Hop,
        end: RunEnd,
    ) {
        if Framer::is_end_of_run(stretch) && framer.run_s() > 0.0 && !framer.has_window() {
            let is_loop = end != RunEnd::Loss && framer.loops_at(stretch);
            self.runs.ended(if is_loop { RunEnd::Loop(framer.run_s()) } else { end });
        }
        let Sinks { queue, runs, events } = self;
        let framed = framer.take(stretch, left, right, hop.slabs(), |window| {
            runs.window_finished();
            if window.is_damaged() {
                events.damaged = true;
            } else {
                events.skipped |= queue.push(window);
            }
        });
        events.failure = framed.err().or(events.failure.take());
    }
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
            let new = || Framer::new(settings, separator.as_ref(), rate, is_offline, cancel.clone());
            let made = match is_offline && separator.is_some() {
                true => Bounce::new(new).map(|bounce| (bounce, new())),
                false => new().map(|framer| (None, Ok(framer))),
            };
            match made.and_then(|(bounce, framer)| Ok((bounce, framer?))) {
                Ok((bounce, framer)) => {
                    self.bounce = bounce.or(self.bounce.take());
                    self.framer = Some(framer);
                }
                Err(error) => return self.cannot_read(&error),
            }
        }
        let is_kept = !is_offline && self.connections.audition.switch().is_open();
        if let Some(framer) = &mut self.framer {
            framer.keep_tail(is_kept);
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
            self.metering.take(&stretch, (&self.left, &self.right), rate, is_interrupted);
            self.flow = Some(stretch.flow);
            events.dropped = Some(stretch.dropped);
            self.is_dirty = true;
            if stretch.frames > 0 {
                self.last_audio = Some(started);
                // What waits for the separator makes windows later: nothing is in their way.
                if !(is_offline && self.bounce.is_some()) {
                    self.runs.sounded(stretch.frames as f64 / f64::from(rate.max(1)), started);
                }
            }
            if let (Some(framer), true) = (&mut self.framer, settings.is_some()) {
                let is_loss = stretch.dropped > std::mem::replace(&mut dropped, stretch.dropped);
                let end = match stretch.flow {
                    Flow::Playing if is_loss => RunEnd::Loss,
                    Flow::Playing if !is_interrupted => RunEnd::Jump,
                    Flow::Playing | Flow::Paused | Flow::Bypassed | Flow::Stopped => RunEnd::Stop,
                };
                match &mut self.bounce {
                    Some(bounce) if is_offline => match bounce.spool.push(stretch, &self.left, &self.right) {
                        Ok(had_room) => events.too_long |= !had_room,
                        Err(error) => events.failure = Some(spool_error(&error)),
                    },
                    _ => {
                        let audio = (self.left.as_mut_slice(), self.right.as_mut_slice());
                        let (queue, runs) = (&mut self.queue, &mut self.runs);
                        Sinks { queue, runs, events: &mut events }.frame(framer, &stretch, audio, hop, end);
                    }
                }
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

    /// Whether audio of a render waits for the separator.
    pub(super) fn has_spooled(&self) -> bool {
        self.bounce.as_ref().is_some_and(|bounce| !bounce.spool.is_empty())
    }

    /// About how many windows the audio that waits will make.
    pub(super) fn spooled_windows(&self) -> usize {
        let Some(bounce) = &self.bounce else { return 0 };
        let hop_s = Hop::from(self.connections.params.hop.value()).slabs() as f64 * SLAB_S;
        let seconds = bounce.spool.frames() as f64 / f64::from(bounce.framer.source_rate_hz().max(1));
        (seconds / hop_s).ceil() as usize
    }

    /// Frames a stretch of a render that has waited.
    pub(super) fn frame_spooled(&mut self) {
        let hop = Hop::from(self.connections.params.hop.value());
        let Some(bounce) = &mut self.bounce else { return };
        let (mut left, mut right, mut events) = (Vec::new(), Vec::new(), Events::default());
        match bounce.spool.pop(&mut left, &mut right) {
            Ok(Some(stretch)) => {
                let audio = (left.as_mut_slice(), right.as_mut_slice());
                let (queue, runs) = (&mut self.queue, &mut self.runs);
                let mut sinks = Sinks { queue, runs, events: &mut events };
                sinks.frame(&mut bounce.framer, &stretch, audio, hop, RunEnd::Jump);
            }
            Ok(None) => {}
            Err(error) => events.failure = Some(spool_error(&error)),
        }
        self.is_dirty = true;
        self.tell(&events, 0);
        if let Some(error) = events.failure {
            self.bounce = None;
            warn!(%error, "the render cannot be analyzed");
            self.alert(format!("The rest of this render cannot be analyzed: {error}."));
        }
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
        if events.too_long && !std::mem::replace(&mut self.told.too_long, true) {
            warn!("the render is longer than what may wait for the analysis");
            self.inform(
                "This render is longer than 2 GB of audio, the most that waits for the analysis. The rest of it is \
                 not analyzed."
                    .into(),
            );
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

impl Bounce {
    /// An empty queue, and a framer of its own: live audio may come before the render is through.
    fn new(framer: impl FnOnce() -> Result<Framer>) -> Result<Option<Self>> {
        let spool = Spool::new().map_err(|error| spool_error(&error))?;
        Ok(Some(Bounce { spool, framer: framer()? }))
    }
}

fn spool_error(error: &std::io::Error) -> Error {
    Error::Samples(format!("it waits in a temporary file, which failed: {error}"))
}

fn log_break(stretch: &Stretch, sample_rate_hz: u32) {
    if stretch.follows_break {
        let at_s = stretch.position as f64 / f64::from(sample_rate_hz.max(1));
        debug!(at_s, flow = ?stretch.flow, "break in the song");
    }
}
