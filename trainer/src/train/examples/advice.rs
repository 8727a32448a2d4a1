//! Advice examples that the language model trains on: a reading, a question, and the oracle's answer; and their loss.

use super::sequences::{LanguageModel, Sequence, answer_log_probabilities};
use crate::oracle::{AllowedStems, Posterior};
use crate::text::{TextExample, TextSampler, TrainingIds, build_training_ids};
use crate::train::shards::ShardOutcome;
use anyhow::Result;
use candle_core::{D, Tensor};
use mixing_buddy_core::decoder::ReferenceBalance;
use mixing_buddy_core::encoder::Reading;
use mixing_buddy_core::language::{AdviceTokenizer, Decision, Intent, Special, StemError};
use mixing_buddy_core::nn::DropoutStream;
use mixing_buddy_core::{Direction, GainStep, PerStem, Stem};
use rand::Rng;
use rand::rngs::SmallRng;

/// One example.
pub struct AdviceExample {
    /// What the model gets to know about the sound.
    pub reading: Reading,
    /// The balance to aim at, as measured; none without a reference.
    pub reference: Option<ReferenceBalance>,
    /// Question, stems, anchor, and a decision drawn from `posterior`.
    pub sample: TextExample,
    /// The oracle's probability of every outcome: the target of the decision tokens.
    pub posterior: Posterior,
}

/// Chances of the kinds of questions. The defaults were chosen, not tuned.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QuestionShares {
    /// Questions about one of the targets.
    pub about: f64,
    /// Questions about the stem `other`, which is not a target.
    pub other: f64,
    /// Questions to compare with the reference, among examples that have one.
    pub compare: f64,
    /// Questions that cannot be answered.
    pub unclear: f64,
    /// Examples with an anchor.
    pub anchor: f64,
    /// Examples with a reference.
    pub reference: f64,
}

impl Default for QuestionShares {
    fn default() -> Self {
        QuestionShares { about: 0.12, other: 0.02, compare: 0.15, unclear: 0.08, anchor: 0.5, reference: 0.4 }
    }
}

impl QuestionShares {
    /// Draws what is asked about a mix with or without a reference.
    pub fn intent(&self, has_reference: bool, present: &PerStem<bool>, rng: &mut SmallRng) -> Intent {
        let at: f64 = rng.random();
        if at < self.about {
            let stem = Stem::TARGETS[rng.random_range(0..Stem::TARGET_COUNT)];
            return if present[stem] { Intent::About(stem) } else { Intent::Balance };
        }
        if at < self.about + self.other {
            return Intent::About(Stem::Other);
        }
        if at < self.about + self.other + self.unclear {
            return Intent::Unclear;
        }
        if has_reference && rng.random_bool(self.compare) { Intent::Compare } else { Intent::Balance }
    }
}

/// Stems that an answer may name as target.
pub fn allowed_stems(intent: Intent, anchor: Option<Stem>, present: &PerStem<bool>) -> AllowedStems {
    match intent.asked_stem() {
        Some(stem) => AllowedStems::only(stem).and_present(present),
        None => AllowedStems::without(anchor).and_present(present),
    }
}

/// Draws an outcome: the error, or none in a balanced mix.
pub fn draw_error(posterior: &Posterior, rng: &mut SmallRng) -> Option<StemError> {
    let mut left: f64 = rng.random::<f64>() - posterior.none;
    if left < 0.0 {
        return None;
    }
    for stem in Stem::TARGETS {
        for direction in Direction::ALL {
            for (step, p) in GainStep::all().zip(&posterior.cells[stem][direction]) {
                left -= p;
                if left < 0.0 {
                    return Some(StemError { stem, direction, size_db: step.size_db() });
                }
            }
        }
    }
    None
}

/// Weight of a token of the sentence against a token of the decision: the decision is what the model is measured by, and
/// sentences from templates are easy to learn. Chosen, not tuned.
const TEXT_WEIGHT: f64 = 0.15;

/// The loss of advice examples.
pub struct AdviceLoss {
    /// The loss to differentiate, a scalar.
    pub loss: Tensor,
    /// Mean cross-entropy of the decisions in nats per token; held-out examples are measured by it.
    pub decision: f64,
    /// Mean cross-entropy of the sentences in nats per token.
    pub text: f64,
}

