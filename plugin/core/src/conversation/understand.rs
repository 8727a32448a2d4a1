//! From the words of a question to its topic, and to an anchor that the words state.
//!
//! Clear words decide: "reference", "why", "compressor", the name of a stem. Where they don't, the language model does. It is
//! asked about a fixed, neutral reading, so that the same words are always taken for the same topic, whatever the window.

use super::cues::{COMPARE, CONFIDENCE, FIRST, GENERAL, LEVELS, ONLY, OUT_OF_REACH, WHY};
use super::topic::Topic;
use super::words::Words;
use crate::error::Result;
use crate::language::Intent;
use crate::stem::Stem;

/// A question, understood.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Understood {
    /// What it is about.
    pub topic: Topic,
    /// The anchor that it states in words: "the drums are right".
    pub anchor: Option<Stem>,
}

/// Words that may stand before a statement about an anchor.
const FILLERS: &[&str] = &[
    "ok", "okay", "so", "and", "well", "hey", "hi", "now", "if", "assume", "assuming", "suppose", "given",
    "since", "because", "as", "that", "say", "lets", "i", "know", "im", "am", "sure", "but", "with", "take",
    "it", "for", "granted",
];
const ARTICLES: &[&str] = &["the", "my", "our", "this", "that"];
/// What an anchor is said to be, after "is" or "are" and words such as "already".
const RIGHT: &[&str] = &[
    "right", "fine", "good", "ok", "okay", "perfect", "great", "correct", "set", "settled", "done", "where",
    "as", "at",
];
const ADVERBS: &[&str] =
    &["already", "just", "exactly", "perfectly", "really", "all", "totally", "definitely", "pretty"];
/// Beginnings of an order not to touch a stem.
const KEEP: &[&str] =
    &["dont touch", "do not touch", "dont change", "do not change", "keep", "leave", "trust"];
/// Words with which a question goes on after a statement.
const ASKING: &[&str] = &[
    "how", "what", "whats", "is", "are", "does", "do", "should", "which", "where", "anything", "any", "who",
    "can", "could", "would", "tell", "check",
];

/// What a question is about, and the anchor that it states. Blank words are the general question. `ask` asks the language
/// model how it understands words; it is called only where the words themselves don't decide.
///
/// # Errors
/// As `ask`.
pub fn understand(question: &str, ask: impl FnOnce(&str) -> Result<Intent>) -> Result<Understood> {
    let (anchor, rest) = split_anchor(question);
    let words = Words::of(&rest);
    if words.list().is_empty() {
        return Ok(Understood { topic: Topic::Balance, anchor });
    }
    let topic = match topic_of_words(&words) {
        Some(topic) => topic,
        None => match ask(&rest)? {
            Intent::Balance => Topic::Balance,
            Intent::About(stem) => Topic::About(stem),
            Intent::Compare => Topic::Compare(None),
            Intent::Unclear => Topic::Unclear,
        },
    };
    Ok(Understood { topic, anchor })
}

fn topic_of_words(words: &Words) -> Option<Topic> {
    let stem = words.first_stem();
    if let Some((field, _)) = OUT_OF_REACH.iter().find(|(_, cues)| words.has_any(cues)) {
        return Some(Topic::OutOfReach(*field));
    }
    if words.has_any(CONFIDENCE) {
        return Some(Topic::Confidence);
    }
    if words.has_any(WHY) {
        return Some(Topic::Why(stem));
    }
    if words.has_any(COMPARE) {
        return Some(Topic::Compare(stem));
    }
    if let Some(stem) = stem.filter(|_| words.has_any(ONLY)) {
        return Some(Topic::Only(stem));
    }
    if words.has_any(FIRST) {
        return Some(Topic::First);
    }
    if words.has_any(LEVELS) {
        return Some(Topic::Levels(stem));
    }
    stem.map(Topic::About).or_else(|| words.has_any(GENERAL).then_some(Topic::Balance))
}

/// The anchor that a text states, and the text without that statement.
fn split_anchor(question: &str) -> (Option<Stem>, String) {
    let mut anchor = None;
    let mut rest = Vec::new();
    let mut from = 0;
    let ends =
        question.char_indices().filter(|(_, sign)| matches!(sign, '.' | ',' | ';' | '!' | '?' | '\n' | ':'));
    for end in ends.map(|(at, sign)| at + sign.len_utf8()).chain([question.len()]) {
        let clause = &question[from..end];
        from = end;
        match anchor_of(clause).filter(|_| anchor.is_none()) {
            Some((stem, tail)) => {
                anchor = Some(stem);
                rest.push(tail);
            }
            None => rest.push(clause.to_string()),
        }
    }
    (anchor, rest.join(" "))
}

