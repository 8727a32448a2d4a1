//! What the tables of all comparisons have in common.

use crate::evaluation::Interval;

/// A figure and its 95 % interval over songs.
pub type Cell = (f64, Option<Interval>);

/// Mixes measured per song.
pub(super) const MIXES_PER_SONG: usize = 8;
/// Seed of the flaws in these mixes. Any number would do; a fixed one gives every variant the same mixes.
pub(super) const MIX_SEED: u64 = 20;
/// Resamples of the songs behind an interval, as in the benchmark.
pub(super) const RESAMPLES: usize = 1000;
/// Seed of the resamples.
pub(super) const RESAMPLE_SEED: u64 = 1;
