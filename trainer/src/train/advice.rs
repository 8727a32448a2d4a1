//! Advice examples as the language model trains on them: a reading, a question, and what perfect ears would say.

use crate::text::{Sample, TextSampler, TrainingIds, build_training_ids};
use anyhow::Result;
use candle_core::{D, Tensor};
use mixing_buddy_core::decoder::{
    AUDIO_TOKENS, Decoder, Projector, ReferenceBalance, audio_features, reference_features,
};
use mixing_buddy_core::encoder::Reading;
use mixing_buddy_core::language::{AdviceTokenizer, Decision, Intent, Special, StemError};
use mixing_buddy_core::nn::DropoutStream;
use mixing_buddy_core::norms::{AllowedStems, Posterior, rule::step_size_db};
use mixing_buddy_core::{Direction, PerStem, Stem};
use rand::Rng;
use rand::rngs::SmallRng;

/// One example.
pub struct AdviceExample {
    /// What the model is told of the sound.
    pub reading: Reading,
    /// The balance to aim at, as measured.
    pub reference: Option<ReferenceBalance>,
    /// Question, stems, anchor, and a decision drawn from `posterior`.
    pub sample: Sample,
    /// Probability of every outcome for one who knows the true levels: the target of the decision tokens.
    pub posterior: Posterior,
}

/// Chances of the questions.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QuestionMix {
    /// Questions about one of the blamed stems.
    pub about: f64,
    /// Questions about the rest.
    pub other: f64,
    /// Questions to compare with the reference, of examples that have one.
    pub compare: f64,
    /// Questions that cannot be answered.
    pub unclear: f64,
    /// Examples with an anchor.
    pub anchor: f64,
    /// Examples with a reference.
    pub reference: f64,
}

impl Default for QuestionMix {
    fn default() -> Self {
        QuestionMix { about: 0.12, other: 0.02, compare: 0.15, unclear: 0.08, anchor: 0.5, reference: 0.4 }
    }
}

