//! Songs with weights, and the target that they give together.

use super::song::{FORMAT, SongId, SongLevels, short_name};
use crate::decoder::ReferenceBalance;
use crate::stem::{PerStem, Stem};
use serde::{Deserialize, Serialize};

/// Largest number of windows that a target states to the language model: as many as it has learned of
/// (`MOST_REFERENCE_WINDOWS` of the trainer's simulated references).
pub const MOST_STATED_WINDOWS: usize = 24;
/// Weights that a song can have.
pub const WEIGHTS: std::ops::RangeInclusive<f32> = 0.01..=100.0;

/// A song of a group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// The song.
    pub song: SongId,
    /// How much it counts, against the other songs.
    #[serde(default = "one")]
    pub weight: f32,
}

fn one() -> f32 {
    1.0
}

/// Songs under a name: "my pop records".
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// `FORMAT` of the writer.
    pub format: u32,
    /// The name. Groups whose names differ only in case are the same.
    pub name: String,
    /// Its songs, each once.
    pub members: Vec<Member>,
}

impl Group {
    /// A group without songs.
    pub fn new(name: &str) -> Self {
        Group { format: FORMAT, name: short_name(name), members: Vec::new() }
    }

    /// Adds a song, or changes its weight.
    pub fn put(&mut self, song: SongId, weight: f32) {
        let weight = if weight.is_finite() { weight.clamp(*WEIGHTS.start(), *WEIGHTS.end()) } else { 1.0 };
        match self.members.iter_mut().find(|member| member.song == song) {
            Some(member) => member.weight = weight,
            None => self.members.push(Member { song, weight }),
        }
    }
}

/// A balance to aim at, made of one or more songs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// Mean, spread and number of windows, as the language model gets them.
    ///
    /// The spread is that of a window of any of the songs: its variance is the songs' own plus that between their means.
    /// So advice says what is unusual for these songs. The number is at most [`MOST_STATED_WINDOWS`].
    pub balance: ReferenceBalance,
    /// The mean levels in LU, for display.
    pub levels_lu: PerStem<Option<f32>>,
    /// Number of songs.
    pub songs: usize,
    /// Number of windows of all songs.
    pub windows: usize,
}

impl Target {
    /// The target of several songs, each with its weight. Each song counts the same at equal weights, however long it is.
    /// None without songs, or without weight.
    pub fn of<'a>(songs: impl IntoIterator<Item = (&'a SongLevels, f32)>) -> Option<Target> {
        let songs: Vec<(&SongLevels, f64)> = songs
            .into_iter()
            .filter(|(_, weight)| weight.is_finite() && *weight > 0.0)
            .map(|(song, weight)| (song, f64::from(weight)))
            .collect();
        if songs.is_empty() {
            return None;
        }
        let mean_and_spread = PerStem::from_fn(|stem| mean_and_spread(&songs, stem));
        let windows = songs.iter().map(|(song, _)| song.balance.windows).sum();
        Some(Target {
            balance: ReferenceBalance {
                level_db: mean_and_spread.map(|known| known.map(|(mean, _)| mean as f32)),
                spread_db: mean_and_spread
                    .map(|known| known.and_then(|(_, spread)| spread).map(|s| s as f32)),
                windows: usize::min(windows, MOST_STATED_WINDOWS),
            },
            levels_lu: PerStem::from_fn(|stem| {
                let known = songs.iter().filter_map(|(song, weight)| {
                    song.levels_lu[stem].map(|level| (f64::from(level), *weight))
                });
                weighted_mean(known).map(|mean| mean as f32)
            }),
            songs: songs.len(),
            windows,
        })
    }
}

/// Weighted mean over the songs that have the stem, and the spread of a window of any of them. The spread is not known
/// of a single song without one.
fn mean_and_spread(songs: &[(&SongLevels, f64)], stem: Stem) -> Option<(f64, Option<f64>)> {
    let known: Vec<(f64, Option<f64>, f64)> = songs
        .iter()
        .filter_map(|(song, weight)| {
            let level = song.balance.level_db[stem]?;
            Some((f64::from(level), song.balance.spread_db[stem].map(f64::from), *weight))
        })
        .collect();
    let mean = weighted_mean(known.iter().map(|(level, _, weight)| (*level, *weight)))?;
    let within = weighted_mean(
        known.iter().filter_map(|(_, spread, weight)| spread.map(|spread| (spread * spread, *weight))),
    );
    let between = variance(known.iter().map(|(level, _, weight)| (*level, *weight)), mean);
    let spread = match (within, between) {
        (None, None) => None,
        (within, between) => Some((within.unwrap_or(0.0) + between.unwrap_or(0.0)).sqrt()),
    };
    Some((mean, spread))
}

