//! The languages of conversations, and the files of each.

use mixing_buddy_core::Stem;
use serde::{Deserialize, Serialize};

/// A language in which people ask and the large model answers.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// English.
    #[default]
    En,
}

impl Language {
    /// All languages.
    pub const ALL: [Language; 1] = [Language::En];

    /// Two letters, as in the names of folders and in JSON.
    pub const fn code(self) -> &'static str {
        match self {
            Language::En => "en",
        }
    }

    /// Whether the name of a stem takes the singular.
    pub(super) const fn is_singular(self, stem: Stem) -> bool {
        match self {
            Language::En => matches!(stem, Stem::Bass),
        }
    }

    /// The files as compiled in.
    pub(super) const fn files(self) -> LanguageFiles {
        match self {
            Language::En => LanguageFiles {
                questions: include_str!("../../../templates/conversation/en/questions.toml"),
                answers: include_str!("../../../templates/conversation/en/answers.toml"),
                held_out: include_str!("../../../templates/conversation/en/heldout.toml"),
                lexicon: include_str!("../../../templates/conversation/en/lexicon.toml"),
            },
        }
    }
}

/// The texts of a language's files.
pub(super) struct LanguageFiles {
    pub questions: &'static str,
    pub answers: &'static str,
    pub held_out: &'static str,
    pub lexicon: &'static str,
}