impl QuestionMix {
    /// Draws what is asked, of a mix with or without a reference.
    pub fn intent(&self, has_reference: bool, present: &PerStem<bool>, rng: &mut SmallRng) -> Intent {
        let at: f64 = rng.random();
        if at < self.about {
            let stem = Stem::BLAMED[rng.random_range(0..3)];
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

/// Stems that an answer may blame.
pub fn allowed_stems(intent: Intent, anchor: Option<Stem>, present: &PerStem<bool>) -> AllowedStems {
    match intent.asked_stem() {
        Some(stem) => AllowedStems::only(stem).and_present(present),
        None => AllowedStems::without(anchor).and_present(present),
    }
}

/// Draws an outcome.
pub fn draw_error(posterior: &Posterior, rng: &mut SmallRng) -> Option<StemError> {
    let mut left: f64 = rng.random::<f64>() - posterior.none;
    if left < 0.0 {
        return None;
    }
    for stem in Stem::BLAMED {
        for direction in Direction::ALL {
            for (step, p) in posterior.cells[stem.index()][direction as usize].iter().enumerate() {
                left -= p;
                if left < 0.0 {
                    return Some(StemError { stem, direction, size_db: step_size_db(step) as f32 });
                }
            }
        }
    }
    None
}

/// Loss of a batch and its parts.
pub struct AdviceLoss {
    /// What is differentiated.
    pub total: Tensor,
    /// Mean cross-entropy of the decisions, nats a token.
    pub decision: f64,
    /// Mean cross-entropy of the sentences, nats a token.
    pub text: f64,
}

/// Weight of a sentence's token beside a decision's.
const TEXT_WEIGHT: f64 = 0.15;

/// Forward pass and loss of examples, on the decoder's device.
///
/// # Errors
/// When a sequence cannot be laid out, or a tensor operation fails.
pub fn advice_loss(
    (decoder, projector, tokenizer): (&Decoder, &Projector, &AdviceTokenizer),
    sampler: &TextSampler,
    examples: &[AdviceExample],
    dropout: Option<&DropoutStream>,
    rng: &mut SmallRng,
) -> Result<AdviceLoss> {
    let device = decoder.device().clone();
    let laid_out: Vec<TrainingIds> = examples
        .iter()
        .map(|e| {
            let sentence = sampler.answer_text(
                &e.sample.decision,
                e.sample.has_reference,
                &e.sample.stems_present,
                rng,
            )?;
            build_training_ids(tokenizer, &e.sample, &sentence, AUDIO_TOKENS)
        })
        .collect::<Result<_>>()?;
    let rows: Vec<Vec<u32>> = laid_out.iter().map(TrainingIds::ids).collect();
    // The last token is never an input.
    let longest = rows.iter().map(|row| row.len() - 1).max().unwrap_or(0);

    let features: Vec<Tensor> =
        examples.iter().map(|e| audio_features(&e.reading, &device)).collect::<Result<_, _>>()?;
    let width = examples[0].reading.vocals.summary.len();
    let summaries: Vec<f32> =
        examples.iter().flat_map(|e| Stem::ALL.map(|s| &e.reading[s].summary)).flatten().copied().collect();
    let summaries = Tensor::from_vec(summaries, (examples.len(), Stem::ALL.len(), width), &device)?;
    let audio = projector.audio_tokens(&Tensor::cat(&features, 0)?, &summaries)?;
    let with_reference: Vec<usize> =
        (0..examples.len()).filter(|i| examples[*i].reference.is_some()).collect();
    let reference = if with_reference.is_empty() {
        None
    } else {
        let features: Vec<Tensor> = with_reference
            .iter()
            .filter_map(|i| {
                Some(reference_features(&examples[*i].reading, examples[*i].reference.as_ref()?, &device))
            })
            .collect::<Result<_, _>>()?;
        Some(projector.reference_tokens(&Tensor::cat(&features, 0)?)?)
    };

    // Every input embedding is a row of one table: words, then audio tokens, then reference tokens.
    let mut table = vec![];
    let mut words: Vec<u32> = Vec::with_capacity(rows.len() * longest);
    for row in &rows {
        words.extend(&row[..row.len() - 1]);
        words.resize(words.len() + longest - (row.len() - 1), tokenizer.special(Special::Pad));
    }
    table.push(decoder.embed(&words)?);
    let (_, audio_tokens, hidden) = audio.dims3()?;
    table.push(audio.reshape(((), hidden))?);
    if let Some(reference) = &reference {
        table.push(reference.reshape(((), hidden))?);
    }
    let mut order: Vec<u32> = (0..words.len() as u32).collect();
    let (audio_start, reference_start) = (words.len(), words.len() + examples.len() * audio_tokens);
    for (row, ids) in laid_out.iter().enumerate() {
        for (k, slot) in ids.prompt.audio_slots.clone().enumerate() {
            order[row * longest + slot] = (audio_start + row * audio_tokens + k) as u32;
        }
        if let (Some(slots), Some(at)) =
            (&ids.prompt.reference_slots, with_reference.iter().position(|i| *i == row))
        {
            for (k, slot) in slots.clone().enumerate() {
                order[row * longest + slot] = (reference_start + at * Stem::ALL.len() + k) as u32;
            }
        }
    }
    let embeds = Tensor::cat(&table, 0)?.index_select(&Tensor::new(order, &device)?, 0)?.reshape((
        rows.len(),
        longest,
        hidden,
    ))?;
    let states = decoder.forward(&embeds, dropout)?.reshape(((), hidden))?;

    // One row of logits for each token of an answer, and what it should have been.
    let (mut places, mut targets, mut decisions, mut texts) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let vocabulary = decoder.vocabulary();
    for (row, (ids, example)) in laid_out.iter().zip(examples).enumerate() {
        let start = ids.prompt.ids.len();
        for at in 0..ids.answer.ids.len() {
            places.push((row * longest + start + at - 1) as u32);
            let target = token_target(tokenizer, ids, at, example);
            let base = targets.len();
            targets.resize(base + vocabulary, 0.0f32);
            target.into_iter().for_each(|(id, p)| targets[base + id as usize] = p);
            let is_decision = at <= ids.answer.gain_position.unwrap_or(ids.answer.stem_position);
            decisions.push(f32::from(u8::from(is_decision)));
            texts.push(f32::from(u8::from(!is_decision)));
        }
    }
    let count = places.len();
    let logits = decoder.logits(&states.index_select(&Tensor::new(places, &device)?, 0)?)?;
    let top = logits.max_keepdim(D::Minus1)?.detach();
    let shifted = logits.broadcast_sub(&top)?;
    let log = shifted.broadcast_sub(&shifted.exp()?.sum_keepdim(D::Minus1)?.log()?)?;
    let targets = Tensor::from_vec(targets, (count, vocabulary), &device)?;
    let cross = (targets * log)?.sum(D::Minus1)?.neg()?;
    let mean = |mask: Vec<f32>| -> Result<Tensor> {
        let total = f64::from(mask.iter().sum::<f32>().max(1.0));
        Ok(((&cross * Tensor::from_vec(mask, count, &device)?)?.sum_all()? / total)?)
    };
    let (decision, text) = (mean(decisions)?, mean(texts)?);
    let total = (&decision + (&text * TEXT_WEIGHT)?)?;
    Ok(AdviceLoss {
        total,
        decision: f64::from(decision.to_scalar::<f32>()?),
        text: f64::from(text.to_scalar::<f32>()?),
    })
}

/// The distribution that token `at` of an answer should have: the posterior's at the decisions, else the token itself.
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
        target.extend(Stem::BLAMED.map(|stem| {
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
            let cells = &posterior.cells[error.stem.index()][error.direction as usize];
            let total = cells.iter().sum::<f64>().max(1e-12);
            (0..cells.len())
                .map(|i| (tokenizer.special(Special::Gain(i as u8)), (cells[i] / total) as f32))
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
) -> Result<Sample> {
    let decision = Decision::new(intent, draw_error(posterior, rng))?;
    Ok(Sample {
        question: sampler.question(intent, rng)?,
        stems_present: present,
        anchor,
        has_reference,
        decision,
    })
}
