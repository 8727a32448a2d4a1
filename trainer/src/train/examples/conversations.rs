//! Conversations for the large model: a reading, simulated or of a real mix, what is known of it, and questions with answers.
//!
//! The decision is the oracle's most probable outcome, and the same in all turns of a conversation. The figures of the answers are
//! those of the meter, not the true ones: the model is to say what it was told.

use super::advice::AdviceExample;
use super::held_out::general_questions;
use super::simulate::{SimulationSettings, Simulator};
use crate::text::TextSampler;
use crate::text::conversation::{Answerer, ConversationWordings, HeldOut, HeldOutQuestion, Language};
use anyhow::{Context, Result};
use mixing_buddy_core::conversation::facts::{levels_lu, reference_lu, runner_up, usual_lu};
use mixing_buddy_core::conversation::{Facts, Field, Topic};
use mixing_buddy_core::decoder::{Outcomes, ReferenceBalance};
use mixing_buddy_core::encoder::{Reading, StemReading};
use mixing_buddy_core::hash::mix_bits;
use mixing_buddy_core::norms::NormsSummary;
use mixing_buddy_core::norms::usual::{LU_MINUS_RMS_DB, LU_MINUS_RMS_SD_DB};
use mixing_buddy_core::{BestAnswer, GainStep, PerDirection, PerStem, PerTarget, Stem, Verdict};
use rand::distr::weighted::WeightedIndex;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

/// Shares of examples with an anchor and with a reference: those of the advisor's training.
const ANCHOR_SHARE: f64 = 0.4;
const REFERENCE_SHARE: f64 = 0.5;
/// Share of anchors that the first question states in words; the others come with the request.
const ANCHOR_IN_WORDS_SHARE: f64 = 0.5;
/// Weights of one to five turns. Chosen, not tuned.
const TURNS: [u32; 5] = [30, 25, 20, 15, 10];
/// Share of conversations that begin with the general question. Chosen, not tuned.
const GENERAL_FIRST_SHARE: f64 = 0.45;
/// Confidence from which the advisor commits itself, drawn evenly: users choose it.
const THRESHOLDS: std::ops::Range<f32> = 0.35..0.75;
/// Temperatures by which the oracle's probabilities become those of an advisor with a meter that errs, drawn evenly. Chosen, not
/// tuned: the answers are to name all kinds of figures.
const TEMPERATURES: std::ops::Range<f32> = 1.0..5.0;
/// Tries until a question that is always a held-out one is given up.
const MAX_TRIES: usize = 100;

/// Kinds of topics and their weights. Chosen, not tuned.
const TOPICS: [(Kind, u32); 14] = [
    (Kind::Balance, 20),
    (Kind::About, 22),
    (Kind::AboutOther, 3),
    (Kind::Compare, 8),
    (Kind::CompareStem, 5),
    (Kind::Levels, 3),
    (Kind::LevelsStem, 3),
    (Kind::Why, 10),
    (Kind::WhyStem, 3),
    (Kind::Confidence, 6),
    (Kind::First, 6),
    (Kind::Only, 7),
    (Kind::OutOfReach, 14),
    (Kind::Unclear, 2),
];

#[derive(Clone, Copy, Debug)]
enum Kind {
    Balance,
    About,
    AboutOther,
    Compare,
    CompareStem,
    Levels,
    LevelsStem,
    Why,
    WhyStem,
    Confidence,
    First,
    Only,
    OutOfReach,
    Unclear,
}

/// A question and its answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Turn {
    /// What the user asks.
    pub question: String,
    /// What the question is about.
    pub topic: Topic,
    /// The explanation that follows the structured answer.
    pub answer: String,
}

/// Probabilities of all outcomes: the soft targets of the decision.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct OutcomeShares {
    /// Nothing is off.
    pub none: f32,
    /// An error of a target in a direction.
    pub errors: PerTarget<PerDirection<f32>>,
}

/// A conversation about one window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Conversation {
    /// Its number: with the seed of the set, all that it is made from.
    pub number: u64,
    /// The language of questions and answers.
    pub language: Language,
    /// What the encoder measured; the summaries are empty.
    pub reading: Reading,
    /// Stems that are present.
    pub present: PerStem<bool>,
    /// The balance to aim at.
    pub reference: Option<ReferenceBalance>,
    /// What may be said.
    pub facts: Facts,
    /// Soft targets of the decision; the decision itself is in the facts.
    pub outcomes: OutcomeShares,
    /// Whether the first question states the anchor in words; it is not part of the request then.
    pub anchor_in_words: bool,
    /// Questions and answers.
    pub turns: Vec<Turn>,
}

