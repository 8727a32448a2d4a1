//! Messages for the user.

use super::Session;
use crate::view::Notice;
use mixing_buddy_core::Error;

/// Largest number of notices that are kept. Not tuned.
const MOST_NOTICES: usize = 8;

/// Which notices the user has had: each of these is shown once per session.
#[derive(Default)]
pub(super) struct Told {
    /// Windows were skipped.
    pub skipped: bool,
    /// Samples were not finite.
    pub damaged: bool,
    /// A render was too long.
    pub too_long: bool,
    /// The model failed.
    pub failed: bool,
}

impl Session {
    /// Shows a message that is not an error.
    pub(super) fn inform(&mut self, text: String) {
        self.add_notice(false, text);
    }

    /// Shows an error in words of ours.
    pub(super) fn alert(&mut self, text: String) {
        self.add_notice(true, text);
    }

    /// Shows an error as it is.
    pub(super) fn report_error(&mut self, error: &Error) {
        self.alert(sentence(error));
    }

    fn add_notice(&mut self, is_error: bool, text: String) {
        self.is_dirty = true;
        self.view.notices.retain(|notice| notice.text != text);
        self.view.notices.push(Notice { id: self.next_notice, is_error, text });
        self.next_notice += 1;
        while self.view.notices.len() > MOST_NOTICES {
            // Errors stay until the user dismisses them, so the oldest other notice goes first.
            let victim = self.view.notices.iter().position(|notice| !notice.is_error).unwrap_or(0);
            self.view.notices.remove(victim);
        }
    }
}

/// An error as a sentence. A path at its start stays as it is; a word gets a capital letter.
pub(super) fn sentence(error: &Error) -> String {
    let text = error.to_string();
    match error {
        Error::Io { .. } | Error::Audio { .. } => format!("{text}."),
        Error::Samples(_)
        | Error::Bundle { .. }
        | Error::Model { .. }
        | Error::Cancelled
        | Error::Format(_)
        | Error::Tensor(_) => {
            let mut letters = text.chars();
            let first = letters.next().into_iter().flat_map(char::to_uppercase);
            first.chain(letters).chain(['.']).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_becomes_a_sentence_and_a_path_stays_as_it_is() {
        let bundle = Error::Bundle { path: "/a.mixbuddy".into(), reason: "is damaged".into() };
        assert_eq!(sentence(&bundle), "Model bundle /a.mixbuddy: is damaged.");
        let samples = sentence(&Error::Samples("too short".into()));
        assert!(samples.starts_with("The audio ") && samples.ends_with("too short."), "{samples}");
        assert_eq!(sentence(&Error::audio("music/a.wav", "is empty")), "music/a.wav: is empty.");
    }
}
