//! Constrained decoding: from a reading and a question to a structured answer with probabilities.
//!
//! The decision has one outcome per target and direction, and one for "no error". Every branch is run from the shared
//! prompt, so the probabilities are exactly the model's own, not those of one greedy path.

use super::model::Decoder;
use super::projector::{Projector, audio_features};
use super::reference::ReferenceBalance;
use super::sampling::{draw, mean_and_sd, shares};
use crate::cancel::CancelFlag;
use crate::encoder::Reading;
use crate::error::{Error, Result};
use crate::hash::mix_bits;
use crate::language::{
    AdviceTokenizer, Grammar, Intent, ParsedAnswer, Prompt, PromptSpec, Special, State, parse_answer,
};
use crate::nn::KeyValueCache;
use crate::stem::{Direction, PerDirection, PerStem, PerTarget, Stem};
use candle_core::{Device, Tensor};

/// Probability of [`Intent::Unclear`] from which a question counts as not understood.
///
/// Chosen, not tuned: a question in words that training did not contain is more often about the mix than about
/// nothing, and a guess helps the user more than "I did not understand".
const UNCLEAR_FROM: f32 = 0.99;
/// Temperature at which the words of a sentence are drawn: some variety, few mistakes. Chosen, not tuned.
const SENTENCE_TEMPERATURE: f32 = 0.5;
/// A drawn word that has less than this share of the most probable word's weight is replaced by that word: improbable
/// words read as mistakes. A fiftieth let a misspelt word through now and then.
const LEAST_WEIGHT: f32 = 0.2;

/// The language model with its parts, ready to generate answers.
pub struct Generator<'a> {
    /// The decoder.
    pub decoder: &'a Decoder,
    /// The projector.
    pub projector: &'a Projector,
    /// The tokenizer.
    pub tokenizer: &'a AdviceTokenizer,
    /// Where the weights live.
    pub device: &'a Device,
}

/// What is asked.
#[derive(Clone, Debug, Default)]
pub struct GenerationRequest<'a> {
    /// The user's words; blank for the general question.
    pub question: &'a str,
    /// Stems in the mix as the user states them. Those that the encoder does not detect are left out.
    pub stems: Option<PerStem<bool>>,
    /// The anchor: a stem that the user says is right.
    pub anchor: Option<Stem>,
    /// The balance to aim at.
    pub reference: Option<ReferenceBalance>,
}

impl GenerationRequest<'_> {
    /// Stems that are in the mix: stated, if any are, and detected.
    pub fn stems_present(&self, reading: &Reading) -> PerStem<bool> {
        let detected = reading.map(|stem| stem.is_present());
        self.stems.map_or(detected, |stated| PerStem::from_fn(|s| stated[s] && detected[s]))
    }
}

/// Probabilities of all outcomes, which sum to one. A stem that the answer may not name has probability zero.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Outcomes {
    /// No error.
    pub none: f32,
    /// An error of a target in a direction.
    pub errors: PerTarget<PerDirection<f32>>,
}

impl Outcomes {
    /// Probability of the best outcome after all are raised to `1 / temperature` and normalized again.
    pub fn confidence(&self, temperature: f32) -> f32 {
        let scaled = |p: f32| if p > 0.0 { p.powf(1.0 / temperature) } else { 0.0 };
        let errors = self.errors.values().iter().flat_map(PerDirection::values);
        let total = scaled(self.none) + errors.map(|p| scaled(*p)).sum::<f32>();
        (scaled(self.best().1) / total.max(f32::MIN_POSITIVE)).clamp(0.0, 1.0)
    }

    /// The most probable outcome and its probability. In a tie, "no error" wins.
    pub fn best(&self) -> (Option<(Stem, Direction)>, f32) {
        let mut best = (None, self.none);
        for stem in Stem::TARGETS {
            for direction in Direction::ALL {
                let probability = self.errors[stem][direction];
                if probability > best.1 {
                    best = (Some((stem, direction)), probability);
                }
            }
        }
        best
    }
}

/// A generated answer.
#[derive(Clone, Debug)]
pub struct Generated {
    /// The answer, parsed from its tokens.
    pub answer: ParsedAnswer,
    /// Probabilities of the outcomes, given how the question was understood.
    pub outcomes: Outcomes,
    /// Standard deviation over the gain tokens in dB; 0 without an error.
    pub gain_sd_db: f32,
    /// Number of tokens, from the intent to the end.
    pub tokens: usize,
}

