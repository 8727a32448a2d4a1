//! A separator with level measurement and the norms: what a user might pick instead of the model.
//!
//! The separated stems' levels are measured, corrected by the mean error on the other songs of the run, and judged by the
//! same rule as those of the model's meter. A stem that the separator does not have is not judged by its level.

use super::figures::{PlannedWindow, answer_of_rule};
use super::judges::{NormsSource, RuleJudge, mean_balance};
use super::records::{WindowRecord, rounded};
use super::score::Judged;
use crate::oracle::density::UNKNOWN_SD_DB;
use crate::protocol::{Flaw, GatedWindow, Protocol};
use anyhow::{Context, Result};
use mixing_buddy_core::CancelFlag;
use mixing_buddy_core::audio::StereoPcm;
use mixing_buddy_core::norms::NormsSummary;
use mixing_buddy_core::norms::levels::{all_rest_levels_from_levels, decibels_to_power, power_to_decibels};
use mixing_buddy_core::separator::{Magnitudes, Separator, Workspace};
use mixing_buddy_core::stem::{PerStem, Stem};
use std::path::Path;

/// Levels in dB against the rest of the mix, of the stems that a separator has.
pub type SeparatedLevels = PerStem<Option<f64>>;

/// Measures a mix by separating it. Threads share it.
pub trait SeparatorMeter: Sync {
    /// Level of each separated stem.
    ///
    /// # Errors
    /// When the mix cannot be separated.
    fn separated_db(&self, mix: &StereoPcm) -> Result<SeparatedLevels>;
}

/// The built-in network for vocals.
pub struct VocalSeparator(Separator);

impl VocalSeparator {
    /// Reads the network, such as `assets/separator/vocals.safetensors`.
    ///
    /// # Errors
    /// When the file cannot be read or holds another network.
    pub fn open(path: &Path) -> Result<VocalSeparator> {
        let bytes = std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
        Ok(VocalSeparator(Separator::from_networks([(Stem::Vocals, bytes.as_slice())])?))
    }
}

/// Levels beyond this, in dB, are as good as absent or alone.
pub(super) const RANGE_DB: f64 = 40.0;

impl SeparatorMeter for VocalSeparator {
    fn separated_db(&self, mix: &StereoPcm) -> Result<SeparatedLevels> {
        let magnitudes = Magnitudes::new(mix)?;
        let shares = self.0.shares(&magnitudes, &mut Workspace::default(), &CancelFlag::new())?;
        let mut levels = SeparatedLevels::default();
        for share in &shares {
            let level = share.level_against_rest_db(&magnitudes).clamp(-RANGE_DB, RANGE_DB);
            levels[share.stem] = Some(rounded(level));
        }
        Ok(levels)
    }
}

/// The levels of each mix of a window.
pub(super) fn separated_levels(
    meter: &dyn SeparatorMeter,
    window: &GatedWindow<'_>,
    flaws: &[Flaw],
) -> Result<Vec<SeparatedLevels>> {
    flaws.iter().map(|flaw| meter.separated_db(&window.mix(*flaw))).collect()
}

/// Mean over windows of the levels of each mix, where all windows have one.
pub(super) fn mean_separated(windows: &[Vec<SeparatedLevels>]) -> Vec<SeparatedLevels> {
    let mean = |mix: usize, stem: Stem| {
        let levels: Option<Vec<f64>> = windows.iter().map(|window| window[mix][stem]).collect();
        levels.map(|levels| rounded(levels.iter().sum::<f64>() / levels.len() as f64))
    };
    (0..windows[0].len()).map(|mix| PerStem::from_fn(|stem| mean(mix, stem))).collect()
}

