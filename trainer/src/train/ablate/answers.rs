//! How often an advisor is right about held-out songs.

use super::cell::{Cell, MIX_SEED, MIXES_PER_SONG};
use crate::evaluation::SongResamples;
use crate::mixing::cache::MapCache;
use crate::train::examples::held_out::{WindowChoice, general_questions, read_held_out};
use crate::train::examples::mix_reading::MixReading;
use crate::weights::{AdvisorWeights, TOKENIZER, load_encoder};
use anyhow::Result;
use candle_core::Device;
use mixing_buddy_core::CancelFlag;
use mixing_buddy_core::decoder::{Decoder, GenerationRequest, Generator, Projector};
use mixing_buddy_core::language::{AdviceTokenizer, DEFAULT_QUESTION};
use mixing_buddy_core::nn::Params;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// What a question names in addition to the mix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Named {
    /// A stem that is right.
    Anchor,
    /// The balance to aim at.
    Reference,
    /// Neither.
    Neither,
}

impl Named {
    /// All, in the order of the table.
    pub const ALL: [Named; 3] = [Named::Anchor, Named::Reference, Named::Neither];

    /// The title of the column.
    pub const fn title(self) -> &'static str {
        match self {
            Named::Anchor => "with an anchor",
            Named::Reference => "with a reference",
            Named::Neither => "with neither",
        }
    }
}

/// Mixes of held-out songs, the same for every variant.
pub type NamedMixes = Vec<(Named, Vec<MixReading>)>;

/// Reads the mixes with the encoder of a file.
///
/// # Errors
/// When the file cannot be used, or as [`read_held_out`].
pub fn read(encoder_file: &Path, songs: &MapCache) -> Result<NamedMixes> {
    let (encoder, features) = load_encoder(encoder_file, &Device::Cpu)?;
    let choice = WindowChoice::PerSong(MIXES_PER_SONG);
    let read = |named: Named| {
        let questions =
            general_questions(f64::from(named == Named::Anchor), f64::from(named == Named::Reference));
        Ok((named, read_held_out(&encoder, &features, songs, &questions, choice, MIX_SEED)?))
    };
    Named::ALL.into_iter().map(read).collect()
}

/// Share of answers with the right stem and direction, or that rightly call a mix balanced.
///
/// # Errors
/// When the weights cannot be used, or as tensor operations.
pub fn shares(
    advisor_file: &Path,
    readings: &NamedMixes,
    resamples: &SongResamples,
) -> Result<BTreeMap<Named, Cell>> {
    let weights = AdvisorWeights::load(advisor_file)?;
    let device = Device::Cpu;
    let params = Params::load(weights.tensors, BTreeMap::new(), &device);
    let generator = Generator {
        decoder: &Decoder::new(&params.pp("decoder"), &weights.decoder, Some(&weights.lora))?,
        projector: &Projector::new(&params.pp("projector"), &weights.projector)?,
        tokenizer: &AdviceTokenizer::from_bytes(TOKENIZER)?,
        device: &device,
    };
    let mut shares = BTreeMap::new();
    for (named, mixes) in readings {
        let mut answers: Vec<(usize, bool)> = Vec::with_capacity(mixes.len());
        for mix in mixes {
            let request = GenerationRequest {
                question: DEFAULT_QUESTION,
                stems: None,
                anchor: mix.anchor,
                reference: mix.reference.map(|reference| reference.balance),
            };
            let outcomes = generator.outcomes(&mix.reading, &request, &CancelFlag::new())?;
            answers.push((mix.song, outcomes.best().0 == mix.error));
        }
        let share = |weights: &[f64]| {
            let total: f64 = answers.iter().map(|(song, _)| weights[*song]).sum();
            let right: f64 = answers.iter().filter(|(_, right)| *right).map(|(song, _)| weights[*song]).sum();
            (total > 0.0).then(|| right / total)
        };
        if let Some(plain) = share(&resamples.plain()) {
            shares.insert(*named, (plain, resamples.interval(share)));
        }
    }
    Ok(shares)
}
