//! The library: read, measured into, aimed at.

use super::{ModelState, Session, attempt};
use crate::library::LibraryCommand;
use crate::view::Reference;
use crate::worker::advice_model::AdviceModel;
use crate::worker::shelf::{Finished, Shelf, Step};
use mixing_buddy_core::Error;
use mixing_buddy_core::profile::{Choice, Listing, Part, choice};
use std::path::PathBuf;
use std::sync::Arc;
use tracing::{info, warn};

/// Failures that are told one by one; of more, only the number.
const TOLD_FAILURES: usize = 3;

impl Session {
    pub(super) fn library_command(&mut self, command: LibraryCommand) {
        match command {
            LibraryCommand::Read => self.read_library(),
            LibraryCommand::Measure(paths) => self.measure_songs(&paths),
            LibraryCommand::Cancel => self.stop_measuring_songs(),
            LibraryCommand::Aim(choices) => self.aim(choices),
        }
    }

    pub(super) fn stop_measuring_songs(&mut self) {
        if self.shelf.take().is_some() {
            self.view.library.measuring = None;
            self.read_library();
        }
    }

    fn read_library(&mut self) {
        let Some(library) = &self.connections.library else {
            self.alert("There is no folder for references on this computer.".into());
            return;
        };
        match attempt(|| library.list()) {
            Ok(listing) => {
                listing.problems.iter().for_each(|problem| warn!(%problem, "a reference cannot be used"));
                self.view.library.listing = Some(Arc::new(listing));
            }
            Err(error) => self.report_error(&error),
        }
        self.is_dirty = true;
    }

    fn measure_songs(&mut self, paths: &[PathBuf]) {
        let (ModelState::Ready(_), Some(library)) = (&self.model, &self.connections.library) else {
            self.alert("The model is not loaded yet, so the songs cannot be measured.".into());
            return;
        };
        match attempt(|| Shelf::new(library.clone(), paths)) {
            Ok(shelf) => {
                self.view.library.measuring = Some(shelf.progress(0.0));
                self.shelf = Some(shelf);
            }
            Err(error) => self.report_error(&error),
        }
    }

    pub(super) fn measure_for_library(&mut self, model: &dyn AdviceModel) {
        let Some(shelf) = &mut self.shelf else { return };
        let cancel = &self.connections.cancel;
        self.is_dirty = true;
        match attempt(|| shelf.step(model, cancel)) {
            Ok(Step::Going(measuring)) => self.view.library.measuring = Some(measuring),
            Ok(Step::Finished(finished)) => self.songs_measured(finished),
            Err(error) => {
                self.shelf = None;
                self.view.library.measuring = None;
                if !matches!(error, Error::Cancelled) {
                    self.report_error(&error);
                }
            }
        }
    }

    fn songs_measured(&mut self, finished: Finished) {
        self.shelf = None;
        self.view.library.measuring = None;
        let failed = finished.failures.len();
        info!(songs = finished.of, failed, "songs measured for the library");
        if failed > TOLD_FAILURES {
            let first = &finished.failures[0];
            self.alert(format!(
                "{failed} of {} songs could not be measured. The first: {first}.",
                finished.of
            ));
        } else {
            for failure in &finished.failures {
                self.alert(format!("{failure}."));
            }
        }
        if let Some(first) = finished.warnings.first() {
            warn!(warnings = ?finished.warnings, "songs of the library are damaged");
            let more = match finished.warnings.len() - 1 {
                0 => String::new(),
                more => format!(", and {more} more"),
            };
            self.inform(format!("Measured for the library, but {first}{more}."));
        }
        self.read_library();
        if let Some(choice) = finished.choice {
            self.aim(vec![choice]);
        }
    }

    /// Makes songs and groups the reference.
    fn aim(&mut self, choices: Vec<Choice>) {
        if choices.is_empty() {
            self.set_reference(None);
            return;
        }
        if self.view.library.listing.is_none() {
            self.read_library();
        }
        let Some(listing) = self.view.library.listing.clone() else { return };
        match reference_of(&listing, choices) {
            Some(reference) => self.set_reference(Some(reference)),
            None => self.alert("The songs of this reference are not in the library any more.".into()),
        }
    }
}

fn reference_of(listing: &Listing, choices: Vec<Choice>) -> Option<Reference> {
    let target = choice::target(listing, &choices)?;
    let names: Vec<String> = choices
        .iter()
        .filter_map(|choice| match &choice.part {
            Part::Group(name) => listing.group(name).map(|group| group.name.clone()),
            Part::Song(id) => listing.song(id).map(|song| song.name.clone()),
        })
        .collect();
    Some(Reference {
        name: names.join(" + "),
        balance: target.balance,
        levels_lu: target.levels_lu,
        windows: target.windows,
        songs: target.songs,
        choices,
    })
}
