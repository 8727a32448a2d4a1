//! Replies to questions: the one decision on a window, and the text that a question asks for.

use super::{Analysis, Engine, Request, UNKNOWN_LEVEL_DB};
use crate::advice::Advice;
use crate::cancel::CancelFlag;
use crate::compose::{compose, silent_advice};
use crate::conversation::{Facts, Topic, Understood, facts, reply_text, understand};
use crate::decoder::Generated;
use crate::encoder::StemReading;
use crate::error::Result;
use crate::language::Intent;
use crate::stem::PerStem;
use std::sync::PoisonError;

/// Expected error in dB of the neutral reading about which the language model is asked how it understands words: a typical
/// one.
const NEUTRAL_ERROR_DB: f32 = 1.5;

/// The reply to a question.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// What the question was taken to be about.
    pub topic: Topic,
    /// The advice on the window; its text answers the question.
    pub advice: Advice,
    /// What the reply may state; none for silence.
    pub facts: Option<Facts>,
}

impl Engine {
    /// Replies to a question about an analysis.
    ///
    /// The verdict comes from one decision, on the general question with the request's anchor and reference. The question
    /// in words decides what the text talks about. It changes the verdict only where it states an anchor.
    ///
    /// # Errors
    /// When cancelled or the model fails.
    pub fn reply(&self, analysis: &Analysis, request: &Request, cancel: &CancelFlag) -> Result<Reply> {
        let Understood { topic, anchor } =
            understand(&request.question, |words| self.understood_by_model(words, cancel))?;
        if analysis.silent {
            return Ok(Reply { topic, advice: silent_advice(), facts: None });
        }
        let general =
            Request { question: String::new(), anchor: anchor.or(request.anchor), ..request.clone() };
        let generated = self.generate(analysis, &general, cancel)?;
        let (mut advice, facts) = self.judge(analysis, &general, &generated)?;
        advice.text = reply_text(topic, &facts, &advice.text);
        Ok(Reply { topic, advice, facts: Some(facts) })
    }

    /// The advice that follows from a decision, and what may be said of it.
    pub(super) fn judge(
        &self,
        analysis: &Analysis,
        general: &Request,
        generated: &Generated,
    ) -> Result<(Advice, Facts)> {
        let confidence = self.confidence(&generated.outcomes, general.reference.is_some());
        let threshold = general.min_confidence.unwrap_or(self.threshold());
        let advice = compose(generated, analysis.levels_lu, confidence, confidence >= threshold)?;
        let stated = general.stems.unwrap_or(PerStem::all(true));
        let levels = facts::levels_lu(&analysis.reading, &analysis.levels_lu);
        let levels = PerStem::from_fn(|stem| levels[stem].filter(|_| stated[stem]));
        let reference_lu = |reference| facts::reference_lu(&analysis.reading, &levels, reference);
        let facts = Facts {
            levels_lu: levels,
            reference_lu: general.reference.as_ref().map(reference_lu),
            usual_lu: facts::usual_lu(&self.norms),
            anchor: general.anchor,
            best: advice.best,
            confidence,
            threshold,
            runner_up: facts::runner_up(&generated.outcomes, self.temperature(general.reference.is_some())),
        };
        Ok((advice, facts))
    }

    /// How the language model understands words. It is asked about a neutral window with a reference, so that the answer
    /// depends on the words alone.
    pub(super) fn understood_by_model(&self, words: &str, cancel: &CancelFlag) -> Result<Intent> {
        let last = self.understood.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, intent)) = last.filter(|(last, _)| last == words) {
            return Ok(intent);
        }
        let reading = PerStem::from_fn(|_| StemReading {
            level_db: UNKNOWN_LEVEL_DB,
            error_db: NEUTRAL_ERROR_DB,
            presence: 1.0,
            summary: vec![0.0; self.info.projector.summary],
        });
        let neutral = Analysis { silent: false, reading, levels_lu: PerStem::default() };
        let reference = self.reference_of(std::slice::from_ref(&neutral));
        let request = Request { question: words.to_string(), reference, ..Request::default() };
        let intent = self.generate_compact(&neutral, &request, cancel)?.intent();
        *self.understood.lock().unwrap_or_else(PoisonError::into_inner) = Some((request.question, intent));
        Ok(intent)
    }
}
