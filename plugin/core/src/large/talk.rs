//! Explanations: a conversation about one window, word by word.

use super::figures::Figures;
use super::model::{Decided, LargeModel};
use super::openings::openings;
use crate::cancel::CancelFlag;
use crate::conversation::{Facts, Topic};
use crate::decoder::GenerationRequest;
use crate::decoder::sampling::{draw, most_probable};
use crate::encoder::Reading;
use crate::error::Result;
use crate::hash::mix_bits;
use crate::language::StemError;
use crate::qwen2::{Cache, RunOptions};

/// Most tokens of an answer: more than the longest that the model was trained on.
const MOST_TOKENS: usize = 200;
/// Temperature at which words are drawn. Chosen, not tuned.
const TEMPERATURE: f32 = 0.7;
/// A drawn word that has less than this share of the most probable word's weight is replaced by that word.
const LEAST_WEIGHT: f32 = 0.1;
/// Words that are tried at a place where the figures of most would be wrong; then the answer ends.
const MOST_TRIES: usize = 64;
/// Tokens that a conversation may hold before its oldest turns are forgotten: the model was trained on short ones.
const LONGEST: usize = 1_500;

/// A conversation about a window, after its decision: what the model remembers of it.
pub struct Talk {
    figures: Figures,
    cache: Cache,
    /// Tokens up to the facts: where a conversation goes back to that has become too long.
    facts_end: usize,
    /// Tokens that the model has said or been told, and not read yet.
    unread: Vec<u32>,
    seed: u64,
}

impl LargeModel {
    /// Starts a conversation about a window that this model has decided.
    ///
    /// # Errors
    /// When cancelled, or when the model fails.
    pub fn talk(&self, decided: Decided, facts: &Facts, cancel: &CancelFlag) -> Result<Talk> {
        // All of the decision but its last token has been read.
        let last = self.layout().decision(decided.error).pop();
        self.begin_talk(decided.cache, self.model.embed(last.as_slice())?, facts, &self.options(cancel))
    }

    /// Starts a conversation about a window that another model has decided; the decision is read as its own.
    ///
    /// # Errors
    /// When cancelled, or when the model fails.
    pub fn talk_about(
        &self,
        reading: &Reading,
        request: &GenerationRequest<'_>,
        error: Option<StemError>,
        facts: &Facts,
        cancel: &CancelFlag,
    ) -> Result<Talk> {
        let options = self.options(cancel);
        let (cache, mut unread) = self.window(reading, request, &options)?;
        unread.extend(self.model.embed(&self.layout().decision(error))?);
        self.begin_talk(cache, unread, facts, &options)
    }

    /// Reads what has not been read of a window and its decision (embeddings), and the facts, in one go.
    fn begin_talk(
        &self,
        mut cache: Cache,
        mut unread: Vec<f32>,
        facts: &Facts,
        options: &RunOptions,
    ) -> Result<Talk> {
        let ids = self.layout().facts(facts)?;
        unread.extend(self.model.embed(&ids)?);
        self.model.read(&mut cache, &unread, options)?;
        let figures = Figures::of([facts.measured_sheet().as_str(), facts.decision_sheet().as_str()]);
        let seed = ids.iter().fold(0u64, |seed, id| mix_bits(seed ^ u64::from(*id)));
        Ok(Talk { figures, facts_end: cache.tokens(), cache, unread: Vec::new(), seed })
    }

    /// Answers a question on a topic. `written` gets the text in pieces, as it comes; the whole of it is returned.
    ///
    /// When it is cancelled, the conversation stands where it was before the question.
    ///
    /// # Errors
    /// When cancelled, or when the model fails.
    pub fn ask(
        &self,
        talk: &mut Talk,
        (question, topic): (&str, Topic),
        cancel: &CancelFlag,
        written: &mut dyn FnMut(&str),
    ) -> Result<String> {
        if talk.cache.tokens() > LONGEST {
            talk.cache.truncate(talk.facts_end);
            talk.unread.clear();
        }
        let before = talk.cache.tokens();
        let answer = self.answer(talk, (question, topic), cancel, written);
        if answer.is_err() {
            talk.cache.truncate(before);
        }
        answer
    }

    fn answer(
        &self,
        talk: &mut Talk,
        (question, topic): (&str, Topic),
        cancel: &CancelFlag,
        written: &mut dyn FnMut(&str),
    ) -> Result<String> {
        let (layout, options) = (self.layout(), self.options(cancel));
        let mut ids = talk.unread.clone();
        ids.extend(layout.question(question.trim())?);
        let mut logits = self.model.extend(&mut talk.cache, &self.model.embed(&ids)?, &options)?;
        let (mut text, mut stream) = (String::new(), self.tokenizer.stream());
        let mut seed = ids.iter().fold(talk.seed, |seed, id| mix_bits(seed ^ u64::from(*id)));
        let mut unread = Vec::new();
        for id in self.begin(talk, &mut logits, &openings(topic), &options)? {
            let piece = stream.push(id);
            written(&piece);
            text.push_str(&piece);
        }
        for said in 1..=MOST_TOKENS {
            let Some(next) = self.next(&talk.figures, &mut logits, &text, &mut seed) else { break };
            let piece = stream.push(next);
            written(&piece);
            text.push_str(&piece);
            if said == MOST_TOKENS {
                unread.push(next);
            } else {
                logits = self.next_logits(&mut talk.cache, next, &options)?;
            }
        }
        unread.extend(layout.closing()?);
        talk.unread = unread;
        Ok(text.trim().to_string())
    }

    /// Reads the most probable of these openings, token by token; returns its tokens. `logits` are those of the next token, before
    /// and after.
    fn begin(
        &self,
        talk: &mut Talk,
        logits: &mut Vec<f32>,
        openings: &[&str],
        options: &RunOptions,
    ) -> Result<Vec<u32>> {
        let mut left: Vec<Vec<u32>> =
            openings.iter().map(|opening| self.tokenizer.encode(opening)).collect::<Result<_>>()?;
        let mut read = Vec::new();
        loop {
            let next: Vec<u32> = left.iter().filter_map(|ids| ids.get(read.len()).copied()).collect();
            let of = |id: &u32| logits.get(*id as usize).copied().unwrap_or(f32::NEG_INFINITY);
            let Some(best) = next.into_iter().max_by(|a, b| of(a).total_cmp(&of(b))) else { return Ok(read) };
            left.retain(|ids| ids.get(read.len()) == Some(&best));
            read.push(best);
            *logits = self.next_logits(&mut talk.cache, best, options)?;
        }
    }

    /// The next token whose figures may be stated; none at the end of the answer.
    fn next(&self, figures: &Figures, logits: &mut [f32], text: &str, seed: &mut u64) -> Option<u32> {
        let open = &text[Figures::open_at(text)..];
        for tried in 0..MOST_TRIES {
            let next = if tried < MOST_TRIES / 2 {
                draw(logits, TEMPERATURE, LEAST_WEIGHT, seed)
            } else {
                most_probable(logits)
            };
            let is_end = self.tokenizer.is_end(next);
            let piece = if is_end { " ".to_string() } else { self.tokenizer.decode(&[next]) };
            if figures.allow(&format!("{open}{piece}")) {
                return (!is_end).then_some(next);
            }
            logits[next as usize] = f32::NEG_INFINITY;
        }
        None
    }
}
