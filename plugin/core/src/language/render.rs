//! From a sentence with slots to the text that a person reads.

use super::decision::Decision;
use super::special::Special;
use crate::advice::Verdict;
use crate::error::{Error, Result};
use crate::gain_grid::GainStep;
use crate::stem::Stem;

/// Fills the slots and tidies the text: one space between words, none before a full stop, a capital at the start of
/// each sentence, a full stop at the end.
///
/// # Errors
/// When the sentence has a slot for which no word is given.
pub fn render(sentence: &str, stem: Option<Stem>, gain_db: Option<f32>) -> Result<String> {
    let fill = |text: String, slot: Special, word: Option<String>| {
        let slot = slot.text();
        match word {
            Some(word) => Ok(text.replace(&slot, &word)),
            None if text.contains(&slot) => Err(Error::Format(format!(
                "the sentence '{sentence}' has the slot {slot}, for which no word is given"
            ))),
            None => Ok(text),
        }
    };
    let stem_word = stem.map(|stem| match stem {
        Stem::Other => "other instruments".to_string(),
        named => named.name().to_string(),
    });
    let text = fill(sentence.to_string(), Special::StemSlot, stem_word)?;
    let text = fill(text, Special::GainSlot, gain_db.map(gain_words))?;
    Ok(tidy(&text))
}

/// A gain in words: its size to the nearest [`GainStep::STEP_DB`], such as "4 dB" or "4.5 dB".
pub fn gain_words(gain_db: f32) -> String {
    let size = (gain_db.abs() / GainStep::STEP_DB).round() * GainStep::STEP_DB;
    format!("{size} dB")
}

/// A plain sentence (with slots) for a decision, which replaces a sentence that fails [`super::check_sentence`].
pub fn fallback_sentence(decision: &Decision) -> String {
    let Some(stem) = decision.slot_stem() else { return "The balance is right.".to_string() };
    let (are, them) = if stem == Stem::Bass { ("is", "it") } else { ("are", "them") };
    match decision.verdict() {
        Verdict::Quiet => format!("The <|stem|> {are} too quiet. Raise {them} by about <|gain|>."),
        Verdict::VeryQuiet => format!("The <|stem|> {are} far too quiet. Raise {them} by about <|gain|>."),
        Verdict::Loud => format!("The <|stem|> {are} too loud. Lower {them} by about <|gain|>."),
        Verdict::VeryLoud => format!("The <|stem|> {are} far too loud. Lower {them} by about <|gain|>."),
        Verdict::NoError | Verdict::Abstain | Verdict::Silence => {
            "The level of the <|stem|> is right.".to_string()
        }
    }
}

/// Moves a pronoun before the particle of its verb: "turn them down", but "turn down the vocals".
fn pronouns_first(text: &str) -> Vec<String> {
    let mut words: Vec<String> = text.split_whitespace().map(String::from).collect();
    for at in 1..words.len() {
        let pronoun = words[at].trim_end_matches(['.', ',', ';', ':', '!', '?']).to_string();
        if matches!(pronoun.as_str(), "it" | "them")
            && matches!(words[at - 1].as_str(), "up" | "down" | "back")
        {
            let closing = words[at].split_off(pronoun.len());
            words[at] = std::mem::replace(&mut words[at - 1], pronoun) + &closing;
        }
    }
    words
}

fn tidy(text: &str) -> String {
    let mut tidied = String::with_capacity(text.len());
    let mut sentence_begins = true;
    for word in &pronouns_first(text) {
        let closes = word.starts_with(['.', ',', ';', ':', '!', '?', ')']);
        if !tidied.is_empty() && !closes && !tidied.ends_with('(') {
            tidied.push(' ');
        }
        let mut signs = word.chars();
        match signs.next() {
            Some(first) if sentence_begins && first.is_lowercase() => {
                tidied.extend(first.to_uppercase());
                tidied.push_str(signs.as_str());
            }
            _ => tidied.push_str(word),
        }
        sentence_begins = word.ends_with(['.', '!', '?']);
    }
    if !tidied.is_empty() && !tidied.ends_with(['.', '!', '?']) {
        tidied.truncate(tidied.trim_end_matches([',', ';', ':', '-', ' ']).len());
        tidied.push('.');
    }
    tidied
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_slots_and_tidies() {
        let sentence = "the  <|stem|> are a little too loud .  lower them by about <|gain|>";
        assert_eq!(
            render(sentence, Some(Stem::Vocals), Some(-4.1)).expect("both words are given"),
            "The vocals are a little too loud. Lower them by about 4 dB."
        );
        assert_eq!(render("<|stem|> sits well.", Some(Stem::Bass), None).expect("given"), "Bass sits well.");
    }

    #[test]
    fn pronouns_stand_before_particles() {
        let said =
            |sentence: &str| render(sentence, Some(Stem::Vocals), Some(6.0)).expect("all slots are given");
        assert_eq!(said("Turn down them by some <|gain|>."), "Turn them down by some 6 dB.");
        assert_eq!(said("They are loud, so pull back them."), "They are loud, so pull them back.");
        assert_eq!(said("Turn down the <|stem|>."), "Turn down the vocals.");
        assert_eq!(said("Bring it up a little."), "Bring it up a little.");
    }

    #[test]
    fn rounds_to_half_a_db() {
        assert_eq!(gain_words(-4.3), "4.5 dB");
        assert_eq!(gain_words(3.2), "3 dB");
        assert_eq!(gain_words(12.0), "12 dB");
    }

    #[test]
    fn a_slot_without_a_word_is_an_error() {
        let error = render("Lower it by <|gain|>.", Some(Stem::Bass), None).expect_err("no gain is given");
        assert!(error.to_string().contains("<|gain|>"), "{error}");
    }
}