impl AdviceLoss {
    /// Names of the logged figures, without the loss.
    pub const FIGURES: [&'static str; 2] = ["decision", "text"];

    /// The loss with its figures for the log.
    ///
    /// # Errors
    /// As tensor operations.
    pub fn into_outcome(self) -> Result<ShardOutcome> {
        let [decision, text] = Self::FIGURES;
        let loss = f64::from(self.loss.to_scalar::<f32>()?);
        let figures = vec![("loss", loss), (decision, self.decision), (text, self.text)];
        Ok(ShardOutcome { loss: self.loss, figures })
    }
}

/// Forward pass and loss of examples, on the decoder's device.
///
/// # Errors
/// When a sequence cannot be laid out, or a tensor operation fails.
pub fn advice_loss(
    model: LanguageModel<'_>,
    sampler: &TextSampler,
    examples: &[AdviceExample],
    dropout: Option<&DropoutStream>,
    rng: &mut SmallRng,
) -> Result<AdviceLoss> {
    let LanguageModel { decoder, projector, tokenizer } = model;
    let laid_out: Vec<TrainingIds> = examples
        .iter()
        .map(|e| {
            let sentence = sampler.answer_text(
                &e.sample.decision,
                e.sample.has_reference,
                &e.sample.stems_present,
                rng,
            )?;
            build_training_ids(tokenizer, &e.sample, &sentence, projector.audio_token_count())
        })
        .collect::<Result<_>>()?;
    let sequences: Vec<Sequence<'_>> = laid_out
        .iter()
        .zip(examples)
        .map(|(ids, e)| Sequence { reading: &e.reading, reference: e.reference.as_ref(), ids })
        .collect();
    let log = answer_log_probabilities(model, &sequences, dropout)?;

    // The target of each token of an answer.
    let (mut targets, mut decisions, mut texts) = (Vec::new(), Vec::new(), Vec::new());
    let vocabulary = decoder.vocabulary();
    for (ids, example) in laid_out.iter().zip(examples) {
        for at in 0..ids.answer.ids.len() {
            let target = token_target(tokenizer, ids, at, example);
            let base = targets.len();
            targets.resize(base + vocabulary, 0.0f32);
            target.into_iter().for_each(|(id, p)| targets[base + id as usize] = p);
            let is_decision = at <= ids.answer.gain_position.unwrap_or(ids.answer.stem_position);
            decisions.push(f32::from(u8::from(is_decision)));
            texts.push(f32::from(u8::from(!is_decision)));
        }
    }
    let (count, device) = (decisions.len(), log.device());
    let targets = Tensor::from_vec(targets, (count, vocabulary), device)?;
    let cross = (targets * &log)?.sum(D::Minus1)?.neg()?;
    let mean = |mask: Vec<f32>| -> Result<Tensor> {
        let total = f64::from(mask.iter().sum::<f32>().max(1.0));
        Ok(((&cross * Tensor::from_vec(mask, count, device)?)?.sum_all()? / total)?)
    };
    let (decision, text) = (mean(decisions)?, mean(texts)?);
    let loss = (&decision + (&text * TEXT_WEIGHT)?)?;
    let value = |tensor: &Tensor| -> Result<f64> { Ok(f64::from(tensor.to_scalar::<f32>()?)) };
    Ok(AdviceLoss { loss, decision: value(&decision)?, text: value(&text)? })
}

/// The target distribution of token `at` of an answer: the posterior's for the tokens of the decision, otherwise the token
/// itself.
fn token_target(
    tokenizer: &AdviceTokenizer,
    ids: &TrainingIds,
    at: usize,
    example: &AdviceExample,
) -> Vec<(u32, f32)> {
    let posterior = &example.posterior;
    let answer = &ids.answer;
    let error = example.sample.decision.error;
    let of = |stem: Stem, direction: Direction| posterior.of_error(stem, direction) as f32;
    if at == answer.stem_position {
        let mut target = vec![(tokenizer.special(Special::NoStem), posterior.none as f32)];
        target.extend(Stem::TARGETS.map(|stem| {
            (tokenizer.special(Special::Stem(stem)), Direction::ALL.iter().map(|d| of(stem, *d)).sum::<f32>())
        }));
        return target;
    }
    match error {
        Some(error) if Some(at) == answer.direction_position => {
            let total = Direction::ALL.iter().map(|d| of(error.stem, *d)).sum::<f32>().max(1e-9);
            Direction::ALL
                .map(|d| (tokenizer.special(Special::Direction(d)), of(error.stem, d) / total))
                .to_vec()
        }
        Some(error) if Some(at) == answer.gain_position => {
            let cells = &posterior.cells[error.stem][error.direction];
            let total = cells.iter().sum::<f64>().max(1e-12);
            GainStep::all()
                .zip(cells)
                .map(|(step, cell)| (tokenizer.special(Special::Gain(step)), (cell / total) as f32))
                .collect()
        }
        _ => vec![(answer.ids[at], 1.0)],
    }
}

/// A sample whose decision is drawn from the posterior.
///
/// # Errors
/// When the question cannot be drawn or the decision contradicts it.
pub fn draw_sample(
    sampler: &TextSampler,
    intent: Intent,
    present: PerStem<bool>,
    anchor: Option<Stem>,
    has_reference: bool,
    posterior: &Posterior,
    rng: &mut SmallRng,
) -> Result<TextExample> {
    let decision = Decision::new(intent, draw_error(posterior, rng))?;
    Ok(TextExample {
        question: sampler.question(intent, rng)?,
        stems_present: present,
        anchor,
        has_reference,
        decision,
    })
}
