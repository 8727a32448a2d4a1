//! Takes sound out of the ring and turns it into windows.

use super::{Model, Next, Session};
use crate::panel::Hop;
use crate::worker::framer::Framer;
use std::time::{Duration, Instant};

/// Reading the ring goes on for this long before other things are looked after.
const LISTEN_SLICE: Duration = Duration::from_millis(50);

impl Session {
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
            && !self.framer.as_ref().is_some_and(|framer| framer.fits(settings, rate, is_offline))
        {
            match Framer::new(settings, rate, is_offline) {
                Ok(framer) => self.framer = Some(framer),
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
            if let (Some(framer), true) = (&mut self.framer, settings.is_some()) {
                let queue = &mut self.queue;
                let taken = framer.take(&stretch, &mut self.left, &mut self.right, hop_slabs, |window| {
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
}
