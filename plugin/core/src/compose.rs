//! From the language model's answer to the advice that callers get.

use crate::advice::{Advice, AdviceKind, BestAnswer, Verdict};
use crate::decoder::Generated;
use crate::error::Result;
use crate::language::{ParsedAnswer, check_sentence, fallback_sentence, render};
use crate::stem::PerStem;
use std::borrow::Cow;

/// The advice on silent sound.
pub(crate) fn silent_advice() -> Advice {
    Advice {
        kind: AdviceKind::Balance,
        verdict: Verdict::Silence,
        stem: None,
        gain_db: None,
        gain_db_sd: None,
        confidence: 1.0,
        best: BestAnswer { verdict: Verdict::Silence, stem: None, gain_db: None },
        levels_lu: PerStem::default(),
        text: "There is nothing to hear.".into(),
    }
}

/// Advice from a generated answer. Where it is not `confident`, the verdict is [`Verdict::Abstain`] and the text gives
/// the answer as a guess.
///
/// # Errors
/// When the sentence has a slot for which there is no word.
pub(crate) fn compose(
    generated: &Generated,
    levels_lu: PerStem<Option<f32>>,
    confidence: f32,
    confident: bool,
) -> Result<Advice> {
    let decision = &generated.answer.decision;
    let error = decision.error;
    let gain_db = error.map(|error| error.correction_db());
    let best = BestAnswer { verdict: decision.verdict(), stem: error.map(|error| error.stem), gain_db };
    let sentence = checked_sentence(&generated.answer);
    let rendered = render(&sentence, decision.slot_stem(), gain_db)?;
    let text = match (confident, error) {
        (true, _) => rendered,
        (false, None) => "I can't tell for sure. If anything, the balance seems right.".to_string(),
        (false, Some(_)) => format!("I can't tell for sure. My best guess: {}", lower_first(&rendered)),
    };
    Ok(Advice {
        kind: AdviceKind::Balance,
        verdict: if confident { best.verdict } else { Verdict::Abstain },
        stem: best.stem.filter(|_| confident),
        gain_db: gain_db.filter(|_| confident),
        gain_db_sd: error.filter(|_| confident).map(|_| generated.gain_sd_db),
        confidence,
        best,
        levels_lu,
        text,
    })
}

/// The sentence of an answer, or a plain one where it contradicts the decision: the grammar binds the decision, but
/// the model writes the sentence freely.
fn checked_sentence(answer: &ParsedAnswer) -> Cow<'_, str> {
    match check_sentence(&answer.decision, &answer.sentence) {
        Ok(()) => Cow::Borrowed(&answer.sentence),
        Err(reason) => {
            tracing::warn!(%reason, "a sentence contradicts its decision, a plain one replaces it");
            Cow::Owned(fallback_sentence(&answer.decision))
        }
    }
}

/// A sentence put after a colon: its first letter small, unless it starts with a name or "I".
fn lower_first(sentence: &str) -> String {
    let mut letters = sentence.chars();
    match letters.next() {
        Some(first) if !sentence.starts_with("I ") && !sentence.starts_with("I'") => {
            first.to_lowercase().chain(letters).collect()
        }
        _ => sentence.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decoder::Outcomes;
    use crate::language::{Decision, Intent, StemError};
    use crate::stem::{Direction, Stem};

    fn advice(intent: Intent, error: Option<StemError>, sentence: &str, confident: bool) -> Advice {
        let decision = Decision::new(intent, error).unwrap();
        let answer = ParsedAnswer { decision, verdict: decision.verdict(), sentence: sentence.into() };
        let generated = Generated { answer, outcomes: Outcomes::default(), gain_sd_db: 1.0, tokens: 10 };
        compose(&generated, PerStem::default(), 0.7, confident).unwrap()
    }

    const BASS_LOUD: StemError = StemError { stem: Stem::Bass, direction: Direction::Loud, size_db: 4.0 };

    #[test]
    fn a_plain_sentence_replaces_one_that_contradicts_its_decision() {
        let text = |sentence| advice(Intent::Balance, Some(BASS_LOUD), sentence, true).text;
        assert_eq!(text("Trim the <|stem|> by <|gain|>."), "Trim the bass by 4 dB.");
        let plain = "The bass is too loud. Lower it by about 4 dB.";
        assert_eq!(text("Raise the <|stem|> by <|gain|>."), plain);
        assert_eq!(text("Trim the drums by <|gain|>."), plain);
    }

    #[test]
    fn an_unsure_answer_is_a_guess() {
        let unsure =
            advice(Intent::Balance, Some(BASS_LOUD), "The <|stem|> is too loud: <|gain|> down.", false);
        assert_eq!((unsure.verdict, unsure.stem, unsure.gain_db), (Verdict::Abstain, None, None));
        assert_eq!((unsure.best.stem, unsure.best.gain_db), (Some(Stem::Bass), Some(-4.0)));
        assert_eq!(unsure.text, "I can't tell for sure. My best guess: the bass is too loud: 4 dB down.");
    }
}