impl Generator<'_> {
    /// Answers. The flag is checked before every token.
    ///
    /// # Errors
    /// When cancelled, or when a tensor operation fails.
    pub fn generate(
        &self,
        reading: &Reading,
        request: &GenerationRequest<'_>,
        cancel: &CancelFlag,
    ) -> Result<Generated> {
        let (prompt, mut answer) = self.begin(reading, request, cancel)?;
        let (outcomes, best) = answer.outcomes(cancel)?;
        cancel.check()?;
        let mut gain_sd_db = 0.0;
        match best {
            None => answer.push(self.tokenizer.special(Special::NoStem))?,
            Some((stem, direction)) => {
                answer.push(self.tokenizer.special(Special::Stem(stem)))?;
                answer.push(self.tokenizer.special(Special::Direction(direction)))?;
                let (mean, sd) = answer.gain_moments();
                gain_sd_db = sd;
                answer.push(self.tokenizer.special(Special::gain(mean)))?;
            }
        }
        answer.sentence(&prompt, cancel)?;
        let parsed = parse_answer(self.tokenizer, &answer.ids)?;
        Ok(Generated { answer: parsed, outcomes, gain_sd_db, tokens: answer.ids.len() })
    }

    /// The outcomes alone, from which [`Generator::generate`] makes its answer.
    ///
    /// # Errors
    /// As [`Generator::generate`].
    pub fn outcomes(
        &self,
        reading: &Reading,
        request: &GenerationRequest<'_>,
        cancel: &CancelFlag,
    ) -> Result<Outcomes> {
        Ok(self.begin(reading, request, cancel)?.1.outcomes(cancel)?.0)
    }

    /// The prompt, and an answer that holds its intent so far.
    fn begin(
        &self,
        reading: &Reading,
        request: &GenerationRequest<'_>,
        cancel: &CancelFlag,
    ) -> Result<(Prompt, Answering<'_>)> {
        let stems_present = request.stems_present(reading);
        let spec = PromptSpec {
            question: request.question,
            stems_present,
            anchor: request.anchor,
            has_reference: request.reference.is_some(),
            soft_tokens: self.projector.audio_token_count(),
        };
        let prompt = Prompt::build(self.tokenizer, &spec)?;
        let embeds = self.prompt_embeddings(&prompt, reading, request.reference.as_ref())?;
        let allowed = PerStem::from_fn(|s| stems_present[s] && request.anchor != Some(s));
        cancel.check()?;
        let mut answer = Answering {
            generator: self,
            grammar: Grammar::new(self.tokenizer, allowed),
            cache: KeyValueCache::default(),
            logits: Vec::new(),
            ids: Vec::new(),
        };
        answer.feed(&embeds)?;
        let intent = answer.intent();
        answer.push(intent)?;
        Ok((prompt, answer))
    }

    /// Embeddings of a prompt with its soft slots filled, `[1, tokens, hidden]`.
    fn prompt_embeddings(
        &self,
        prompt: &Prompt,
        reading: &Reading,
        reference: Option<&ReferenceBalance>,
    ) -> Result<Tensor> {
        let summaries: Vec<f32> =
            Stem::ALL.iter().flat_map(|s| reading[*s].summary.iter().copied()).collect();
        let width = summaries.len() / Stem::COUNT;
        let summaries = Tensor::from_vec(summaries, (1, Stem::COUNT, width), self.device)?;
        let audio =
            self.projector.audio_tokens(&audio_features(reading, self.device)?, &summaries)?.squeeze(0)?;
        let words = self.decoder.embed(&prompt.ids)?;
        let slots = &prompt.audio_slots;
        let before = match (&prompt.reference_slots, reference) {
            (Some(places), Some(reference)) => {
                let features = self.projector.reference_features(reading, reference, self.device)?;
                let tokens = self.projector.reference_tokens(&features)?.squeeze(0)?;
                let between = words.narrow(0, places.end, slots.start - places.end)?;
                Tensor::cat(&[words.narrow(0, 0, places.start)?, tokens, between], 0)?
            }
            _ => words.narrow(0, 0, slots.start)?,
        };
        let after = words.narrow(0, slots.end, prompt.ids.len() - slots.end)?;
        Ok(Tensor::cat(&[before, audio, after], 0)?.unsqueeze(0)?)
    }
}

/// An answer that is being generated.
struct Answering<'a> {
    generator: &'a Generator<'a>,
    grammar: Grammar<'a>,
    cache: KeyValueCache,
    /// Logits of the next token; those of forbidden tokens are minus infinity.
    logits: Vec<f32>,
    ids: Vec<u32>,
}