/// The anchor that a clause states, and what follows the statement in it.
fn anchor_of(clause: &str) -> Option<(Stem, String)> {
    let words = Words::of(clause);
    let list = words.list();
    let mut at = list.iter().take_while(|word| FILLERS.contains(&word.as_str())).count();
    let order = KEEP.iter().map(|order| order.split(' ').collect::<Vec<_>>()).find(|order| {
        list.get(at..at + order.len()).is_some_and(|words| words.iter().zip(order).all(|(a, b)| a == b))
    });
    at += order.as_ref().map_or(0, Vec::len);
    at += list[at..].iter().take_while(|word| ARTICLES.contains(&word.as_str())).count();
    let (stem, length) = words.stem_at(at).filter(|(stem, _)| stem.is_target())?;
    at += length;
    if order.is_none() {
        at += list.get(at).filter(|word| *word == "level").map_or(0, |_| 1);
        list.get(at).filter(|word| matches!(word.as_str(), "is" | "are" | "sits" | "sit"))?;
        at += 1;
        at += list[at..].iter().take_while(|word| ADVERBS.contains(&word.as_str())).count();
        list.get(at).filter(|word| RIGHT.contains(&word.as_str()))?;
        at += 1;
    }
    // "Keep the drums" is an order, "leave the drums or lower them" and "the drums are right or wrong" are questions.
    let asks = clause.trim_end().ends_with('?');
    let tail = &list[at..];
    match tail.iter().position(|word| ASKING.contains(&word.as_str())) {
        Some(from) => Some((stem, tail[from..].join(" "))),
        None if asks || tail.iter().any(|word| word == "or") => None,
        None => Some((stem, String::new())),
    }
}

#[cfg(test)]
mod tests {
    use super::super::topic::Field;
    use super::*;

    fn of(question: &str) -> Understood {
        understand(question, |_| Ok(Intent::Balance)).expect("the words are understood")
    }

    #[test]
    fn clear_words_decide_the_topic() {
        let drums = Some(Stem::Drums);
        for (question, topic) in [
            ("", Topic::Balance),
            ("Anything off?", Topic::Balance),
            ("And the drums?", Topic::About(Stem::Drums)),
            ("Why do you say that?", Topic::Why(None)),
            ("why are the drums too loud", Topic::Why(drums)),
            ("Compare with my reference", Topic::Compare(None)),
            ("are the drums as loud as in the ref", Topic::Compare(drums)),
            ("how sure are you?", Topic::Confidence),
            ("What should I do first?", Topic::First),
            ("What if I only touch the drums?", Topic::Only(Stem::Drums)),
            ("what did you measure", Topic::Levels(None)),
            ("Should I EQ the bass?", Topic::OutOfReach(Field::Equalizer)),
            ("should i compress the drums", Topic::OutOfReach(Field::Dynamics)),
            ("write me a song", Topic::OutOfReach(Field::Writing)),
            ("how loud should the master be for spotify", Topic::OutOfReach(Field::Mastering)),
            ("my wocals?", Topic::Balance),
            ("are my vocasl too low", Topic::About(Stem::Vocals)),
        ] {
            assert_eq!(of(question), Understood { topic, anchor: None }, "{question}");
        }
    }

    #[test]
    fn the_model_is_asked_where_words_do_not_decide() {
        let asked = |intent| {
            understand("Is she singing over us?", |_| Ok(intent)).expect("the words are understood").topic
        };
        assert_eq!(asked(Intent::Balance), Topic::About(Stem::Vocals));
        let asked = |intent| understand("hmm", |_| Ok(intent)).expect("the words are understood").topic;
        assert_eq!(asked(Intent::Unclear), Topic::Unclear);
        assert_eq!(asked(Intent::Compare), Topic::Compare(None));
        assert_eq!(asked(Intent::About(Stem::Bass)), Topic::About(Stem::Bass));
    }

    #[test]
    fn an_anchor_in_words_is_found_and_a_question_is_none() {
        for (question, anchor, topic) in [
            ("The drums are right. Anything else?", Stem::Drums, Topic::Balance),
            ("Assuming the bass is fine, how are the vocals?", Stem::Bass, Topic::About(Stem::Vocals)),
            ("if the drums are right how is the bass", Stem::Drums, Topic::About(Stem::Bass)),
            ("my vocals are exactly where I want them", Stem::Vocals, Topic::Balance),
            ("Don't touch the drums! What would you change?", Stem::Drums, Topic::Balance),
            ("leave the bass alone, what now?", Stem::Bass, Topic::Balance),
        ] {
            assert_eq!(of(question), Understood { topic, anchor: Some(anchor) }, "{question}");
        }
        for question in [
            "are the drums right?",
            "the drums are right?",
            "Do you think the drums are right",
            "tell me if the bass is fine",
            "the drums are right or wrong",
            "should I leave the bass",
            "the drums are too loud",
            "the guitars are fine",
        ] {
            assert_eq!(of(question).anchor, None, "{question}");
        }
    }
}
