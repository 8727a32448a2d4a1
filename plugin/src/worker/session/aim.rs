//! The balance that is aimed at: pinned, measured from a file, undone.

use super::{LAST_WINDOWS, Model, SONG_EVERY_WINDOWS, Session, attempt};
use crate::report;
use crate::view::Reference;
use crate::worker::advisor::Advisor;
use crate::worker::reference::{ReferenceJob, Step, reference_of};
use mixing_buddy_core::{Analysis, Error};
use std::path::Path;
use std::time::Duration;

/// References that undo can go back to.
const UNDO_DEPTH: usize = 16;
/// Work on a reference file between two looks into the ring.
const REFERENCE_SLICE: Duration = Duration::from_millis(30);

impl Session {
    pub(super) fn pin(&mut self) {
        let Model::Ready(advisor) = &self.model else { return };
        let recent = self.history.recent(LAST_WINDOWS);
        let Some((newest, _)) = recent.first() else {
            self.say(false, "Play some of the song first: there is nothing to pin yet.".into());
            return;
        };
        let name = format!("Pinned at {}", report::clock(newest.start_s));
        let analysis: Vec<Analysis> = recent.iter().map(|(_, analysis)| (*analysis).clone()).collect();
        match reference_of(&**advisor, name, &analysis) {
            Some(reference) => self.set_reference(Some(reference)),
            None => self.say(false, "Nothing was heard in the last windows that could be pinned.".into()),
        }
    }

    pub(super) fn load_reference(&mut self, path: &Path) {
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

    pub(super) fn measure(&mut self, advisor: &dyn Advisor) {
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

    pub(super) fn set_reference(&mut self, reference: Option<Reference>) {
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
    pub(super) fn aim_changed(&mut self) {
        self.newest_due = true;
        self.song_due = true;
        self.windows_since_song = SONG_EVERY_WINDOWS;
        self.is_dirty = true;
        self.is_saved_dirty = true;
    }
}