/// Relative levels of all stems in dB where some are known against the rest: the others share what is left as usual.
fn completed(known_db: &SeparatedLevels, norms: &NormsSummary) -> PerStem<f64> {
    let share = |rest_level_db: f64| 1.0 / (1.0 + decibels_to_power(-rest_level_db));
    let known = known_db.map(|level| level.map(share));
    let of_known: f64 = known.iter().filter_map(|(_, share)| *share).sum();
    let usual = PerStem::from_fn(|stem| share(norms.usual[stem].mean_db));
    let of_others: f64 =
        usual.iter().filter(|(stem, _)| known[*stem].is_none()).map(|(_, share)| share).sum();
    let left = (1.0 - of_known).max(1e-4);
    PerStem::from_fn(|stem| {
        power_to_decibels(known[stem].unwrap_or(left * usual[stem] / of_others.max(1e-9)).max(1e-9))
    })
}

/// Mean and standard deviation per stem of a separator's errors.
type Errors = PerStem<Option<(f64, f64)>>;

fn errors_of<'a>(windows: impl Iterator<Item = &'a PlannedWindow<'a>> + Clone) -> Errors {
    PerStem::from_fn(|stem| {
        let mut errors = Vec::new();
        for window in windows.clone() {
            for (flaw, levels) in window.flaws.iter().zip(window.record.separated_db.iter().flatten()) {
                let truth = all_rest_levels_from_levels(&window.record.flawed_dbfs(*flaw))[stem];
                errors.extend(levels[stem].map(|level| level - truth));
            }
        }
        let count = errors.len() as f64;
        let mean = errors.iter().sum::<f64>() / count;
        let variance = errors.iter().map(|error| (error - mean).powi(2)).sum::<f64>() / count;
        (!errors.is_empty()).then(|| (mean, variance.sqrt()))
    })
}

/// The answers of the separator with the norms; none without its levels, or with a single song.
pub(super) fn separator(
    windows: &[PlannedWindow<'_>],
    songs: usize,
    protocol: Protocol,
    norms: &NormsSource,
) -> Option<Vec<Judged>> {
    windows.first()?.record.separated_db.as_ref()?;
    let mut judged = Vec::new();
    for song in 0..songs {
        let errors = errors_of(windows.iter().filter(move |window| window.song != song));
        errors.iter().find_map(|(_, error)| *error)?;
        let sd_db = Stem::TARGETS.map(|stem| errors[stem].map_or(UNKNOWN_SD_DB, |(_, sd)| sd));
        let rule = RuleJudge::new(protocol, norms, sd_db);
        let corrected = |levels: &SeparatedLevels| {
            let known = PerStem::from_fn(|stem| Some(levels[stem]? - errors[stem]?.0));
            completed(&known, norms.usual())
        };
        for window in windows.iter().filter(|window| window.song == song) {
            let balance = |record: &&WindowRecord| {
                let unflawed = record.separated_db.iter().flatten().next()?;
                Some(all_rest_levels_from_levels(&corrected(unflawed)))
            };
            let reference = (protocol == Protocol::Reference)
                .then(|| mean_balance(&window.others.iter().filter_map(balance).collect::<Vec<_>>()))
                .flatten()
                .map(|levels| levels.targets().into_array());
            let mixes = window.record.separated_db.iter().flatten();
            let rules: Vec<_> = mixes.map(|levels| rule.judge(&corrected(levels), reference)).collect();
            judged.extend(
                window.judged(|_, sample| answer_of_rule(rules[sample.mix].posterior(sample.anchor))),
            );
        }
    }
    Some(judged)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_levels_stay_and_the_others_share_the_rest_as_usual() {
        let norms = NormsSummary::shipped();
        let known = SeparatedLevels::default().with(Stem::Vocals, Some(-2.0));
        let levels = completed(&known, norms);
        assert!((all_rest_levels_from_levels(&levels)[Stem::Vocals] + 2.0).abs() < 1e-9);
        let usual = norms.usual[Stem::Drums].mean_db > norms.usual[Stem::Bass].mean_db;
        assert_eq!(levels[Stem::Drums] > levels[Stem::Bass], usual);
    }
}
