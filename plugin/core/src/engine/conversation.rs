//! Conversations about a window: one decision, then question after question.

use super::{Analysis, Engine, Reply, Request, asked};
use crate::advice::Advice;
use crate::cancel::CancelFlag;
use crate::compose::silent_advice;
use crate::conversation::{Facts, Understood, reply_text, understand};
use crate::error::Result;
use crate::large::Talk;

/// A conversation about a window, or about several pooled. It holds numbers and words, no sound.
pub struct Conversation {
    analysis: Analysis,
    request: Request,
    /// The request that it began with.
    wished: Request,
    /// The decision with what may be said of it; made at the first question, and again when the anchor changes.
    judged: Option<Judged>,
}

struct Judged {
    advice: Advice,
    facts: Facts,
    talk: Option<Talk>,
}

impl Conversation {
    /// A conversation that has not begun. The words of the request's question are not used.
    pub fn new(analysis: Analysis, request: Request) -> Self {
        let request = Request { question: String::new(), ..request };
        Conversation { analysis, wished: request.clone(), request, judged: None }
    }

    /// What it is about.
    pub fn analysis(&self) -> &Analysis {
        &self.analysis
    }

    /// Whether it is about this analysis, with these wishes. An anchor that was stated in words counts as a part of the
    /// conversation, not of the wishes.
    pub fn is_about(&self, analysis: &Analysis, request: &Request) -> bool {
        let wished = Request { question: String::new(), ..request.clone() };
        self.analysis == *analysis && self.wished == wished
    }

    /// What is asked with every question. The anchor is the one that was stated last.
    pub fn request(&self) -> &Request {
        &self.request
    }
}

impl Engine {
    /// Answers the next question of a conversation. `written` gets the answer in pieces, as it comes.
    ///
    /// The verdict comes from one decision. A question that states an anchor changes the request, and so the decision may change;
    /// no other question does. The large model writes its answers itself and knows those before; the compact one answers each
    /// question for itself.
    ///
    /// # Errors
    /// When cancelled, or when the model fails.
    pub fn ask(
        &self,
        conversation: &mut Conversation,
        question: &str,
        cancel: &CancelFlag,
        written: &mut dyn FnMut(&str),
    ) -> Result<Reply> {
        let Understood { topic, anchor } =
            understand(question, |words| self.understood_by_model(words, cancel))?;
        if conversation.analysis.silent {
            let advice = silent_advice();
            written(&advice.text);
            return Ok(Reply { topic, advice, facts: None });
        }
        if anchor.is_some() && anchor != conversation.request.anchor {
            conversation.request.anchor = anchor;
            conversation.judged = None;
        }
        let judged = self.judged(conversation, cancel)?;
        let (facts, mut advice) = (judged.facts.clone(), judged.advice.clone());
        advice.text = match (&self.large, &mut judged.talk) {
            (Some(large), Some(talk)) => {
                let question = if question.trim().is_empty() { GENERAL_QUESTION } else { question };
                large.ask(talk, (question, topic), cancel, written)?
            }
            _ => {
                let text = reply_text(topic, &facts, &advice.text);
                written(&text);
                text
            }
        };
        Ok(Reply { topic, advice, facts: Some(facts) })
    }

    /// Makes the decision of a conversation, and lets the large model read the facts, before the first question: its answer then
    /// begins sooner.
    ///
    /// # Errors
    /// When cancelled, or when the model fails.
    pub fn begin(&self, conversation: &mut Conversation, cancel: &CancelFlag) -> Result<()> {
        if !conversation.analysis.silent {
            self.judged(conversation, cancel)?;
        }
        Ok(())
    }

    fn judged<'a>(&self, conversation: &'a mut Conversation, cancel: &CancelFlag) -> Result<&'a mut Judged> {
        let Conversation { analysis, request, judged, .. } = conversation;
        match judged {
            Some(judged) => Ok(judged),
            None => Ok(judged.insert(self.judge_for_talk(analysis, request, cancel)?)),
        }
    }

    fn judge_for_talk(&self, analysis: &Analysis, request: &Request, cancel: &CancelFlag) -> Result<Judged> {
        let (generated, decided) = match self.large_decider() {
            Some(large) => {
                let decided = large.decide(&analysis.reading, &asked(request), cancel)?;
                (decided.generated()?, Some(decided))
            }
            None => (self.generate_compact(analysis, request, cancel)?, None),
        };
        let (advice, facts) = self.judge(analysis, request, &generated)?;
        let talk = match (&self.large, decided) {
            (Some(large), Some(decided)) => Some(large.talk(decided, &facts, cancel)?),
            (Some(large), None) => {
                let error = generated.answer.decision.error;
                Some(large.talk_about(&analysis.reading, &asked(request), error, &facts, cancel)?)
            }
            (None, _) => None,
        };
        Ok(Judged { advice, facts, talk })
    }
}

/// What an empty question asks.
const GENERAL_QUESTION: &str = "How is the balance?";
