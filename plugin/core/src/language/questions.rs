//! Questions that the program itself asks, where the user has typed none.

use crate::stem::Stem;

/// Asked when the user has typed nothing.
pub const DEFAULT_QUESTION: &str = "How is the balance of this mix?";

/// Asked when the user wants to hear how far a reference is.
pub const COMPARE_QUESTION: &str = "How does this mix compare with my reference?";

/// Suggestions for a panel or a help page.
pub const EXAMPLE_QUESTIONS: [&str; 5] = [
    DEFAULT_QUESTION,
    "How is my vocal?",
    "Are the drums too loud?",
    "Is the bass loud enough?",
    COMPARE_QUESTION,
];

/// The question that is asked when the user picks a stem instead of typing.
pub fn stem_question(stem: Stem) -> &'static str {
    match stem {
        Stem::Vocals => "How are the vocals?",
        Stem::Drums => "How are the drums?",
        Stem::Bass => "How is the bass?",
        Stem::Other => "How are the other instruments?",
    }
}
