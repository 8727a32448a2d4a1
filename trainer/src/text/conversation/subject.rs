//! Whether an answer is about the stem that was asked for, and whether it is a no.

use super::clauses::{clauses, words_of};
use super::contradiction::claims_of;
use super::lexicon::Lexicon;
use mixing_buddy_core::Stem;

/// Longest no in words. Chosen, not tuned: two sentences.
const LONGEST_NO_WORDS: usize = 40;

/// Whether an answer is about a stem: it names it, and no other in an earlier sentence. An answer that names no stem at all,
/// only "it" or "them", is about the one that was asked for.
pub fn is_about(answer: &str, stem: Stem, lexicon: &Lexicon) -> bool {
    let all = clauses(answer, lexicon, Some(stem));
    let mut named =
        all.iter().flat_map(|clause| clause.stems.iter().map(|(_, named)| (clause.sentence, *named)));
    let Some(first) = named.clone().next() else {
        return all.iter().any(|clause| lexicon.occurs("contexts", "pronouns", &clause.words));
    };
    named.find(|(_, named)| *named == stem).is_some_and(|(sentence, _)| sentence == first.0)
}

/// Whether an answer is a short no: it refuses, and advises nothing.
pub fn is_no(answer: &str, lexicon: &Lexicon) -> bool {
    let words = words_of(answer);
    let refuses = lexicon.occurs("no", "refusal", &words);
    let advises = clauses(answer, lexicon, None).iter().any(|clause| !claims_of(clause, lexicon).is_empty());
    refuses && !advises && words.len() <= LONGEST_NO_WORDS
}

#[cfg(test)]
mod tests {
    use super::super::language::Language;
    use super::*;

    fn lexicon() -> Lexicon {
        Lexicon::shipped(Language::En).expect("it is sound")
    }

    #[test]
    fn an_answer_is_about_the_stem_it_names_first() {
        let about = |text: &str, stem| is_about(text, stem, &lexicon());
        assert!(about("The vocals can stay. Lower the drums.", Stem::Vocals));
        assert!(!about("Lower the drums. The vocals can stay.", Stem::Vocals));
        assert!(about("Next to the drums, the vocals are fine.", Stem::Vocals));
        assert!(about("They are fine.", Stem::Vocals));
        assert!(!about("Nothing is off.", Stem::Vocals));
        assert!(!about("The balance works.", Stem::Bass));
    }

    #[test]
    fn a_no_refuses_and_advises_nothing() {
        let no = |text: &str| is_no(text, &lexicon());
        assert!(no("Sorry, EQ is beyond me. I only judge levels."));
        assert!(!no("Sorry, EQ is beyond me. Lower the drums by 4 dB."));
        assert!(!no("Cut 300 Hz on the bass."));
        assert!(!no(&format!("I can't. {}", "And so on and so forth. ".repeat(10))));
    }
}
