//! How good the encoder is as a meter, measured while it is trained: its levels, and whether it knows what is there.

use crate::mixing::augment::AugmentSettings;
use crate::mixing::batch::{ABSENT_REST_DB, encoder_batch};
use crate::mixing::cache::MapCache;
use crate::mixing::mixer::{Example, MixSettings, Mixer};
use crate::protocol::QUIETEST_MEASURED_DB;
use anyhow::Result;
use mixing_buddy_core::encoder::{Encoder, StemReading, readings};
use mixing_buddy_core::features::FeatureSettings;
use mixing_buddy_core::norms::NormsSummary;
use mixing_buddy_core::{PerStem, Stem};
use rand::SeedableRng;
use rand::rngs::SmallRng;

/// Mixes that are measured at a time, for the memory.
const CHUNK_MIXES: usize = 12;
/// Seed of the first mix; each further mix adds one. Mixes of training have other seeds.
const FIRST_SEED: u64 = 7_000_000;
/// Of the mixes that presence is measured on, the shares with a stem missing and with a stem far down.
const PRESENCE_LEFT_OUT: f64 = 0.5;
const PRESENCE_FAR_DOWN: f64 = 0.3;

/// What [`check_meter`] finds.
#[derive(Clone, Debug)]
pub struct MeterCheck {
    /// Median absolute error of each stem's level in dB. Not a number for a stem that no mix has.
    pub median_errors_db: PerStem<f64>,
    /// Share of the stems that play and are taken for absent.
    pub missed: f64,
    /// Share of the stems that are absent and taken to play.
    pub imagined: f64,
}

/// Measures an encoder on at least `mixes` mixes of `songs`: all stems from one window, uncoloured, levelled after the
/// norms and flawed. What it takes to be there is measured on as many others, of which half lack a stem.
///
/// # Errors
/// As tensor operations.
pub fn check_meter(
    encoder: &Encoder,
    features: &FeatureSettings,
    songs: &MapCache,
    mixes: usize,
) -> Result<MeterCheck> {
    let settings = MixSettings {
        coherent: 1.0,
        foreign_voice: 0.0,
        after_norms: 1.0,
        stem_eq_sd_db: 0.0,
        bus_eq_sd_db: 0.0,
        augment: AugmentSettings::none(),
        ..MixSettings::default()
    };
    let mut errors: [Vec<f64>; Stem::COUNT] = Default::default();
    for_each_reading(
        encoder,
        features,
        &Mixer::new(songs, &settings, NormsSummary::shipped()),
        mixes,
        |stem, read, truth| {
            if let Some(truth) = truth.filter(|truth| f64::from(*truth) > QUIETEST_MEASURED_DB) {
                errors[stem].push(f64::from((read.level_db - truth).abs()));
            }
        },
    )?;
    let settings = MixSettings { left_out: PRESENCE_LEFT_OUT, far_down: PRESENCE_FAR_DOWN, ..settings };
    let (mut missed, mut imagined) = (Share::default(), Share::default());
    for_each_reading(
        encoder,
        features,
        &Mixer::new(songs, &settings, NormsSummary::shipped()),
        mixes,
        |_, read, truth| match truth {
            Some(truth) if truth > ABSENT_REST_DB => missed.count(!read.is_present()),
            _ => imagined.count(read.is_present()),
        },
    )?;
    Ok(MeterCheck {
        median_errors_db: PerStem::from_array(errors.map(|mut errors| {
            errors.sort_by(f64::total_cmp);
            errors.get(errors.len() / 2).copied().unwrap_or(f64::NAN)
        })),
        missed: missed.value(),
        imagined: imagined.value(),
    })
}

/// How many of those that were counted are so.
#[derive(Default)]
struct Share {
    so: usize,
    all: usize,
}

impl Share {
    fn count(&mut self, is_so: bool) {
        self.so += usize::from(is_so);
        self.all += 1;
    }

    fn value(&self) -> f64 {
        self.so as f64 / self.all as f64
    }
}

/// Gives each stem's index, reading and true level against the rest of at least `mixes` mixes.
fn for_each_reading(
    encoder: &Encoder,
    features: &FeatureSettings,
    mixer: &Mixer<'_>,
    mixes: usize,
    mut take: impl FnMut(usize, &StemReading, Option<f32>),
) -> Result<()> {
    for chunk in 0..mixes.div_ceil(CHUNK_MIXES) {
        let examples: Vec<Example> = (0..CHUNK_MIXES)
            .map(|i| {
                let mut rng = SmallRng::seed_from_u64(FIRST_SEED + (chunk * CHUNK_MIXES + i) as u64);
                let plan = mixer.plan(&mut rng);
                mixer.mix(&plan, &mut rng)
            })
            .collect();
        let batch = encoder_batch(&examples, features, encoder.device())?;
        let metered = encoder.meter(&encoder.encode(&batch, None)?, &batch, None)?;
        for (reading, example) in readings(&metered)?.iter().zip(&examples) {
            for (stem, truth) in Stem::ALL.into_iter().zip(example.rest_levels_db()) {
                take(stem.index(), &reading[stem], truth);
            }
        }
    }
    Ok(())
}