/// The wordings of one language.
struct Speaker {
    wordings: ConversationWordings,
    held_out: HeldOut,
}

/// Draws conversations.
pub struct Conversations {
    settings: SimulationSettings,
    sampler: TextSampler,
    speakers: Vec<Speaker>,
    seed: u64,
}

impl Conversations {
    /// Conversations in these languages, each as often as the others.
    ///
    /// # Errors
    /// When a wording breaks a rule.
    pub fn new(languages: &[Language], seed: u64) -> Result<Self> {
        let speaker = |language: &Language| -> Result<Speaker> {
            let wordings = ConversationWordings::shipped(*language)?;
            Ok(Speaker { wordings, held_out: HeldOut::shipped(*language)? })
        };
        Ok(Conversations {
            settings: SimulationSettings::default(),
            sampler: TextSampler::shipped()?,
            speakers: languages.iter().map(speaker).collect::<Result<_>>()?,
            seed,
        })
    }

    /// The conversation of a number, about a simulated reading.
    ///
    /// # Errors
    /// When a question or an answer cannot be drawn.
    pub fn draw(&self, number: u64) -> Result<Conversation> {
        self.draw_about(number, |rng| self.simulated(rng))
    }

    /// The conversation of a number, about an example that `draw_example` draws. The example must not be about a single stem.
    ///
    /// # Errors
    /// When the example, a question or an answer cannot be drawn.
    pub fn draw_about(
        &self,
        number: u64,
        draw_example: impl FnOnce(&mut SmallRng) -> Result<AdviceExample>,
    ) -> Result<Conversation> {
        let mut rng = self.rng(number);
        let speaker = &self.speakers[rng.random_range(0..self.speakers.len())];
        let example = draw_example(&mut rng)?;
        let mut conversation = window(number, speaker, example, &mut rng);
        conversation.anchor_in_words =
            conversation.facts.anchor.is_some() && rng.random_bool(ANCHOR_IN_WORDS_SHARE);
        let turns = 1 + WeightedIndex::new(TURNS).context("the weights are fixed")?.sample(&mut rng);
        for turn in 0..turns {
            let topic = if turn == 0 && rng.random_bool(GENERAL_FIRST_SHARE) {
                Topic::Balance
            } else {
                draw_topic(&mut rng)?
            };
            let anchor = conversation.facts.anchor.filter(|_| turn == 0 && conversation.anchor_in_words);
            // Nobody asks about the stem that is right, in the sentence that says so.
            let topic = if anchor.is_some() && topic.asked_stem() == anchor { Topic::Balance } else { topic };
            let question = speaker.question(topic, anchor, &mut rng)?;
            let answer = Answerer::new(&speaker.wordings).answer(topic, &conversation.facts, &mut rng)?;
            conversation.turns.push(Turn { question, topic, answer });
        }
        Ok(conversation)
    }

    /// A conversation of one turn for each held-out question, in order.
    ///
    /// # Errors
    /// As [`Conversations::draw`].
    pub fn held_out(&self) -> Result<Vec<Conversation>> {
        let questions = self
            .speakers
            .iter()
            .flat_map(|speaker| speaker.held_out.questions().iter().map(move |question| (speaker, question)));
        questions
            .enumerate()
            .map(|(number, (speaker, HeldOutQuestion { topic, question, .. }))| {
                let mut rng = self.rng(number as u64);
                let example = self.simulated(&mut rng)?;
                let mut conversation = window(number as u64, speaker, example, &mut rng);
                let answer =
                    Answerer::new(&speaker.wordings).answer(*topic, &conversation.facts, &mut rng)?;
                conversation.turns.push(Turn { question: question.clone(), topic: *topic, answer });
                Ok(conversation)
            })
            .collect()
    }

    /// The texts of the wordings between their placeholders.
    pub fn literals(&self) -> Vec<String> {
        self.speakers.iter().flat_map(|speaker| speaker.wordings.literals()).collect()
    }

    fn rng(&self, number: u64) -> SmallRng {
        SmallRng::seed_from_u64(mix_bits(self.seed ^ mix_bits(number.wrapping_add(1))))
    }

