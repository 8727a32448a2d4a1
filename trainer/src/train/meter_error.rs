//! The error of the encoder as a meter, measured while it is trained.

use crate::mixing::augment::AugmentSettings;
use crate::mixing::batch::encoder_batch;
use crate::mixing::cache::MapCache;
use crate::mixing::mixer::{Example, MixSettings, Mixer};
use crate::protocol::QUIETEST_MEASURED_DB;
use anyhow::Result;
use mixing_buddy_core::encoder::Encoder;
use mixing_buddy_core::features::FeatureSettings;
use mixing_buddy_core::norms::NormsSummary;
use mixing_buddy_core::{PerStem, Stem};
use rand::SeedableRng;
use rand::rngs::SmallRng;

/// Mixes that are measured at a time, for the memory.
const CHUNK_MIXES: usize = 12;
/// Seed of the first mix; each further mix adds one. Mixes of training have other seeds.
const FIRST_SEED: u64 = 7_000_000;

/// Median absolute error per stem in dB, on at least `mixes` mixes of `songs`: all stems from one window, uncoloured,
/// levelled after the norms and flawed. Not a number for a stem that no mix has.
///
/// # Errors
/// As tensor operations.
pub fn median_errors_db(
    encoder: &Encoder,
    features: &FeatureSettings,
    songs: &MapCache,
    mixes: usize,
) -> Result<PerStem<f64>> {
    let settings = MixSettings {
        coherent: 1.0,
        foreign_voice: 0.0,
        after_norms: 1.0,
        stem_eq_sd_db: 0.0,
        bus_eq_sd_db: 0.0,
        augment: AugmentSettings::none(),
        ..MixSettings::default()
    };
    let mixer = Mixer::new(songs, &settings, NormsSummary::shipped());
    let mut errors: [Vec<f64>; Stem::COUNT] = Default::default();
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
        for (levels_db, example) in metered.level_db.to_vec2::<f32>()?.iter().zip(&examples) {
            for (stem, truth) in example.rest_levels_db().into_iter().enumerate() {
                if let Some(truth) = truth.filter(|truth| f64::from(*truth) > QUIETEST_MEASURED_DB) {
                    errors[stem].push(f64::from((levels_db[stem] - truth).abs()));
                }
            }
        }
    }
    Ok(PerStem::from_array(errors.map(|mut errors| {
        errors.sort_by(f64::total_cmp);
        errors.get(errors.len() / 2).copied().unwrap_or(f64::NAN)
    })))
}
