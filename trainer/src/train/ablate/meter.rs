//! How well an encoder measures held-out songs.

use super::cell::{Cell, MIX_SEED, MIXES_PER_SONG};
use crate::evaluation::{SongResamples, median_absolute};
use crate::mixing::cache::MapCache;
use crate::protocol::QUIETEST_MEASURED_DB;
use crate::train::examples::held_out::{WindowChoice, general_questions, read_held_out};
use crate::train::examples::mix_reading::MixReading;
use crate::weights::load_encoder;
use anyhow::Result;
use candle_core::Device;
use mixing_buddy_core::Stem;
use std::collections::BTreeMap;
use std::path::Path;

/// Reads mixes of held-out songs with the encoder of a file. Half of them name an anchor; the levels do not depend on it.
///
/// # Errors
/// When the file cannot be used, or as [`read_held_out`].
pub fn read(encoder_file: &Path, songs: &MapCache) -> Result<Vec<MixReading>> {
    let (encoder, features) = load_encoder(encoder_file, &Device::Cpu)?;
    let choice = WindowChoice::PerSong(MIXES_PER_SONG);
    read_held_out(&encoder, &features, songs, &general_questions(0.5, 0.0), choice, MIX_SEED)
}

/// Median absolute error of the level against the rest in dB, per stem.
pub fn errors(readings: &[MixReading], resamples: &SongResamples) -> BTreeMap<Stem, Cell> {
    medians(resamples, |stem| {
        let readings = readings.iter().filter(|mix| mix.truth.rest_db[stem] > QUIETEST_MEASURED_DB);
        readings
            .map(|mix| (mix.song, (f64::from(mix.reading[stem].level_db) - mix.truth.rest_db[stem]).abs()))
            .collect()
    })
}

/// The median of the errors per stem, given as song and size, and its interval over songs; none for a stem without errors.
pub fn medians(
    resamples: &SongResamples,
    errors: impl Fn(Stem) -> Vec<(usize, f64)>,
) -> BTreeMap<Stem, Cell> {
    let of = |stem: Stem| {
        let mut errors = errors(stem);
        errors.sort_by(|a, b| a.1.total_cmp(&b.1));
        let median = |weights: &[f64]| median_absolute(&errors, weights);
        Some((stem, (median(&resamples.plain())?, resamples.interval(median))))
    };
    Stem::ALL.into_iter().filter_map(of).collect()
}
