//! What the panel sees and the project keeps.

use super::{Model, Session};
use crate::capture::Flow;
use crate::state::{Saved, SavedSong};
use crate::view::{Activity, Notice};
use crate::worker::framer::Framer;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Sentences kept.
const MOST_NOTICES: usize = 8;
/// The view is published at most this often for the sake of the seconds heard.
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

    pub(super) fn say(&mut self, is_error: bool, mut text: String) {
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

    pub(super) fn activity(&self) -> Activity {
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
                let buffered_s = self.framer.as_ref().map_or(0.0, Framer::buffered_s);
                Activity::Listening { buffered_s: buffered_s.min(10.0) }
            }
        }
    }

    /// Publishes the view if it changed, and what a save is to write.
    pub(super) fn publish(&mut self) {
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

    pub(super) fn save(&mut self) {
        let song = match (&self.view.song, &self.model) {
            (Some(summary), Model::Ready(advisor)) => {
                advisor.pool(&self.song_evidence()).map(|analysis| SavedSong {
                    advice: summary.advice.clone(),
                    windows: summary.windows,
                    reading: analysis.reading,
                    levels_lu: analysis.levels_lu,
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
