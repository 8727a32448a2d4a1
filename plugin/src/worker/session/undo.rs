//! Undo: what the user has changed here, step by step. Parameters are the host's, except that the panel's own changes of
//! the confidence threshold are among the steps.

use super::Session;
use crate::state::SavedSong;
use crate::view::{Reference, SongSummary, Undoable};
use crate::worker::history::History;
use crate::worker::passes::Passes;
use mixing_buddy_core::{PerStem, Stem};
use std::sync::Arc;

/// Number of steps that undo can go back. Not tuned.
const DEPTH: usize = 16;

/// A change, as what was before it.
pub(super) enum Step {
    /// Another reference.
    Reference(Option<Reference>),
    /// Another anchor.
    Anchor(Option<Stem>),
    /// Other stems in the mix.
    Stems(Option<PerStem<bool>>),
    /// Another confidence threshold. The panel takes it back.
    Threshold(f32),
    /// "Start over".
    StartOver(Box<Before>),
}

/// The song before "Start over".
pub(super) struct Before {
    history: History,
    song: Option<Arc<SongSummary>>,
    earlier_song: Option<SavedSong>,
}

impl Step {
    /// What the panel says of it.
    pub(super) fn kind(&self) -> Undoable {
        match self {
            Step::Reference(_) => Undoable::Reference,
            Step::Anchor(_) => Undoable::Anchor,
            Step::Stems(_) => Undoable::Stems,
            Step::Threshold(before) => Undoable::Threshold(*before),
            Step::StartOver(_) => Undoable::StartOver,
        }
    }
}

impl Session {
    /// Keeps a step to go back to.
    pub(super) fn can_undo(&mut self, step: Step) {
        if matches!(step, Step::StartOver(_)) {
            // Each holds a whole history with its analyses: one is enough.
            self.undo.retain(|earlier| !matches!(earlier, Step::StartOver(_)));
        }
        self.undo.push(step);
        if self.undo.len() > DEPTH {
            self.undo.remove(0);
        }
        self.is_dirty = true;
    }

    /// Goes back one step.
    pub(super) fn undo(&mut self) {
        match self.undo.pop() {
            None => return,
            Some(Step::Reference(before)) => self.view.reference = before,
            Some(Step::Anchor(before)) => self.choices.anchor = before,
            Some(Step::Stems(before)) => self.choices.stems = before,
            // The panel has set it, and the worker sees it as any other change of the parameter.
            Some(Step::Threshold(_)) => return,
            Some(Step::StartOver(before)) => {
                let Before { history, song, earlier_song } = *before;
                self.history.undo_start_over(history);
                self.view.song = song;
                self.earlier_song = earlier_song;
                self.history_changed();
            }
        }
        self.request_changed();
    }

    pub(super) fn set_anchor(&mut self, anchor: Option<Stem>) {
        let before = std::mem::replace(&mut self.choices.anchor, anchor);
        if before != anchor {
            self.can_undo(Step::Anchor(before));
        }
        self.request_changed();
    }

    pub(super) fn set_stems(&mut self, stems: Option<PerStem<bool>>) {
        let before = std::mem::replace(&mut self.choices.stems, stems);
        if before != stems {
            self.can_undo(Step::Stems(before));
        }
        self.request_changed();
    }

    /// The mix has changed: what was heard before no longer counts.
    pub(super) fn start_over(&mut self) {
        self.start_meters_over();
        let before = Before {
            history: self.history.start_over(),
            song: self.view.song.take(),
            earlier_song: self.earlier_song.take(),
        };
        self.can_undo(Step::StartOver(Box::new(before)));
        self.passes = Passes::default();
        self.view.since = None;
        self.song_due = false;
        self.history_changed();
    }
}
