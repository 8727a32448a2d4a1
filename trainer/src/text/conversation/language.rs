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
    /// German.
    De,
    /// Spanish.
    Es,
    /// French.
    Fr,
}

impl Language {
    /// All languages.
    pub const ALL: [Language; 4] = [Language::En, Language::De, Language::Es, Language::Fr];

    /// Two letters, as in the names of folders and in JSON.
    pub const fn code(self) -> &'static str {
        match self {
            Language::En => "en",
            Language::De => "de",
            Language::Es => "es",
            Language::Fr => "fr",
        }
    }

    /// Whether the name of a stem takes the singular in answers: "the bass is", "la voz está".
    pub(super) const fn is_singular(self, stem: Stem) -> bool {
        match self {
            Language::En | Language::De => matches!(stem, Stem::Bass),
            Language::Es | Language::Fr => !matches!(stem, Stem::Other),
        }
    }

    /// A figure as the language writes it: with a point or a comma.
    pub(super) fn figure(self, figure: &str) -> String {
        match self {
            Language::En => figure.to_string(),
            Language::De | Language::Es | Language::Fr => figure.replace('.', ","),
        }
    }

    /// The files as compiled in.
    pub(super) const fn files(self) -> LanguageFiles {
        macro_rules! files {
            ($folder:literal) => {
                LanguageFiles {
                    questions: include_str!(concat!(
                        "../../../templates/conversation/",
                        $folder,
                        "/questions.toml"
                    )),
                    answers: include_str!(concat!(
                        "../../../templates/conversation/",
                        $folder,
                        "/answers.toml"
                    )),
                    held_out: include_str!(concat!(
                        "../../../templates/conversation/",
                        $folder,
                        "/heldout.toml"
                    )),
                    lexicon: include_str!(concat!(
                        "../../../templates/conversation/",
                        $folder,
                        "/lexicon.toml"
                    )),
                }
            };
        }
        match self {
            Language::En => files!("en"),
            Language::De => files!("de"),
            Language::Es => files!("es"),
            Language::Fr => files!("fr"),
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
