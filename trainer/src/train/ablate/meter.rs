//! How well an encoder measures songs that it has not heard.

use super::Cell;
use crate::evaluation::{SongResamples, median_absolute};
use crate::mixing::cache::MapCache;
use crate::protocol::QUIETEST_MEASURED_DB;
use crate::train::examples::flaws::{FlawReading, Windows, general_questions, read_flaws};
use crate::weights::load_encoder;
use anyhow::Result;
use candle_core::Device;
use mixing_buddy_core::Stem;
use std::collections::BTreeMap;
use std::path::Path;

/// Mixes of unheard songs through the encoder of a file.
///
/// # Errors
/// When the file cannot be used, or as [`read_flaws`].
pub fn read(encoder_file: &Path, songs: &MapCache) -> Result<Vec<FlawReading>> {
    let (encoder, features) = load_encoder(encoder_file, &Device::Cpu)?;
    let windows = Windows::OfEach(super::MIXES_A_SONG);
    read_flaws(&encoder, &features, songs, &general_questions(0.5, 0.0), windows, 20)
}

/// Median absolute error of stem against rest in dB, by stem.
pub fn errors(readings: &[FlawReading], resamples: &SongResamples) -> BTreeMap<Stem, Cell> {
    medians(resamples, |stem| {
        let readings = readings.iter().filter(|flaw| flaw.true_db[stem] > QUIETEST_MEASURED_DB);
        readings
            .map(|flaw| (flaw.song, (f64::from(flaw.reading[stem].level_db) - flaw.true_db[stem]).abs()))
            .collect()
    })
}

/// The median of each stem's errors, given as song and size, and its interval over songs; none of a stem without errors.
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
