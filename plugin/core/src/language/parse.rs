//! The strict parser of answers: tokens or text in, decision and sentence out, or an error with the reason.

use super::decision::{Decision, MAX_TEXT_TOKENS, StemError};
use super::special::Special;
use super::tokenizer::{AdviceTokenizer, is_text, push_slot};
use crate::advice::Verdict;
use crate::error::{Error, Result};

/// An answer that follows the grammar.
#[derive(Clone, Debug, PartialEq)]
pub struct ParsedAnswer {
    /// The decision.
    pub decision: Decision,
    /// The verdict, which follows from the decision.
    pub verdict: Verdict,
    /// The sentence, with its slots.
    pub sentence: String,
}

enum Piece {
    Special(Special),
    Text(String),
}

impl Piece {
    fn describe(&self) -> String {
        match self {
            Piece::Special(special) => special.text(),
            Piece::Text(text) => format!("'{}'", text.chars().take(40).collect::<String>()),
        }
    }
}

/// Parses the tokens of an answer, from the intent to `<|end|>`.
///
/// # Errors
/// With the reason, when they do not follow the grammar.
pub fn parse_answer(tokenizer: &AdviceTokenizer, ids: &[u32]) -> Result<ParsedAnswer> {
    let mut pieces = Vec::new();
    let mut run = Vec::new();
    for &id in ids {
        if let Some(special) = tokenizer.special_of(id) {
            if !run.is_empty() {
                pieces.push(Piece::Text(tokenizer.decode_text(&run)));
                run.clear();
            }
            pieces.push(Piece::Special(special));
        } else if tokenizer.is_text(id) {
            run.push(id);
        } else {
            return Err(wrong(format!("token {id} may not stand in an answer")));
        }
    }
    if !run.is_empty() {
        pieces.push(Piece::Text(tokenizer.decode_text(&run)));
    }
    let head = ids
        .iter()
        .position(|id| matches!(tokenizer.special_of(*id), Some(Special::Verdict(_))))
        .map_or(0, |at| at + 1);
    if ids.len() > head + MAX_TEXT_TOKENS + 1 {
        return Err(wrong(format!("its sentence is longer than {MAX_TEXT_TOKENS} tokens")));
    }
    parse_pieces(pieces)
}

/// Parses an answer written as text, such as
/// `<ask:balance><bass><loud><4.0><v:loud>The <|stem|> is a little too loud.<|end|>`.
///
/// # Errors
/// With the reason, when it does not follow the grammar.
pub fn parse_answer_text(text: &str) -> Result<ParsedAnswer> {
    let table: Vec<(Special, String)> =
        Special::all().into_iter().map(|special| (special, special.text())).collect();
    let mut pieces = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        // Names end with '>', so none is a prefix of another.
        if let Some((special, name)) = table.iter().find(|(_, name)| rest.starts_with(name.as_str())) {
            pieces.push(Piece::Special(*special));
            rest = &rest[name.len()..];
            continue;
        }
        let plain = &rest[..rest.find('<').unwrap_or(rest.len())];
        if !is_text(plain) {
            let shown: String = rest.chars().take(40).collect();
            return Err(wrong(format!("'{shown}' holds text that may not stand in an answer")));
        }
        pieces.push(Piece::Text(plain.to_string()));
        rest = &rest[plain.len()..];
    }
    parse_pieces(pieces)
}

fn parse_pieces(pieces: Vec<Piece>) -> Result<ParsedAnswer> {
    let mut pieces = pieces.into_iter();
    let mut next = |wanted: &str| match pieces.next() {
        Some(Piece::Special(special)) => Ok(special),
        Some(piece @ Piece::Text(_)) => {
            Err(wrong(format!("{} stands where {wanted} should", piece.describe())))
        }
        None => Err(wrong(format!("it ends before {wanted}"))),
    };
    let misplaced = |special: Special, wanted: &str| {
        Err(wrong(format!("{} stands where {wanted} should", special.text())))
    };

    let intent = match next("the intent")? {
        Special::Intent(intent) => intent,
        other => return misplaced(other, "the intent"),
    };
    let error = match next("the stem")? {
        Special::NoStem => None,
        Special::Stem(stem) if stem.is_target() => {
            let direction = match next("the direction")? {
                Special::Direction(direction) => direction,
                other => return misplaced(other, "the direction"),
            };
            let step = match next("the gain")? {
                Special::Gain(step) => step,
                other => return misplaced(other, "the gain"),
            };
            Some(StemError { stem, direction, size_db: step.size_db() })
        }
        other => return misplaced(other, "the stem"),
    };
    let decision = Decision::new(intent, error)?;
    let verdict = match next("the verdict")? {
        Special::Verdict(verdict) => verdict,
        other => return misplaced(other, "the verdict"),
    };
    if verdict != decision.verdict() {
        return Err(wrong(format!(
            "its verdict is {}, but its decision means {}",
            verdict.name(),
            decision.verdict().name()
        )));
    }
    let sentence = parse_sentence(pieces, &decision)?;
    Ok(ParsedAnswer { decision, verdict, sentence })
}

fn parse_sentence(mut pieces: impl Iterator<Item = Piece>, decision: &Decision) -> Result<String> {
    let mut sentence = String::new();
    let mut empty = true;
    loop {
        match pieces.next() {
            None => return Err(wrong("it ends before <|end|>")),
            Some(Piece::Special(Special::End)) => break,
            Some(Piece::Text(text)) => sentence.push_str(&text),
            Some(Piece::Special(special)) => {
                if !decision.allows_in_sentence(special) {
                    return Err(wrong(format!("{} may not stand in its sentence", special.text())));
                }
                push_slot(&mut sentence, special);
            }
        }
        empty = false;
    }
    if empty {
        return Err(wrong("it has no sentence"));
    }
    if let Some(piece) = pieces.next() {
        return Err(wrong(format!("{} follows <|end|>", piece.describe())));
    }
    Ok(sentence.trim().to_string())
}

fn wrong(reason: impl std::fmt::Display) -> Error {
    Error::Format(format!("the answer does not follow the grammar: {reason}"))
}
