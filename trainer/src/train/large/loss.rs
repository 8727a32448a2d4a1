//! Forward pass and loss of decisions and conversations.

use super::batch::{Choice, DecisionRow, Row, TalkRow};
use crate::train::examples::sequences::{SoftSequence, hidden_states, log_softmax};
use anyhow::Result;
use candle_core::{D, Tensor};
use mixing_buddy_core::decoder::{Decoder, Projector};

/// The parts of a model, and the token that fills up short rows.
#[derive(Clone, Copy)]
pub struct Parts<'a> {
    /// Decoder.
    pub decoder: &'a Decoder,
    /// Projector.
    pub projector: &'a Projector,
    /// Fills up short rows; never learned.
    pub pad: u32,
}

/// Hidden states before the tokens at these places of the rows, `[places, hidden]`.
fn states(parts: Parts<'_>, rows: &[&Row], places: &[(usize, usize)]) -> Result<Tensor> {
    let sequences: Vec<SoftSequence<'_>> = rows
        .iter()
        .map(|row| SoftSequence {
            ids: &row.ids,
            audio_slots: row.audio_slots.clone(),
            reference_slots: row.reference_slots.clone(),
            reading: &row.reading,
            reference: row.reference.as_ref(),
        })
        .collect();
    let (states, longest) = hidden_states(parts.decoder, parts.projector, parts.pad, &sequences, None)?;
    let places: Vec<u32> = places.iter().map(|(row, place)| (row * longest + place) as u32).collect();
    Ok(states.index_select(&Tensor::new(places, parts.decoder.device())?, 0)?)
}

/// Mean cross-entropy of the decisions in nats per choice, each among the tokens that may come there: as decisions are
/// made.
///
/// # Errors
/// When there is no row, or a tensor operation fails.
pub fn decision_loss(parts: Parts<'_>, rows: &[DecisionRow]) -> Result<Tensor> {
    let sequences: Vec<&Row> = rows.iter().map(|row| &row.row).collect();
    let choices: Vec<(usize, &Choice)> =
        rows.iter().enumerate().flat_map(|(n, row)| row.choices.iter().map(move |c| (n, c))).collect();
    let places: Vec<(usize, usize)> = choices.iter().map(|(row, choice)| (*row, choice.place)).collect();
    let states = states(parts, &sequences, &places)?;

    // All tokens of all choices as one small vocabulary; a choice sees its own.
    let mut words: Vec<u32> = choices.iter().flat_map(|(_, c)| c.options.iter().map(|(id, _)| *id)).collect();
    words.sort_unstable();
    words.dedup();
    let (count, width) = (choices.len(), words.len());
    let (mut targets, mut hidden) = (vec![0.0f32; count * width], vec![-1e9f32; count * width]);
    for (n, (_, choice)) in choices.iter().enumerate() {
        for (id, share) in &choice.options {
            if let Ok(word) = words.binary_search(id) {
                (targets[n * width + word], hidden[n * width + word]) = (*share, 0.0);
            }
        }
    }
    let device = parts.decoder.device();
    let logits = parts.decoder.logits_of(&states, &Tensor::new(words, device)?)?;
    let logits = (logits + Tensor::from_vec(hidden, (count, width), device)?)?;
    let targets = Tensor::from_vec(targets, (count, width), device)?;
    Ok(((log_softmax(&logits)? * targets)?.sum_all()?.neg()? / count as f64)?)
}

/// Mean cross-entropy of the answers in nats per token.
///
/// # Errors
/// As [`decision_loss`].
pub fn talk_loss(parts: Parts<'_>, rows: &[TalkRow]) -> Result<Tensor> {
    let sequences: Vec<&Row> = rows.iter().map(|row| &row.row).collect();
    let targets: Vec<(usize, usize, u32)> = rows
        .iter()
        .enumerate()
        .flat_map(|(n, row)| row.targets.iter().map(move |(place, id)| (n, *place, *id)))
        .collect();
    let places: Vec<(usize, usize)> = targets.iter().map(|(row, place, _)| (*row, *place)).collect();
    let states = states(parts, &sequences, &places)?;
    let ids: Vec<u32> = targets.iter().map(|(_, _, id)| *id).collect();
    let ids = Tensor::new(ids, parts.decoder.device())?.unsqueeze(1)?;
    let log = log_softmax(&parts.decoder.logits(&states)?)?;
    Ok(log.gather(&ids, D::Minus1)?.mean_all()?.neg()?)
}
