//! Questions that the program asks when the user types none.

use crate::stem::Stem;

/// The question for blank text.
pub const DEFAULT_QUESTION: &str = "How is the balance of this mix?";

/// The question for a comparison with the reference.
pub const COMPARE_QUESTION: &str = "How does this mix compare with my reference?";

/// Suggestions for a panel or a help page.
pub const EXAMPLE_QUESTIONS: [&str; 5] = [
    DEFAULT_QUESTION,
    "How is my vocal?",
    "Are the drums too loud?",
    "Is the bass loud enough?",
    COMPARE_QUESTION,
];

/// The question for a stem that the user picks instead of typing.
pub fn stem_question(stem: Stem) -> &'static str {
    match stem {
        Stem::Vocals => "How are the vocals?",
        Stem::Drums => "How are the drums?",
        Stem::Bass => "How is the bass?",
        Stem::Other => "How are the other instruments?",
    }
}
