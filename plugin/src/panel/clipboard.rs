//! Advice as text for the clipboard.

use super::words::{self, gain, headline, percent, song_line, verdict_in_full};
use crate::view::{Mark, View};
use mixing_buddy_core::clock;

/// How text is marked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Not at all: sentences.
    Text,
    /// As Markdown: the advice in bold, and a list.
    Markdown,
}

/// The advice with its evidence, and the advice on the song if there is one.
pub fn advice(view: &View, form: Form) -> String {
    let headline = headline(view);
    let mut evidence: Vec<String> = Vec::new();
    if let Some((gain_db, sd_db)) = headline.gain_db {
        evidence.push(gain(gain_db, sd_db));
    }
    if let Some(confidence) = headline.confidence {
        evidence.push(format!("{} sure", percent(confidence)));
    }
    evidence.extend(headline.evidence);
    let song = view.song.as_ref().map(|song| song_line(song.windows, &song.advice));
    match form {
        Form::Text => {
            let mut text = headline.sentence;
            if !headline.note.is_empty() {
                let stop = if text.ends_with(['.', '…', '!', '?']) { "" } else { "." };
                text = format!("{text}{stop} {}", headline.note);
            }
            if !evidence.is_empty() {
                text = format!("{text} ({})", evidence.join("; "));
            }
            song.map_or(text.clone(), |song| format!("{text}\n{song}"))
        }
        Form::Markdown => {
            let mut lines = vec![format!("**{}**", escaped(&headline.sentence))];
            if !headline.note.is_empty() {
                lines.extend([String::new(), escaped(&headline.note)]);
            }
            lines.push(String::new());
            lines.extend(evidence.iter().chain(&song).map(|fact| format!("- {}", escaped(fact))));
            lines.join("\n").trim_end().to_string()
        }
    }
}

/// One mark.
pub fn mark(mark: &Mark) -> String {
    format!(
        "{}: {} ({})",
        clock::span(mark.start_s, mark.end_s),
        words::sentence(&mark.advice),
        verdict_in_full(&mark.advice)
    )
}

/// Text in which nothing counts as markup: names of files can contain anything.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        if matches!(letter, '\\' | '*' | '_' | '`' | '[' | ']' | '<' | '>' | '#' | '|') {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}
