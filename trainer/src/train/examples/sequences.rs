//! Prompts and answers laid out in one batch, soft tokens in their slots, and the probabilities of the answers.

use crate::text::TrainingIds;
use anyhow::Result;
use candle_core::{D, Device, Tensor};
use mixing_buddy_core::Stem;
use mixing_buddy_core::decoder::{Decoder, Projector, ReferenceBalance, audio_features};
use mixing_buddy_core::encoder::Reading;
use mixing_buddy_core::language::{AdviceTokenizer, Special};
use mixing_buddy_core::nn::DropoutStream;
use std::ops::Range;

/// A language model with its parts.
#[derive(Clone, Copy)]
pub struct LanguageModel<'a> {
    /// Generates the answer.
    pub decoder: &'a Decoder,
    /// Turns readings into soft tokens.
    pub projector: &'a Projector,
    /// Turns text into tokens.
    pub tokenizer: &'a AdviceTokenizer,
}

/// A prompt with its answer, and the content of its slots for soft tokens.
pub struct Sequence<'a> {
    /// The encoder's reading.
    pub reading: &'a Reading,
    /// The balance to aim at; present exactly if the prompt has slots for it.
    pub reference: Option<&'a ReferenceBalance>,
    /// The tokens.
    pub ids: &'a TrainingIds,
}

/// Tokens that are read, with slots for soft tokens.
pub struct SoftSequence<'a> {
    /// The tokens.
    pub ids: &'a [u32],
    /// Slots of the reading.
    pub audio_slots: Range<usize>,
    /// Slots of the reference.
    pub reference_slots: Option<Range<usize>>,
    /// Content of the slots of the reading.
    pub reading: &'a Reading,
    /// Content of the slots of the reference.
    pub reference: Option<&'a ReferenceBalance>,
}

/// Log-probabilities over the vocabulary of each token of each answer, `[tokens of all answers, vocabulary]`: answer by
/// answer, token by token, on the decoder's device.
///
/// # Errors
/// When there is no sequence, or a tensor operation fails.
pub fn answer_log_probabilities(
    LanguageModel { decoder, projector, tokenizer }: LanguageModel<'_>,
    sequences: &[Sequence<'_>],
    dropout: Option<&DropoutStream>,
) -> Result<Tensor> {
    let ids: Vec<Vec<u32>> = sequences.iter().map(|sequence| sequence.ids.ids()).collect();
    let rows: Vec<SoftSequence<'_>> = sequences
        .iter()
        .zip(&ids)
        .map(|(sequence, ids)| SoftSequence {
            // The last token is never an input.
            ids: &ids[..ids.len() - 1],
            audio_slots: sequence.ids.prompt.audio_slots.clone(),
            reference_slots: sequence.ids.prompt.reference_slots.clone(),
            reading: sequence.reading,
            reference: sequence.reference,
        })
        .collect();
    let (states, longest) =
        hidden_states(decoder, projector, tokenizer.special(Special::Pad), &rows, dropout)?;
    let mut places = Vec::new();
    for (row, sequence) in sequences.iter().enumerate() {
        // The prediction of a token is at the position of the token before it.
        let start = row * longest + sequence.ids.prompt.ids.len() - 1;
        places.extend((start..start + sequence.ids.answer.ids.len()).map(|place| place as u32));
    }
    let logits = decoder.logits(&states.index_select(&Tensor::new(places, decoder.device())?, 0)?)?;
    log_softmax(&logits)
}

/// Logarithms of the probabilities that these logits give, row by row.
///
/// # Errors
/// As tensor operations.
pub fn log_softmax(logits: &Tensor) -> Result<Tensor> {
    let top = logits.max_keepdim(D::Minus1)?.detach();
    let shifted = logits.broadcast_sub(&top)?;
    Ok(shifted.broadcast_sub(&shifted.exp()?.sum_keepdim(D::Minus1)?.log()?)?)
}

/// Hidden states behind all tokens, `[rows * longest, hidden]`, and the length of the longest row, to which the others are
/// filled up with `pad`.
///
/// # Errors
/// When there is no row, or a tensor operation fails.
pub fn hidden_states(
    decoder: &Decoder,
    projector: &Projector,
    pad: u32,
    rows: &[SoftSequence<'_>],
    dropout: Option<&DropoutStream>,
) -> Result<(Tensor, usize)> {
    let device = decoder.device();
    let longest = rows.iter().map(|row| row.ids.len()).max().unwrap_or(0);
    let (audio, reference) = soft_tokens(projector, rows, device)?;

    // Every input embedding is a row of one table: words, then audio tokens, then reference tokens.
    let mut words: Vec<u32> = Vec::with_capacity(rows.len() * longest);
    for row in rows {
        words.extend(row.ids);
        words.resize(words.len() + longest - row.ids.len(), pad);
    }
    let (_, audio_tokens, hidden) = audio.dims3()?;
    let mut table = vec![decoder.embed(&words)?, audio.reshape(((), hidden))?];
    if let Some(reference) = &reference {
        table.push(reference.reshape(((), hidden))?);
    }
    let mut order: Vec<u32> = (0..words.len() as u32).collect();
    let (audio_start, reference_start) = (words.len(), words.len() + rows.len() * audio_tokens);
    let mut referenced = 0;
    for (number, row) in rows.iter().enumerate() {
        for (k, slot) in row.audio_slots.clone().enumerate() {
            order[number * longest + slot] = (audio_start + number * audio_tokens + k) as u32;
        }
        if let (Some(slots), Some(_)) = (&row.reference_slots, row.reference) {
            for (k, slot) in slots.clone().enumerate() {
                order[number * longest + slot] = (reference_start + referenced * Stem::ALL.len() + k) as u32;
            }
        }
        referenced += usize::from(row.reference.is_some());
    }
    let embeds = Tensor::cat(&table, 0)?.index_select(&Tensor::new(order, device)?, 0)?.reshape((
        rows.len(),
        longest,
        hidden,
    ))?;
    Ok((decoder.forward(&embeds, dropout)?.reshape(((), hidden))?, longest))
}

/// Audio tokens of all sequences, and reference tokens of the sequences with a reference.
fn soft_tokens(
    projector: &Projector,
    sequences: &[SoftSequence<'_>],
    device: &Device,
) -> Result<(Tensor, Option<Tensor>)> {
    let features: Vec<Tensor> =
        sequences.iter().map(|s| audio_features(s.reading, device)).collect::<Result<_, _>>()?;
    let width = sequences.first().map_or(0, |s| s.reading.vocals.summary.len());
    let mut summaries: Vec<f32> = sequences
        .iter()
        .flat_map(|s| Stem::ALL.map(|stem| &s.reading[stem].summary))
        .flatten()
        .copied()
        .collect();
    // A projector without tokens of the sound needs no summaries, but a GPU has no empty tensors.
    summaries.resize(sequences.len() * Stem::ALL.len() * width.max(1), 0.0);
    let summaries = Tensor::from_vec(summaries, (sequences.len(), Stem::ALL.len(), width.max(1)), device)?;
    let audio = projector.audio_tokens(&Tensor::cat(&features, 0)?, &summaries)?;
    let features: Vec<Tensor> = sequences
        .iter()
        .filter_map(|s| Some(projector.reference_features(s.reading, s.reference?, device)))
        .collect::<Result<_, _>>()?;
    let reference = if features.is_empty() {
        None
    } else {
        Some(projector.reference_tokens(&Tensor::cat(&features, 0)?)?)
    };
    Ok((audio, reference))
}