impl Answering<'_> {
    fn feed(&mut self, embeds: &Tensor) -> Result<()> {
        let hidden = self.generator.decoder.forward_cached(embeds, &mut self.cache)?;
        let last = hidden.narrow(1, hidden.dim(1)? - 1, 1)?.squeeze(1)?;
        self.logits = self.generator.decoder.logits(&last)?.squeeze(0)?.to_vec1()?;
        self.grammar.mask_logits(&mut self.logits);
        Ok(())
    }

    fn push(&mut self, id: u32) -> Result<()> {
        self.grammar.advance(id)?;
        self.ids.push(id);
        if self.grammar.is_done() {
            return Ok(());
        }
        self.feed(&self.generator.decoder.embed(&[id])?.unsqueeze(0)?)
    }

    /// The token of the intent. [`Intent::Unclear`] must be nearly certain: see [`UNCLEAR_FROM`].
    fn intent(&self) -> u32 {
        let ids = Intent::ALL.map(|intent| self.generator.tokenizer.special(Special::Intent(intent)));
        let shares = self.shares(&ids);
        let best = |intents: &mut dyn Iterator<Item = usize>| {
            intents.max_by(|a, b| shares[*a].total_cmp(&shares[*b])).unwrap_or(0)
        };
        let clear = best(&mut (0..ids.len()).filter(|i| Intent::ALL[*i] != Intent::Unclear));
        let unclear: f32 =
            shares.iter().zip(Intent::ALL).filter(|(_, i)| *i == Intent::Unclear).map(|(p, _)| p).sum();
        if unclear >= UNCLEAR_FROM {
            self.generator.tokenizer.special(Special::Intent(Intent::Unclear))
        } else {
            ids[clear]
        }
    }

    /// Probability of each of `ids`, given that it is one of them.
    fn shares(&self, ids: &[u32]) -> Vec<f32> {
        shares(&self.logits, ids)
    }

    /// Probabilities of all outcomes, and the best one. The branch of each target is run from here.
    fn outcomes(&self, cancel: &CancelFlag) -> Result<(Outcomes, Option<(Stem, Direction)>)> {
        let tokenizer = self.generator.tokenizer;
        let choices = self.grammar.allowed_specials();
        let ids: Vec<u32> = choices.iter().map(|choice| tokenizer.special(*choice)).collect();
        let mut outcomes = Outcomes::default();
        for (choice, share) in choices.iter().zip(self.shares(&ids)) {
            match choice {
                Special::Stem(stem) => {
                    cancel.check()?;
                    let mut branch = Answering {
                        generator: self.generator,
                        grammar: self.grammar.clone(),
                        cache: self.cache.clone(),
                        logits: Vec::new(),
                        ids: self.ids.clone(),
                    };
                    branch.push(tokenizer.special(*choice))?;
                    let directions = Direction::ALL.map(|d| tokenizer.special(Special::Direction(d)));
                    let errors = outcomes.errors[*stem].values_mut();
                    for (error, of) in errors.iter_mut().zip(branch.shares(&directions)) {
                        *error = share * of;
                    }
                }
                _ => outcomes.none = share,
            }
        }
        Ok((outcomes, outcomes.best().0))
    }

    /// Mean and standard deviation in dB over the gain tokens.
    fn gain_moments(&self) -> (f32, f32) {
        let gains: Vec<(u32, f32)> = self
            .grammar
            .allowed_specials()
            .into_iter()
            .filter_map(|special| Some((self.generator.tokenizer.special(special), special.size_db()?)))
            .collect();
        let ids: Vec<u32> = gains.iter().map(|(id, _)| *id).collect();
        mean_and_sd(gains.iter().map(|(_, size_db)| *size_db), &self.shares(&ids))
    }

    /// Generates the rest: the verdict, which follows from the decision, and the sentence.
    ///
    /// Words are drawn at random from a seed made of the prompt and the decision: the same window gets the same
    /// sentence, and different windows get different ones.
    fn sentence(&mut self, prompt: &Prompt, cancel: &CancelFlag) -> Result<()> {
        let mut seed =
            prompt.ids.iter().chain(&self.ids).fold(0u64, |hash, id| mix_bits(hash ^ u64::from(*id)));
        while !self.grammar.is_done() {
            cancel.check()?;
            if let Some(only) = self.grammar.forced() {
                self.push(only)?;
                continue;
            }
            if self.grammar.state() != State::Text {
                return Err(Error::Format("the answer does not follow the grammar's order".into()));
            }
            let next = draw(&self.logits, SENTENCE_TEMPERATURE, LEAST_WEIGHT, &mut seed);
            self.push(next)?;
        }
        Ok(())
    }
}

impl Generated {
    /// How the question was understood.
    pub fn intent(&self) -> Intent {
        self.answer.decision.intent
    }
}
