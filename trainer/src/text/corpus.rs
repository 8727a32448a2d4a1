//! Draws questions and answers, builds training sequences, trains the tokenizer.

use super::templates::Templates;
use crate::protocol::Category;
use anyhow::{Result, anyhow};
use mixing_buddy_core::language::{
    AdviceTokenizer, AnswerIds, Decision, EXAMPLE_QUESTIONS, Intent, Prompt, PromptSpec, Special, StemError,
    normalise_question, stem_question,
};
use mixing_buddy_core::{Direction, GainStep, PerStem, Stem};
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::path::Path;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, TokenizerBuilder};

/// Share of unclear questions that are a jumble of letters or words.
const JUMBLE_SHARE: f64 = 0.08;
/// Share of questions with a typing error.
const TYPO_SHARE: f64 = 0.08;
/// Share of long questions, with a sentence before the question.
const PREAMBLE_SHARE: f64 = 0.04;
/// Tries until a question that is always a held-out one is given up: the wordings overlap, most likely.
const MAX_TRIES: usize = 100;
/// Questions of each intent in the tokenizer's corpus. These numbers were chosen; changing them changes the tokenizer,
/// which makes trained decoders useless.
const QUESTIONS: usize = 2000;
/// The same of unclear questions: off-topic words need no tokens of their own.
const UNCLEAR_QUESTIONS: usize = 800;
/// Answers to each intent in the tokenizer's corpus.
const ANSWERS: usize = 1500;
/// Share of them with a reference.
const WITH_REFERENCE: f64 = 0.7;
/// Share of balanced mixes among random decisions: the prior of the published protocol.
const BALANCED: f64 = Category::PRIOR;
/// Seed of the tokenizer's corpus.
const TOKENIZER_SEED: u64 = 0x6d69_7862;

/// Draws training text from the templates.
#[derive(Clone, Debug)]
pub struct TextSampler {
    templates: Templates,
}

/// The text side of one training example.
#[derive(Clone, Debug, PartialEq)]
pub struct TextExample {
    /// What the user asks.
    pub question: String,
    /// Which stems are present.
    pub stems_present: PerStem<bool>,
    /// A stem that the user calls right.
    pub anchor: Option<Stem>,
    /// Whether a reference balance is given.
    pub has_reference: bool,
    /// The right answer; its intent is the one of the question.
    pub decision: Decision,
}

/// A training sequence: a prompt and the answer to learn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrainingIds {
    /// The prompt, with the places of its soft slots.
    pub prompt: Prompt,
    /// The answer, with the places of its decisions counted from its own beginning.
    pub answer: AnswerIds,
}

impl TextSampler {
    /// Draws from these templates.
    pub fn new(templates: Templates) -> Self {
        TextSampler { templates }
    }

    /// Draws from the templates that are compiled in.
    pub fn shipped() -> Result<Self> {
        Ok(Self::new(Templates::shipped()?))
    }

    /// The templates.
    pub fn templates(&self) -> &Templates {
        &self.templates
    }

    /// A question with this intent, never one of the held-out wordings. Some have a typing error or a preamble.
    pub fn question(&self, intent: Intent, rng: &mut impl Rng) -> Result<String> {
        for _ in 0..MAX_TRIES {
            let mut question = if intent == Intent::Unclear && rng.random_bool(JUMBLE_SHARE) {
                jumble(rng)
            } else {
                self.templates.question(intent, rng)?
            };
            if intent != Intent::Unclear && rng.random_bool(PREAMBLE_SHARE) {
                question = format!("{} {question}", PREAMBLES.choose(rng).copied().unwrap_or_default());
            }
            if rng.random_bool(TYPO_SHARE) {
                question = with_typo(&question, rng);
            }
            if !question.is_empty() && !self.templates.is_heldout(&question) {
                return Ok(question);
            }
        }
        Err(anyhow!("questions about {} are always held-out ones: the wordings overlap", intent.name()))
    }

    /// The sentence (with slots) of an answer: see [`Templates::answer`].
    pub fn answer_text(
        &self,
        decision: &Decision,
        has_reference: bool,
        stems_present: &PerStem<bool>,
        rng: &mut impl Rng,
    ) -> Result<String> {
        self.templates.answer(decision, has_reference, stems_present, rng)
    }
}

impl TrainingIds {
    /// Prompt and answer in one row.
    pub fn ids(&self) -> Vec<u32> {
        [self.prompt.ids.as_slice(), self.answer.ids.as_slice()].concat()
    }

    /// For each token of [`ids`](Self::ids), whether it is learnt: those of the answer are.
    pub fn loss_mask(&self) -> Vec<bool> {
        let mut mask = vec![false; self.prompt.ids.len()];
        mask.resize(self.prompt.ids.len() + self.answer.ids.len(), true);
        mask
    }

    /// Places in [`ids`](Self::ids) of the decision tokens, from the intent to the verdict.
    pub fn decision_positions(&self) -> std::ops::Range<usize> {
        let start = self.prompt.ids.len();
        let decisions = self.answer.decision_positions();
        start + decisions.start..start + decisions.end
    }
}