    fn simulated(&self, rng: &mut SmallRng) -> Result<AdviceExample> {
        let questions = general_questions(ANCHOR_SHARE, REFERENCE_SHARE);
        Simulator::new(&self.settings, &questions, NormsSummary::shipped(), &self.sampler).example(rng)
    }
}

/// A window without turns.
fn window(number: u64, speaker: &Speaker, example: AdviceExample, rng: &mut SmallRng) -> Conversation {
    let facts = facts_of(&example, NormsSummary::shipped(), rng);
    let AdviceExample { reading, reference, sample, posterior } = example;
    let reading = reading.map(|stem| StemReading { summary: Vec::new(), ..stem.clone() });
    let errors = PerTarget::from_fn(|stem| {
        PerDirection::from_fn(|direction| posterior.of_error(stem, direction) as f32)
    });
    Conversation {
        number,
        language: speaker.wordings.language,
        reading,
        present: sample.stems_present,
        reference,
        facts,
        outcomes: OutcomeShares { none: posterior.none as f32, errors },
        anchor_in_words: false,
        turns: Vec::new(),
    }
}

impl Speaker {
    /// A question that is not held out.
    fn question(&self, topic: Topic, anchor: Option<Stem>, rng: &mut SmallRng) -> Result<String> {
        for _ in 0..MAX_TRIES {
            let question = self.wordings.question(topic, anchor, rng)?;
            if !question.is_empty() && !self.held_out.contains(&question) {
                return Ok(question);
            }
        }
        anyhow::bail!("questions on {topic:?} are always held-out ones: the wordings overlap")
    }
}

fn draw_topic(rng: &mut SmallRng) -> Result<Topic> {
    let weights = WeightedIndex::new(TOPICS.map(|(_, weight)| weight)).context("the weights are fixed")?;
    let stem = Stem::TARGETS[rng.random_range(0..Stem::TARGET_COUNT)];
    Ok(match TOPICS[weights.sample(rng)].0 {
        Kind::Balance => Topic::Balance,
        Kind::About => Topic::About(stem),
        Kind::AboutOther => Topic::About(Stem::Other),
        Kind::Compare => Topic::Compare(None),
        Kind::CompareStem => Topic::Compare(Some(stem)),
        Kind::Levels => Topic::Levels(None),
        Kind::LevelsStem => Topic::Levels(Some(stem)),
        Kind::Why => Topic::Why(None),
        Kind::WhyStem => Topic::Why(Some(stem)),
        Kind::Confidence => Topic::Confidence,
        Kind::First => Topic::First,
        Kind::Only => Topic::Only(stem),
        Kind::OutOfReach => Topic::OutOfReach(Field::ALL[rng.random_range(0..Field::ALL.len())]),
        Kind::Unclear => Topic::Unclear,
    })
}

/// What is known of an example. K-weighting moves each stem by as much as it does in real songs, with their spread.
fn facts_of(example: &AdviceExample, norms: &NormsSummary, rng: &mut SmallRng) -> Facts {
    let AdviceExample { reading, reference, sample, posterior } = example;
    let measured = PerStem::from_fn(|stem| {
        let normal: f32 = StandardNormal.sample(rng);
        Some(reading[stem].level_db + LU_MINUS_RMS_DB[stem] + LU_MINUS_RMS_SD_DB[stem] * normal)
    });
    let levels = levels_lu(reading, &measured);
    let answer = posterior.answer();
    let best = match answer.error {
        None => BestAnswer { verdict: Verdict::NoError, stem: None, gain_db: None },
        Some((stem, direction)) => {
            // On the grid, as tokens can state it.
            let size_db = GainStep::nearest(answer.gain_db as f32).size_db();
            let verdict = Verdict::of_error(direction, size_db);
            BestAnswer { verdict, stem: Some(stem), gain_db: Some(-direction.sign() * size_db) }
        }
    };
    let outcomes = Outcomes {
        none: posterior.none as f32,
        errors: PerTarget::from_fn(|stem| {
            PerDirection::from_fn(|direction| posterior.of_error(stem, direction) as f32)
        }),
    };
    let temperature = rng.random_range(TEMPERATURES);
    Facts {
        reference_lu: reference.as_ref().map(|reference| reference_lu(reading, &levels, reference)),
        levels_lu: levels,
        usual_lu: usual_lu(norms),
        anchor: sample.anchor,
        best,
        confidence: outcomes.confidence(temperature),
        threshold: rng.random_range(THRESHOLDS),
        runner_up: runner_up(&outcomes, temperature),
    }
}
