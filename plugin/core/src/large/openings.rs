//! How an answer begins, where the question says what it must be about: with the stem that was asked for, or with a no.
//!
//! A small model now and then talks about what it decided, whatever was asked. An opening keeps it to the question. Which of
//! the languages it is in is left to the model: it follows the words that are most probable to it.

use crate::conversation::Topic;
use crate::stem::Stem;

/// With a comma, behind which only a refusal can follow: "No" alone may become "No reason to move the vocals."
const NOES: [&str; 3] = ["No,", "Nein,", "Non,"];

const fn of_stem(stem: Stem) -> [&'static str; 4] {
    match stem {
        Stem::Vocals => ["The vocals", "Die Vocals", "La voz", "La voix"],
        Stem::Drums => ["The drums", "Die Drums", "La batería", "La batterie"],
        Stem::Bass => ["The bass", "Der Bass", "El bajo", "La basse"],
        Stem::Other => [
            "The other instruments",
            "Die übrigen Instrumente",
            "Los demás instrumentos",
            "Les autres instruments",
        ],
    }
}

/// The openings of an answer on this topic, one per language; none where the model is free.
///
/// A question that was not understood may be one in another language, so it does not get a no.
pub fn openings(topic: Topic) -> Vec<&'static str> {
    match topic {
        Topic::OutOfReach(_) => NOES.to_vec(),
        _ => topic.asked_stem().map_or_else(Vec::new, |stem| of_stem(stem).to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::Field;

    #[test]
    fn a_stem_or_a_no_comes_first() {
        assert!(openings(Topic::OutOfReach(Field::Equalizer)).contains(&"Nein,"));
        assert!(openings(Topic::Only(Stem::Bass)).contains(&"The bass"));
        assert!(openings(Topic::Balance).is_empty() && openings(Topic::Unclear).is_empty());
    }
}
