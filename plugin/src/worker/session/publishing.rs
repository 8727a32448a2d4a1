//! What the panel sees and what the project keeps.

use super::undo::Step;
use super::{ModelState, Session};
use crate::capture::Flow;
use crate::state::{Saved, SavedSong};
use crate::view::Activity;
use crate::worker::framer::Framer;
use mixing_buddy_core::features::FeatureSettings;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Shortest time between two publications: as often as the panel redraws.
const PUBLISH_EVERY: Duration = Duration::from_millis(50);

impl Session {
    pub(super) fn history_changed(&mut self) {
        self.view.history = Arc::new(self.history.marks());
        self.view.newest = self.history.newest();
        self.view.agreement = self.history.agreement();
        self.view.can_pin = !self.history.recent(1).is_empty();
        self.is_dirty = true;
        self.is_saved_dirty = true;
    }

    pub(super) fn activity(&self) -> Activity {
        match self.model {
            ModelState::Loading => return Activity::Loading,
            ModelState::Failed => return Activity::NoModel,
            ModelState::Ready(_) => {}
        }
        let is_playing = self.is_song_running();
        let spooled = self.spooled_windows();
        if spooled > 0 || (self.queue.offline_len() > 0 && !is_playing) {
            return Activity::CatchingUp { left: spooled + self.queue.offline_len() };
        }
        if is_playing {
            if let Some(obstacle) = self.runs.obstacle(Instant::now()) {
                return Activity::Obstructed(obstacle);
            }
            let run_s = self.framer.as_ref().map_or(0.0, Framer::run_s);
            return Activity::Filling { filled_s: run_s.min(FeatureSettings::WINDOW_S) };
        }
        match self.flow {
            Some(Flow::Bypassed) => Activity::Bypassed,
            None | Some(Flow::Stopped | Flow::Playing) if self.view.history.is_empty() => Activity::Waiting,
            None | Some(Flow::Stopped | Flow::Playing | Flow::Paused) => Activity::Paused,
        }
    }

    /// Publishes the view and the state for the next save, if they have changed.
    pub(super) fn publish(&mut self) {
        if self.is_saved_dirty {
            self.is_saved_dirty = false;
            self.save();
        }
        if self.connections.params.bypass.value() && self.flow.is_none() {
            self.flow = Some(Flow::Bypassed);
        }
        // Time alone can change it: a host that no longer calls has stopped.
        let activity = self.activity();
        self.is_dirty |= activity != self.view.activity;
        let is_time = self.published.is_none_or(|when| when.elapsed() >= PUBLISH_EVERY);
        if !self.is_dirty || !is_time {
            return;
        }
        self.is_dirty = false;
        self.published = Some(Instant::now());
        self.view.activity = activity;
        self.view.undo = self.undo.last().map(Step::kind);
        self.view.choices = self.choices.clone();
        self.show_meters();
        self.view.revision += 1;
        self.connections.params.readouts.show(&self.view);
        self.connections.view.store(Arc::new(self.view.clone()));
    }

    fn save(&mut self) {
        let song = match (&self.view.song, &self.model) {
            (Some(summary), ModelState::Ready(model)) => {
                self.song_analysis(&**model).map(|analysis| SavedSong {
                    advice: summary.advice.clone(),
                    windows: summary.windows,
                    reading: analysis.reading,
                    levels_lu: analysis.levels_lu,
                })
            }
            (Some(_), _) => self.earlier_song.clone(),
            (None, _) => None,
        };
        self.connections.params.project.publish(Saved {
            choices: self.choices.clone(),
            reference: self.view.reference.clone(),
            history: self.view.history.iter().map(|mark| (**mark).clone()).collect(),
            song,
            ..Saved::default()
        });
    }
}
