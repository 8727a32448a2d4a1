//! How often an advisor is right about songs that it has not heard.

use super::Cell;
use crate::evaluation::SongResamples;
use crate::mixing::cache::MapCache;
use crate::train::examples::flaws::{FlawReading, Windows, general_questions, read_flaws};
use crate::weights::AdvisorWeights;
use crate::weights::TOKENIZER;
use crate::weights::load_encoder;
use anyhow::Result;
use candle_core::Device;
use mixing_buddy_core::CancelFlag;
use mixing_buddy_core::decoder::{Decoder, GenerationRequest, Generator, Projector};
use mixing_buddy_core::language::{AdviceTokenizer, DEFAULT_QUESTION};
use mixing_buddy_core::nn::Params;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// What a question names beside the mix.
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
    /// All, as they stand in the table.
    pub const ALL: [Named; 3] = [Named::Anchor, Named::Reference, Named::Neither];

    /// For the table's head.
    pub const fn title(self) -> &'static str {
        match self {
            Named::Anchor => "with an anchor",
            Named::Reference => "with a reference",
            Named::Neither => "with neither",
        }
    }
}

/// Mixes of unheard songs as every variant gets them.
pub type NamedFlaws = Vec<(Named, Vec<FlawReading>)>;

/// Hears the mixes once, with the encoder of a file.
///
/// # Errors
/// When the file cannot be used, or as [`read_flaws`].
pub fn read(encoder_file: &Path, songs: &MapCache) -> Result<NamedFlaws> {
    let (encoder, features) = load_encoder(encoder_file, &Device::Cpu)?;
    let windows = Windows::OfEach(super::MIXES_A_SONG);
    let read = |named: Named| {
        let questions =
            general_questions(f64::from(named == Named::Anchor), f64::from(named == Named::Reference));
        Ok((named, read_flaws(&encoder, &features, songs, &questions, windows, 20)?))
    };
    Named::ALL.into_iter().map(read).collect()
}

/// Share of answers with the right stem and direction, or that rightly say nothing is off.
///
/// # Errors
/// When the weights cannot be used, or as tensor operations.
pub fn shares(
    advisor_file: &Path,
    readings: &NamedFlaws,
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
    for (named, flaws) in readings {
        let mut answers: Vec<(usize, bool)> = Vec::with_capacity(flaws.len());
        for flaw in flaws {
            let request = GenerationRequest {
                question: DEFAULT_QUESTION,
                stems: None,
                anchor: flaw.anchor,
                reference: flaw.reference,
            };
            let outcomes = generator.outcomes(&flaw.reading, &request, &CancelFlag::new())?;
            answers.push((flaw.song, outcomes.best().0 == flaw.error));
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