/// Builds the sequence of an example and its sentence, with `soft_tokens` audio slots.
pub fn build_training_ids(
    tokenizer: &AdviceTokenizer,
    example: &TextExample,
    sentence: &str,
    soft_tokens: usize,
) -> Result<TrainingIds> {
    let spec = PromptSpec {
        question: &example.question,
        stems_present: example.stems_present,
        anchor: example.anchor,
        has_reference: example.has_reference,
        soft_tokens,
    };
    let prompt = Prompt::build(tokenizer, &spec)?;
    let answer = AnswerIds::build(tokenizer, &example.decision, sentence)?;
    Ok(TrainingIds { prompt, answer })
}

/// Trains the byte-level BPE on drawn questions and answers and writes `tokenizer.json`. The same templates give
/// the same file. `vocabulary` counts everything: the special tokens, 256 bytes, and what is merged from them.
pub fn train_tokenizer(sampler: &TextSampler, vocabulary: usize, out: &Path) -> Result<AdviceTokenizer> {
    let bytes = tokenizer_json(sampler, vocabulary)?;
    crate::files::replace(out, &bytes)?;
    Ok(AdviceTokenizer::from_bytes(&bytes)?)
}

fn tokenizer_json(sampler: &TextSampler, vocabulary: usize) -> Result<Vec<u8>> {
    let failed = |cause: tokenizers::Error| anyhow!("the tokenizer cannot be trained: {cause}");
    let specials: Vec<AddedToken> =
        Special::all().into_iter().map(|special| AddedToken::from(special.text(), true)).collect();
    let mut trainer = BpeTrainer::builder()
        .vocab_size(vocabulary)
        .min_frequency(2)
        .show_progress(false)
        .special_tokens(specials.clone())
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .build();
    let byte_level = ByteLevel::new(false, false, true);
    let mut tokenizer = TokenizerBuilder::new()
        .with_model(BPE::default())
        .with_normalizer(None::<tokenizers::NormalizerWrapper>)
        .with_pre_tokenizer(Some(byte_level))
        .with_post_processor(None::<tokenizers::PostProcessorWrapper>)
        .with_decoder(Some(byte_level))
        .build()
        .map_err(failed)?;
    tokenizer.train(&mut trainer, tokenizer_corpus(sampler)?.into_iter()).map_err(failed)?;
    let json = tokenizer.to_string(true).map_err(failed)?;
    Ok(json.into_bytes())
}

fn tokenizer_corpus(sampler: &TextSampler) -> Result<Vec<String>> {
    let mut rng = ChaCha8Rng::seed_from_u64(TOKENIZER_SEED);
    let mut lines: Vec<String> =
        EXAMPLE_QUESTIONS.iter().map(|question| normalise_question(question)).collect();
    lines.extend(Stem::ALL.map(|stem| normalise_question(stem_question(stem))));
    let everything = PerStem::from_fn(|_| true);
    for intent in Intent::ALL {
        let questions = if intent == Intent::Unclear { UNCLEAR_QUESTIONS } else { QUESTIONS };
        for _ in 0..questions {
            lines.push(normalise_question(&sampler.question(intent, &mut rng)?));
        }
        for _ in 0..ANSWERS {
            let decision = random_decision(intent, &mut rng)?;
            let sentence =
                sampler.answer_text(&decision, rng.random_bool(WITH_REFERENCE), &everything, &mut rng)?;
            // Slots are tokens of their own; text stops before the space in front of them.
            lines.extend(sentence.split("<|").map(|part| {
                let text = part.split_once("|>").map_or(part, |(_, text)| text);
                text.strip_suffix(' ').unwrap_or(text).to_string()
            }));
        }
    }
    Ok(lines)
}

/// A decision with this intent: balanced, or one of the targets that the intent allows, in either direction, 3 to 12
/// dB.
pub fn random_decision(intent: Intent, rng: &mut impl Rng) -> Result<Decision> {
    let stems: Vec<Stem> = Stem::TARGETS.into_iter().filter(|stem| intent.may_target(*stem)).collect();
    let error = match (rng.random_bool(BALANCED), stems.choose(rng), Direction::ALL.choose(rng)) {
        (false, Some(stem), Some(direction)) => Some(StemError {
            stem: *stem,
            direction: *direction,
            size_db: rng.random_range(GainStep::MIN_DB..GainStep::MAX_DB),
        }),
        _ => None,
    };
    Ok(Decision::new(intent, error)?)
}

/// Sentences before the question, as people write who have worked for hours.
const PREAMBLES: &[&str] = &[
    "i have been working on this all night and my ears are tired",
    "this is my first song and i am not sure",
    "my friend says it is not right",
    "i just finished a new version",
    "listening on headphones here",
    "the band is not happy yet",
    "before i send this to the client",
    "i changed a few things",
];

fn jumble(rng: &mut impl Rng) -> String {
    let words = rng.random_range(1..5);
    let word = |rng: &mut dyn rand::RngCore| -> String {
        let letters = rng.random_range(1..9);
        (0..letters).map(|_| char::from(rng.random_range(b'a'..=b'z'))).collect()
    };
    (0..words).map(|_| word(rng)).collect::<Vec<_>>().join(" ")
}

/// Leaves out, doubles or swaps one letter.
pub(super) fn with_typo(question: &str, rng: &mut impl Rng) -> String {
    let mut signs: Vec<char> = question.chars().collect();
    if signs.len() < 8 {
        return question.to_string();
    }
    let at = rng.random_range(1..signs.len() - 1);
    match rng.random_range(0..3) {
        0 => drop(signs.remove(at)),
        1 => signs.insert(at, signs[at]),
        _ => signs.swap(at, at + 1),
    }
    signs.into_iter().collect()
}
