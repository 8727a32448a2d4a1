//! How levels move when one fader does.

use crate::norms::levels::{decibels_to_power, power_to_decibels};
use crate::stem::{PerStem, Stem};

/// How far the level of each stem against the rest moves in dB when the fader of `moved` is moved by `gain_db`.
///
/// `level_db` are the levels before, of the stems that are present; stems are assumed to add in power. That of `moved`
/// moves by the gain itself, since its rest stays. The others move the other way: little where `moved` is a small part of
/// their rest.
pub fn shift_db(level_db: &PerStem<Option<f64>>, moved: Stem, gain_db: f64) -> PerStem<Option<f64>> {
    let shares = level_db.map(|level| level.map_or(0.0, |level| 1.0 / (1.0 + decibels_to_power(-level))));
    let total: f64 = shares.iter().map(|(_, share)| share).sum();
    let gain = decibels_to_power(gain_db);
    PerStem::from_fn(|stem| {
        level_db[stem]?;
        if stem == moved {
            return Some(gain_db);
        }
        // Measured shares need not sum to one: what is missing or too much is taken off evenly.
        let (own, source) = (shares[stem] / total, shares[moved] / total);
        let rest = (1.0 - own).max(1e-9);
        Some(-power_to_decibels((rest - source + source * gain).max(1e-9) / rest))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::norms::levels::all_rest_levels_from_levels;

    #[test]
    fn agrees_with_levels_that_are_computed_from_the_stems() {
        let stems = PerStem::from_array([-14.0, -12.0, -17.0, -11.0]);
        let before = all_rest_levels_from_levels(&stems);
        for moved in Stem::ALL {
            for gain_db in [-12.0, -3.0, 0.0, 6.0] {
                let after = all_rest_levels_from_levels(&stems.with(moved, stems[moved] + gain_db));
                let shift = shift_db(&before.map(|level| Some(*level)), moved, gain_db);
                for stem in Stem::ALL {
                    let expected = after[stem] - before[stem];
                    assert!((shift[stem].unwrap() - expected).abs() < 1e-9, "{moved} {gain_db} {stem}");
                }
            }
        }
    }

    #[test]
    fn a_stem_that_is_absent_does_not_move() {
        let levels = PerStem::all(Some(-5.0)).with(Stem::Bass, None);
        assert_eq!(shift_db(&levels, Stem::Vocals, 3.0).bass, None);
    }
}