fn weighted_mean(values: impl Iterator<Item = (f64, f64)>) -> Option<f64> {
    let (sum, total) = values.fold((0.0, 0.0), |(sum, total), (value, w)| (sum + w * value, total + w));
    (total > 0.0).then(|| sum / total)
}

/// Unbiased variance with reliability weights; none of a single value.
fn variance(values: impl Iterator<Item = (f64, f64)> + Clone, mean: f64) -> Option<f64> {
    let total: f64 = values.clone().map(|(_, weight)| weight).sum();
    let squares: f64 = values.clone().map(|(_, weight)| weight * weight).sum();
    let degrees = total - squares / total;
    if values.clone().count() < 2 || degrees <= 0.0 {
        return None;
    }
    Some(values.map(|(value, weight)| weight * (value - mean).powi(2)).sum::<f64>() / degrees)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn song(digit: char, level_db: f32, spread_db: Option<f32>, windows: usize) -> SongLevels {
        SongLevels {
            id: digit.to_string().repeat(32).parse().unwrap(),
            name: format!("{digit}.wav"),
            model: "compact 1.0.0".into(),
            balance: ReferenceBalance {
                level_db: PerStem::all(Some(level_db)).with(Stem::Bass, None),
                spread_db: PerStem::all(spread_db),
                windows,
            },
            levels_lu: PerStem::all(Some(level_db + 2.0)).with(Stem::Bass, None),
        }
    }

    #[test]
    fn a_single_song_is_its_own_target() {
        let one = song('a', -5.0, Some(1.5), 20);
        let target = Target::of([(&one, 3.0)]).unwrap();
        assert_eq!(target.balance.level_db, one.balance.level_db);
        assert!((target.balance.spread_db.vocals.unwrap() - 1.5).abs() < 1e-6);
        assert_eq!((target.songs, target.windows, target.balance.windows), (1, 20, 20));
        assert_eq!(Target::of([(&song('a', -5.0, None, 1), 1.0)]).unwrap().balance.spread_db.vocals, None);
    }

    #[test]
    fn a_group_spreads_within_and_between_its_songs() {
        let (a, b) = (song('a', -4.0, Some(1.0), 24), song('b', -8.0, Some(2.0), 6));
        let target = Target::of([(&a, 1.0), (&b, 1.0)]).unwrap();
        assert_eq!(target.balance.level_db.vocals, Some(-6.0));
        assert_eq!(target.levels_lu.drums, Some(-4.0));
        // Within: (1 + 4) / 2. Between: 8, the variance of -4 and -8.
        assert!((target.balance.spread_db.vocals.unwrap() - 10.5f32.sqrt()).abs() < 1e-5);
        assert_eq!((target.balance.level_db.bass, target.balance.spread_db.bass), (None, None));
        assert_eq!((target.windows, target.balance.windows), (30, MOST_STATED_WINDOWS));
    }

    #[test]
    fn weights_move_the_target_and_their_scale_does_not_matter() {
        let (a, b) = (song('a', -4.0, Some(1.0), 24), song('b', -8.0, Some(1.0), 24));
        let heavy = Target::of([(&a, 3.0), (&b, 1.0)]).unwrap();
        assert_eq!(heavy.balance.level_db.vocals, Some(-5.0));
        let scaled = Target::of([(&a, 30.0), (&b, 10.0)]).unwrap();
        assert!(
            (scaled.balance.spread_db.vocals.unwrap() - heavy.balance.spread_db.vocals.unwrap()).abs() < 1e-5
        );
        assert_eq!(Target::of([(&a, 0.0), (&b, f32::NAN)]), None);
        assert_eq!(Target::of([]), None);
    }

    #[test]
    fn a_song_is_in_a_group_once() {
        let mut group = Group::new(" my  pop records ");
        let id = song('a', -4.0, None, 1).id;
        group.put(id.clone(), 1.0);
        group.put(id.clone(), f32::INFINITY);
        group.put(id.clone(), 1e9);
        assert_eq!(group.name, "my pop records");
        assert_eq!(group.members, [Member { song: id, weight: 100.0 }]);
    }
}
