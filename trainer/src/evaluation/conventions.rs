//! Does the advice move a mix towards what engineers do?
//!
//! The advice of every sample is applied, and the resulting levels are compared with two conventions: the usual levels of
//! MUSDB18's stems, and the level of the lead vocal against the accompaniment, which has stood at about +1 dB in the charts
//! since 1975 (Gerdes and Siedenburg, 2023). All levels are unweighted RMS. The study measured songs' vocals against their
//! accompaniment as a whole; here it is 10 s of all vocals.

use super::advisor::VocalConvention;
use super::bootstrap::{Figure, SongResamples, SongTally};
use super::figures::PlannedWindow;
use super::judges::NormsSource;
use mixing_buddy_core::norms::NormsSummary;
use mixing_buddy_core::norms::levels::all_rest_levels_from_levels;
use mixing_buddy_core::stem::{PerStem, Stem};

/// Published level of the lead vocal against the accompaniment in dB (Gerdes and Siedenburg, 2023).
pub const VOCALS_DB: f64 = 1.0;
/// A distance that changes by less, in dB, counts as unchanged. Chosen, not tuned: a tenth of what trained listeners notice.
const UNCHANGED_DB: f64 = 0.1;

/// How often advice moves a mix towards a convention. Shares are of all samples, also those that are left alone.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moves {
    /// Share of samples that end up closer.
    pub towards: Figure,
    /// Share that end up farther away.
    pub away: Figure,
    /// Mean distance in dB before the advice.
    pub before_db: Figure,
    /// Mean distance in dB after the advice.
    pub after_db: Figure,
}

/// How the advice stands to conventions.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Conventions {
    /// Mean distance of vocals, drums and bass from their usual level in MUSDB18.
    pub usual_levels: Moves,
    /// The same, of the advice that the user is told; the rest is left alone.
    pub usual_levels_of_spoken: Moves,
    /// Distance of the vocals from the convention for vocals.
    pub vocals: Moves,
}

/// Distance in dB of a vocal level from a convention: from +1 dB where the user names none.
pub fn vocal_distance_db(level_db: f64, convention: Option<VocalConvention>) -> f64 {
    match convention {
        None => (level_db - VOCALS_DB).abs(),
        Some(VocalConvention::Above) => (-level_db).max(0.0),
        Some(VocalConvention::At) => level_db.abs(),
        Some(VocalConvention::Below) => level_db.max(0.0),
    }
}

/// Mean distance in dB of the targets from their usual levels.
pub fn usual_distance_db(rest_levels_db: &PerStem<f64>, norms: &NormsSummary) -> f64 {
    let distance = |stem: Stem| (rest_levels_db[stem] - norms.usual[stem].mean_db).abs();
    Stem::TARGETS.into_iter().map(distance).sum::<f64>() / Stem::TARGET_COUNT as f64
}

struct MoveTallies {
    towards: SongTally,
    away: SongTally,
    before_db: SongTally,
    after_db: SongTally,
}

impl MoveTallies {
    fn new(songs: usize) -> Self {
        let tally = || SongTally::new(songs);
        MoveTallies { towards: tally(), away: tally(), before_db: tally(), after_db: tally() }
    }

    fn add(&mut self, song: usize, before_db: f64, after_db: f64) {
        let change_db = after_db - before_db;
        self.towards.add(song, f64::from(u8::from(change_db < -UNCHANGED_DB)), 1.0);
        self.away.add(song, f64::from(u8::from(change_db > UNCHANGED_DB)), 1.0);
        self.before_db.add(song, before_db, 1.0);
        self.after_db.add(song, after_db, 1.0);
    }

    fn moves(&self, resamples: &SongResamples) -> Moves {
        Moves {
            towards: self.towards.figure(resamples),
            away: self.away.figure(resamples),
            before_db: self.before_db.figure(resamples),
            after_db: self.after_db.figure(resamples),
        }
    }
}

/// Applies the advice of all samples.
pub(crate) fn conventions(
    windows: &[PlannedWindow<'_>],
    norms: &NormsSource,
    vocals: Option<VocalConvention>,
    resamples: &SongResamples,
) -> Conventions {
    let songs = resamples.plain().len();
    let usual = norms.usual();
    let [mut all, mut spoken, mut of_vocals] = [(); 3].map(|()| MoveTallies::new(songs));
    for window in windows {
        for sample in &window.samples {
            let answered = window.record.model.get(sample.mix, sample.anchor);
            let flawed = window.record.flawed_dbfs(window.flaws[sample.mix]);
            let mut corrected = flawed;
            if let Some((stem, gain_db)) =
                answered.and_then(|answered| answered.best).and_then(|best| best.stem.zip(best.gain_db))
            {
                corrected[stem] += f64::from(gain_db);
            }
            let [before, after] = [&flawed, &corrected].map(all_rest_levels_from_levels);
            let [usual_before, usual_after] =
                [&before, &after].map(|levels| usual_distance_db(levels, usual));
            all.add(window.song, usual_before, usual_after);
            let told = answered.is_some_and(|answered| answered.spoken);
            spoken.add(window.song, usual_before, if told { usual_after } else { usual_before });
            let [before, after] =
                [before, after].map(|levels| vocal_distance_db(levels[Stem::Vocals], vocals));
            of_vocals.add(window.song, before, after);
        }
    }
    Conventions {
        usual_levels: all.moves(resamples),
        usual_levels_of_spoken: spoken.moves(resamples),
        vocals: of_vocals.moves(resamples),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_from_a_genre_counts_on_its_wrong_side_only() {
        let distance = |level, convention| vocal_distance_db(level, convention);
        assert_eq!(distance(-2.0, None), 3.0);
        assert_eq!(distance(3.0, Some(VocalConvention::Above)), 0.0);
        assert_eq!(distance(-3.0, Some(VocalConvention::Above)), 3.0);
        assert_eq!(distance(-3.0, Some(VocalConvention::Below)), 0.0);
        assert_eq!(distance(3.0, Some(VocalConvention::Below)), 3.0);
        assert_eq!(distance(-1.5, Some(VocalConvention::At)), 1.5);
    }
}
