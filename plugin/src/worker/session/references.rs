//! The reference: pinned, measured from a file, undone.

use super::undo::Step;
use super::{LAST_WINDOWS, ModelState, Session, WINDOWS_PER_SONG_ADVICE, attempt};
use crate::view::Reference;
use crate::worker::advice_model::AdviceModel;
use crate::worker::reference::{Progress, ReferenceJob, reference_of};
use mixing_buddy_core::{Analysis, Error, clock};
use std::path::Path;
use std::time::Duration;
use tracing::{info, warn};

/// Work on a reference file between two polls of the ring. Not tuned.
const REFERENCE_SLICE: Duration = Duration::from_millis(30);

impl Session {
    pub(super) fn pin(&mut self) {
        let ModelState::Ready(model) = &self.model else { return };
        let recent = self.history.recent(LAST_WINDOWS);
        let Some((newest, _)) = recent.first() else {
            self.inform("Play part of the song first. There is nothing to use as reference yet.".into());
            return;
        };
        let name = format!("Pinned at {}", clock::text(newest.start_s));
        let analyses: Vec<Analysis> = recent.iter().map(|(_, analysis)| (*analysis).clone()).collect();
        match reference_of(&**model, name, &analyses) {
            Some(reference) => self.set_reference(Some(reference)),
            None => self.inform("The last windows contain no stem that can be a reference.".into()),
        }
    }

    pub(super) fn load_reference(&mut self, path: &Path) {
        let ModelState::Ready(model) = &self.model else {
            self.alert("The model is not loaded yet, so the reference cannot be measured.".into());
            return;
        };
        match attempt(|| ReferenceJob::open(path, &**model)) {
            Ok(job) => {
                self.job = Some(job);
                self.view.reference_progress = Some(0.0);
            }
            Err(error) => {
                warn!(%error, "the reference could not be opened");
                self.report_error(&error);
            }
        }
    }

    pub(super) fn measure(&mut self, model: &dyn AdviceModel) {
        let Some(job) = &mut self.job else { return };
        let cancel = &self.connections.cancel;
        self.is_dirty = true;
        match attempt(|| job.step(model, cancel, REFERENCE_SLICE)) {
            Ok(Progress::Part(part)) => self.view.reference_progress = Some(part),
            Ok(Progress::Done(reference, warnings)) => {
                info!(name = reference.name, windows = reference.windows, "reference measured");
                self.job = None;
                self.view.reference_progress = None;
                self.set_reference(Some(*reference));
                if !warnings.is_empty() {
                    warn!(?warnings, "the reference is damaged");
                    self.inform(format!("The reference was measured, but {}.", warnings.join("; ")));
                }
            }
            Err(error) => {
                self.job = None;
                self.view.reference_progress = None;
                if !matches!(error, Error::Cancelled) {
                    warn!(%error, "the reference could not be measured");
                    self.report_error(&error);
                }
            }
        }
    }

    pub(super) fn set_reference(&mut self, reference: Option<Reference>) {
        if reference == self.view.reference {
            return;
        }
        let before = std::mem::replace(&mut self.view.reference, reference);
        self.can_undo(Step::Reference(before));
        self.request_changed();
    }

    /// Anchor, stems, reference or threshold has changed: the newest window and the song need new advice.
    pub(super) fn request_changed(&mut self) {
        self.newest_due = true;
        self.song_due = true;
        self.windows_since_song = WINDOWS_PER_SONG_ADVICE;
        self.is_dirty = true;
        self.is_saved_dirty = true;
    }
}
