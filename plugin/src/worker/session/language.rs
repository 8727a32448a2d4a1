//! Which language model answers. The choice counts for all projects, and for all instances in the process.

use super::{ModelState, Session, notices};
use mixing_buddy_core::{Error, ModelChoice};
use tracing::warn;

/// What the session knows of the choice.
#[derive(Default)]
pub(super) struct Language {
    /// Number of choices that instances of this process had made when it was read; none before the first time.
    seen: Option<u64>,
    /// A choice of this panel, which is stored when its model has been loaded.
    wanted: Option<ModelChoice>,
}

impl Session {
    /// Reads the stored choice at the start, and when an instance has made another.
    pub(super) fn follow_language(&mut self) {
        let changes = self.connections.source.language_changes();
        if self.language.seen.replace(changes) == Some(changes) {
            return;
        }
        match self.connections.source.language() {
            Ok(choice) if choice != self.model_key.language => self.load_language(choice),
            Ok(_) => {}
            Err(error) => {
                warn!(%error, "the choice of a language model could not be read");
                self.report_error(&error);
            }
        }
    }

    /// Loads another language model, and keeps the choice if that works. Until then the present one answers.
    pub(super) fn choose_language(&mut self, choice: ModelChoice) {
        self.language.wanted = Some(choice.clone());
        if self.model_key.path.is_some() {
            self.choose_model(None);
        }
        self.load_language(choice);
    }

    fn load_language(&mut self, choice: ModelChoice) {
        self.model_key.language = choice;
        self.model = ModelState::Loading;
        // A conversation belongs to the model that led it.
        self.talk = None;
    }

    /// The model is there: the choice counts from now on.
    pub(super) fn language_loaded(&mut self) {
        let Some(choice) = self.language.wanted.take() else { return };
        if let Err(error) = self.connections.source.choose_language(&choice) {
            warn!(%error, "the choice of a language model could not be stored");
            self.report_error(&error);
        }
        self.language.seen = Some(self.connections.source.language_changes());
        let name = match &choice {
            ModelChoice::Compact => "The compact model",
            ModelChoice::Large(large) => large.name.as_str(),
        };
        self.inform(format!("{name} answers from now on, in all projects."));
    }

    /// The chosen model cannot be used: the compact one answers.
    pub(super) fn language_failed(&mut self, error: &Error) {
        warn!(%error, "the chosen language model could not be loaded");
        self.language.wanted = None;
        self.alert(format!("{} The compact model answers.", notices::sentence(error)));
        self.model_key.language = ModelChoice::Compact;
    }
}
