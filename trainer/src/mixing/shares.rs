//! What a separator would say of a mix: exact mixes without running it.
//!
//! A network's output is not linear in the gains, so it cannot be composed of maps as power can. But its *error* can be
//! kept. For each window of a song the separator was run once, on a mix at usual levels. Its share of each cell of the mix
//! and the true share are compared as log odds, and the difference is kept. In a mix at other gains, the same difference is
//! added to the log odds of the new true share. Near the levels of the run, that is the separator's real output; far from
//! them, it leaks, drops out and has its floor where it really did.

use super::cache::{MapCache, SongMaps};
use super::mixer::Example;
use mixing_buddy_core::features::share_log_odds;
use mixing_buddy_core::{PerStem, Stem};
use rand::Rng;
use rand::rngs::SmallRng;

/// A window whose separator errors a mix gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorSource {
    /// Song in the cache.
    pub song: usize,
    /// Window in the song.
    pub window: usize,
    /// Frames by which the map is rolled in time, as the stem is.
    pub roll: usize,
}

/// Windows with separator errors: those in which a stem is active, and those in which it is not.
#[derive(Clone, Debug, Default)]
pub struct ErrorPool {
    with: Vec<(usize, usize)>,
    without: Vec<(usize, usize)>,
}

impl ErrorPool {
    /// The windows of a cache, per stem, without those that the separator misread by more than `most_db`.
    pub fn of(cache: &MapCache, most_db: f32) -> PerStem<ErrorPool> {
        PerStem::from_fn(|stem| {
            let mut pool = ErrorPool::default();
            let separated = cache.songs.first().map_or(&[][..], |song| &song.header.features.separated);
            let Some(separated) = separated.iter().position(|other| *other == stem) else { return pool };
            for (index, song) in
                cache.songs.iter().enumerate().filter(|(_, song)| song.header.has_share_errors)
            {
                let position = song.header.position(stem);
                for (window, header) in song.header.windows.iter().enumerate() {
                    if header.is_misread(separated, most_db) {
                        continue;
                    }
                    let is_active = position.is_some_and(|position| header.active[position]);
                    let list = if is_active { &mut pool.with } else { &mut pool.without };
                    list.push((index, window));
                }
            }
            pool
        })
    }

    /// A window drawn at random, with or without the stem; none if there is no such window.
    pub fn draw(&self, is_active: bool, rng: &mut SmallRng) -> Option<ErrorSource> {
        let list = if is_active { &self.with } else { &self.without };
        let (song, window) = *list.get(rng.random_range(0..list.len().max(1)))?;
        Some(ErrorSource { song, window, roll: 0 })
    }
}

/// True share of a stem in each cell, `[frames, bands]`: of the power of mid and side, the part that is the stem's. The
/// parts of a mix do not sum to it, since sounds add and cancel: shares are bounded by one.
pub fn true_shares(part: &[f32], mix: &[f32], bands: usize) -> Vec<f32> {
    let rows = part.chunks_exact(2 * bands).zip(mix.chunks_exact(2 * bands));
    let mut shares = Vec::with_capacity(mix.len() / 2);
    for (part, mix) in rows {
        shares.extend((0..bands).map(|band| {
            let (part, mix) = (part[band] + part[bands + band], mix[band] + mix[bands + band]);
            (part / mix.max(1e-20)).clamp(0.0, 1.0)
        }));
    }
    shares
}

/// What the separator would say of the stem in this mix.
pub fn simulated_shares(
    song: &SongMaps,
    source: ErrorSource,
    index: usize,
    stem: Stem,
    example: &Example,
) -> Vec<f32> {
    let bands = song.header.features.bands;
    let mut errors = vec![0.0; song.header.share_cells()];
    song.read_share_errors(source.window, index, &mut errors);
    errors.rotate_left(source.roll * bands);
    let mut shares = true_shares(&example.parts[stem.index()], &example.mix, bands);
    for (share, error) in shares.iter_mut().zip(&errors) {
        *share = 1.0 / (1.0 + (-(share_log_odds(*share) + error)).exp());
    }
    shares
}

/// The separator's errors in a window: the shares that it found against the true ones, as differences of log odds.
pub fn share_errors(found: &[f32], truth: &[f32]) -> Vec<f32> {
    found.iter().zip(truth).map(|(found, truth)| share_log_odds(*found) - share_log_odds(*truth)).collect()
}

/// By how much the separator misreads the stem's level against the rest of a mix in dB: from the shares that it found, and the
/// true ones.
pub fn level_error_db(found: &[f32], truth: &[f32], mix: &[f32], bands: usize) -> f32 {
    let cells =
        mix.chunks_exact(2 * bands).flat_map(|row| (0..bands).map(|band| row[band] + row[bands + band]));
    let (mut all, mut of_found, mut of_truth) = (0.0f64, 0.0f64, 0.0f64);
    for ((cell, found), truth) in cells.zip(found).zip(truth) {
        all += f64::from(cell);
        of_found += f64::from(cell * found);
        of_truth += f64::from(cell * truth);
    }
    let level_db = |power: f64| 10.0 * (power.max(1e-12) / (all - power).max(1e-12)).log10();
    (level_db(of_found) - level_db(of_truth)) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_a_voice_that_is_half_of_the_mix_is_read_five_db_too_low() {
        let (mix, truth) = ([2.0, 2.0, 4.0, 4.0], [0.5, 0.5]);
        assert!(level_error_db(&[0.5, 0.5], &truth, &mix, 1).abs() < 1e-5);
        // A quarter of the mix: 1/3 of the rest in place of all of it.
        let error_db = level_error_db(&[0.25, 0.25], &truth, &mix, 1);
        assert!((error_db + 4.771).abs() < 1e-3, "{error_db}");
    }

    #[test]
    fn errors_taken_and_given_back_are_the_separators_output() {
        let bands = 2;
        let mix = vec![1.0, 2.0, 0.5, 0.25, 1.0, 1.0, 1.0, 1.0];
        let part = vec![0.5, 0.0, 0.25, 0.0, 1.0, 0.2, 1.0, 0.1];
        let found = vec![0.3, 0.1, 0.9, 0.05];
        let truth = true_shares(&part, &mix, bands);
        assert!((truth[0] - 0.5).abs() < 1e-6 && truth[1] == 0.0 && truth[2] == 1.0);
        let errors = share_errors(&found, &truth);
        for ((found, truth), error) in found.iter().zip(&truth).zip(&errors) {
            let back = 1.0 / (1.0 + (-(share_log_odds(*truth) + error)).exp());
            assert!((back - found).abs() < 1e-5, "{back} for {found}");
        }
    }
}
