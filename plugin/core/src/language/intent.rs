//! What a question is about, as the model understands it.

use crate::stem::Stem;
use serde::{Deserialize, Serialize};

/// How the model understood a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Intent {
    /// The whole balance.
    Balance,
    /// One stem.
    About(Stem),
    /// How far the mix is from the reference.
    Compare,
    /// Nothing that can be answered: the answer gives general advice and says that it did not understand the question.
    Unclear,
}

impl Intent {
    /// Number of intents: one per stem, and three that are about no stem.
    pub const COUNT: usize = Stem::COUNT + 3;

    /// All intents, in the order of the token table.
    pub const ALL: [Intent; Self::COUNT] = [
        Intent::Balance,
        Intent::About(Stem::Vocals),
        Intent::About(Stem::Drums),
        Intent::About(Stem::Bass),
        Intent::About(Stem::Other),
        Intent::Compare,
        Intent::Unclear,
    ];

    /// Name as in the token table and in template files.
    pub const fn name(self) -> &'static str {
        match self {
            Intent::Balance => "balance",
            Intent::About(stem) => stem.name(),
            Intent::Compare => "compare",
            Intent::Unclear => "unclear",
        }
    }

    /// The target that the question is about: none for general questions and for stems that are no target.
    pub fn asked_stem(self) -> Option<Stem> {
        match self {
            Intent::About(stem) if stem.is_target() => Some(stem),
            _ => None,
        }
    }

    /// Whether an answer to this question may name `stem` as target.
    pub fn may_target(self, stem: Stem) -> bool {
        stem.is_target() && self.asked_stem().is_none_or(|asked| asked == stem)
    }
}
