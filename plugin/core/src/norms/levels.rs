//! Stem-minus-rest levels, shares of power, and conversions between them.
//!
//! Stems are assumed to add in power. The stem-minus-rest levels of the targets determine the relative levels of all
//! stems, so they are the coordinates of a balance in norms, references and meter.

use crate::stem::{PerStem, PerTarget, Stem};

/// Stem-minus-rest level in dB of each target, in the order of [`Stem::TARGETS`].
pub type Balance = [f64; Stem::TARGET_COUNT];

/// A stem this far under the mix counts as absent; powers are not computed below it.
pub const FLOOR_DB: f64 = -120.0;

/// Level of each stem against the sum of the others, in dB, from any relative levels in dB.
pub fn all_rest_levels_from_levels(levels_db: &PerStem<f64>) -> PerStem<f64> {
    let loudest = levels_db.to_array().into_iter().fold(f64::NEG_INFINITY, f64::max);
    if !loudest.is_finite() {
        return PerStem::default();
    }
    let powers = levels_db.map(|level| decibels_to_power((level - loudest).max(FLOOR_DB)));
    PerStem::from_fn(|stem| {
        let rest: f64 = Stem::ALL.into_iter().filter(|other| *other != stem).map(|other| powers[other]).sum();
        power_to_decibels(powers[stem] / rest)
    })
}

/// Level of each target against the rest of the mix, in dB, from any relative levels in dB.
pub fn rest_levels_from_levels(levels_db: &PerStem<f64>) -> Balance {
    all_rest_levels_from_levels(levels_db).targets().into_array()
}

/// Share of the mix's power that each stem has, from the stem-minus-rest levels of the targets.
///
/// None where the targets need more than the whole: then nothing is left for [`Stem::Other`].
pub fn shares_from_rest_levels(rest_levels_db: Balance) -> Option<PerStem<f64>> {
    let targets = PerTarget::from_array(rest_levels_db.map(|level| 1.0 / (1.0 + decibels_to_power(-level))));
    let other = targets.values().iter().fold(1.0, |rest, share| rest - share);
    let shares = PerStem::from_fn(|stem| targets.get(stem).copied().unwrap_or(other));
    shares.to_array().into_iter().all(|share| share > 0.0 && share.is_finite()).then_some(shares)
}

/// Relative level of each stem in dB (0 dB is the whole mix), from the stem-minus-rest levels of the targets.
///
/// None where [`shares_from_rest_levels`] is.
pub fn levels_from_rest_levels(rest_levels_db: Balance) -> Option<PerStem<f64>> {
    shares_from_rest_levels(rest_levels_db).map(|shares| shares.map(|share| power_to_decibels(*share)))
}

/// Power ratio of a level in dB.
pub fn decibels_to_power(decibels: f64) -> f64 {
    (decibels * (std::f64::consts::LN_10 / 10.0)).exp()
}

/// Level in dB of a power ratio.
pub fn power_to_decibels(power: f64) -> f64 {
    10.0 * power.log10()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_rest_levels_are_inverse_to_each_other() {
        let levels = PerStem::from_array([-20.0, -18.0, -23.0, -19.0]);
        let rest = rest_levels_from_levels(&levels);
        let back = levels_from_rest_levels(rest).expect("a real mix is consistent");
        for stem in Stem::ALL {
            let expected = levels[stem] - levels.vocals;
            assert!((back[stem] - back.vocals - expected).abs() < 1e-9);
        }
    }

    #[test]
    fn equal_stems_are_each_a_third_of_the_rest() {
        let rest = rest_levels_from_levels(&PerStem::all(-30.0));
        for level in rest {
            assert!((level + 10.0 * 3.0_f64.log10()).abs() < 1e-9);
        }
    }

    #[test]
    fn three_stems_cannot_all_be_louder_than_the_rest() {
        assert!(shares_from_rest_levels([1.0, 1.0, 1.0]).is_none());
        assert!(levels_from_rest_levels([-6.0, -6.0, -6.0]).is_some());
    }

    #[test]
    fn silence_gives_finite_levels() {
        let rest = rest_levels_from_levels(&PerStem::all(f64::NEG_INFINITY));
        assert!(rest.into_iter().all(f64::is_finite));
        let absent = PerStem::all(-18.0).with(Stem::Vocals, f64::NEG_INFINITY);
        assert!(rest_levels_from_levels(&absent).into_iter().all(f64::is_finite));
    }
}
