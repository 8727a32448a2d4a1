//! Simulated readings: balances drawn from the norms, flawed, and measured by a meter with errors.
//!
//! The target is the oracle's posterior (from the norms' kernel density and the protocol's priors); the input is the
//! meter's reading. Over many readings the model learns how far to trust a meter with errors, and no song is needed.

use super::advice::{AdviceExample, QuestionShares, allowed_stems, draw_sample};
use crate::oracle::density::UNKNOWN_SD_DB;
use crate::oracle::{AllowedStems, BalanceDensity, Posterior, Rule};
use crate::protocol::Category;
use crate::text::TextSampler;
use anyhow::Result;
use mixing_buddy_core::decoder::ReferenceBalance;
use mixing_buddy_core::encoder::{Reading, StemReading};
use mixing_buddy_core::language::Intent;
use mixing_buddy_core::norms::levels::all_rest_levels_from_levels;
use mixing_buddy_core::norms::{
    Balance, NormsSummary, levels_from_rest_levels, summary::KERNEL_BANDWIDTH_DB,
};
use mixing_buddy_core::{Direction, PerStem, Stem};
use rand::Rng;
use rand::rngs::SmallRng;
use rand_distr::{Distribution, StandardNormal};
use std::ops::Range;

/// The simulated meter and songs.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SimulationSettings {
    /// Typical standard deviation of the meter's error in dB, in the order of [`Stem::ALL`].
    pub meter_sd_db: [f32; Stem::COUNT],
    /// Spread of that standard deviation from stem to stem, as the standard deviation of its natural logarithm.
    pub meter_sd_spread: f32,
    /// The same from example to example, for all stems at once: there are good meters and bad ones.
    pub meter_spread: f32,
    /// Share of the examples whose meter makes next to no error.
    pub exact: f64,
    /// Share of the error's variance that all windows of a song have in common.
    pub song_share: f32,
    /// Typical standard deviation of a window around its song's mean in dB.
    pub window_sd_db: f64,
    /// Spread of that from song to song, as the standard deviation of its natural logarithm.
    pub window_sd_spread: f64,
    /// Chance that one of the stems is absent.
    pub absent: f64,
    /// Share of mixes that are balanced. The protocol has 0.2; with more, the model names an error less often.
    pub balanced: f64,
    /// The same for questions with a reference; `balanced` if not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balanced_with_reference: Option<f64>,
    /// Width of the summaries, which are all zero here.
    pub summary: usize,
}

impl Default for SimulationSettings {
    fn default() -> Self {
        SimulationSettings {
            meter_sd_db: [2.0; Stem::COUNT],
            meter_sd_spread: 0.5,
            meter_spread: 0.5,
            exact: 0.1,
            song_share: 0.5,
            window_sd_db: 1.5,
            window_sd_spread: 0.6,
            absent: 0.08,
            balanced: 0.2,
            balanced_with_reference: None,
            summary: 32,
        }
    }
}

impl SimulationSettings {
    fn balanced(&self, has_reference: bool) -> f64 {
        self.balanced_with_reference.filter(|_| has_reference).unwrap_or(self.balanced)
    }
}

/// The categories with an error.
const FLAWS: [Category; 4] = [Category::VeryQuiet, Category::Quiet, Category::Loud, Category::VeryLoud];

/// Level of an absent stem in dB, far below every other.
const ABSENT_DB: f64 = -90.0;
/// Readings of an absent stem in dB against the rest, and its presence: what trained encoders give, roughly.
const ABSENT_READING_DB: Range<f32> = -45.0..-18.0;
const ABSENT_PRESENCE: Range<f32> = 0.0..0.4;
/// Presence of a stem that is present.
const PRESENT_PRESENCE: Range<f32> = 0.7..1.0;
/// Mean size of a normal error as a share of its standard deviation, sqrt(2 / pi) rounded.
const MEAN_ERROR_SHARE: f32 = 0.8;
/// Spread of the encoder's own estimate of its error, as the standard deviation of its natural logarithm. Chosen, not
/// tuned.
const ERROR_ESTIMATE_SPREAD: f32 = 0.25;
/// Most windows that a reference is measured over: the plugin takes as many of a file. The number is drawn evenly on a
/// logarithmic scale.
const MOST_REFERENCE_WINDOWS: f64 = 24.0;
/// Error of a meter that makes next to none, as a share of the typical one.
const EXACT_SHARE: f32 = 0.05;
/// Bounds of a song's standard deviation from window to window in dB. Chosen, not tuned.
const WINDOW_SD_RANGE_DB: (f64, f64) = (0.3, 6.0);

/// Draws simulated examples.
pub struct Simulator<'a> {
    settings: &'a SimulationSettings,
    questions: &'a QuestionShares,
    norms: &'a NormsSummary,
    rule: Rule,
    sampler: &'a TextSampler,
}

/// What a window is held against: the song's own balance.
#[derive(Clone, Copy, Debug)]
pub struct Aim {
    /// True mean levels of the stems in dB.
    pub song_db: PerStem<f64>,
    /// Standard deviation of the song's windows around them in dB.
    pub window_sd_db: f64,
}

/// A flawed balance, and the oracle's posterior.
pub struct Flawed {
    /// True relative levels of the four stems in dB, flaw included.
    pub levels_db: PerStem<f64>,
    /// True levels of the stems in the song's unflawed mean balance (or in the window's own without a reference).
    pub song_db: PerStem<f64>,
    /// Stems that are present.
    pub present: PerStem<bool>,
    /// A stem that is named as right.
    pub anchor: Option<Stem>,
    /// What is asked.
    pub intent: Intent,
    /// Whether a reference is given.
    pub has_reference: bool,
    /// Standard deviation of the song's windows around its mean in dB.
    pub window_sd_db: f64,
    /// The injected error: stem and direction; none in a balanced mix.
    pub injected: Option<(Stem, Direction)>,
    /// The oracle's probability of every outcome.
    pub posterior: Posterior,
}

impl<'a> Simulator<'a> {
    /// Prepares the norms' density.
    pub fn new(
        settings: &'a SimulationSettings,
        questions: &'a QuestionShares,
        norms: &'a NormsSummary,
        sampler: &'a TextSampler,
    ) -> Self {
        Simulator {
            settings,
            questions,
            norms,
            rule: Rule::new(BalanceDensity::of_norms(norms, [0.0; Stem::TARGET_COUNT])),
            sampler,
        }
    }

    /// Draws a balance and a flaw. The stem `absent`, if given, is not present.
    pub fn flawed(&self, absent: Option<Stem>, rng: &mut SmallRng) -> Flawed {
        let has_reference = rng.random_bool(self.questions.reference);
        let window_sd_db = self.draw_window_sd_db(rng);
        let (song, window) = loop {
            let song = self.norms.sample_window(KERNEL_BANDWIDTH_DB, &mut || rng.random());
            let spread = if has_reference { window_sd_db } else { 0.0 };
            let window: Balance =
                song.map(|level| level + spread * Distribution::<f64>::sample(&StandardNormal, rng));
            if let (Some(song), Some(window)) =
                (levels_from_rest_levels(song), levels_from_rest_levels(window))
            {
                break (song, window);
            }
        };
        let present = PerStem::from_fn(|stem| absent != Some(stem));
        let hide =
            |levels: PerStem<f64>| PerStem::from_fn(|s| if present[s] { levels[s] } else { ABSENT_DB });
        let (song, window) = (hide(song), hide(window));
        let intent = self.questions.intent(has_reference, &present, rng);
        let anchor = rng
            .random_bool(self.questions.anchor)
            .then(|| Stem::TARGETS[rng.random_range(0..Stem::TARGET_COUNT)]);
        let anchor = anchor.filter(|stem| present[*stem] && intent.asked_stem() != Some(*stem));
        let allowed = allowed_stems(intent, anchor, &present);
        let targets: Vec<Stem> = Stem::TARGETS.into_iter().filter(|stem| allowed.contains(*stem)).collect();
        let mut levels_db = window;
        let mut injected = None;
        if !targets.is_empty()
            && !rng.random_bool(self.settings.balanced(has_reference))
            && let Some((low, high)) = FLAWS[rng.random_range(0..FLAWS.len())].gain_range_db()
        {
            let target = targets[rng.random_range(0..targets.len())];
            let gain_db = rng.random_range(low.min(high)..low.max(high));
            levels_db[target] += gain_db;
            injected = Some((target, if gain_db < 0.0 { Direction::Quiet } else { Direction::Loud }));
        }
        let aim = has_reference.then_some(Aim { song_db: song, window_sd_db });
        let posterior = self.believe(&levels_db, aim.as_ref(), &present, allowed);
        Flawed {
            levels_db,
            song_db: song,
            present,
            anchor,
            intent,
            has_reference,
            window_sd_db,
            injected,
            posterior,
        }
    }

    fn draw_window_sd_db(&self, rng: &mut SmallRng) -> f64 {
        let normal: f64 = StandardNormal.sample(rng);
        let (low, high) = WINDOW_SD_RANGE_DB;
        (self.settings.window_sd_db * (self.settings.window_sd_spread * normal).exp()).clamp(low, high)
    }

    /// The oracle's posterior, by the norms or, with `aim`, by the song's own balance.
    pub fn believe(
        &self,
        levels_db: &PerStem<f64>,
        aim: Option<&Aim>,
        present: &PerStem<bool>,
        allowed: AllowedStems,
    ) -> Posterior {
        let posterior = if let Some(Aim { song_db, window_sd_db }) = aim {
            let mean = all_rest_levels_from_levels(song_db);
            let sd = |stem: Stem| if present[stem] { *window_sd_db } else { UNKNOWN_SD_DB };
            let density = BalanceDensity::reference(mean.targets().into_array(), Stem::TARGETS.map(sd));
            Rule::new(density).posterior(levels_db, allowed)
        } else if Stem::TARGETS.into_iter().any(|stem| !present[stem]) {
            let sd = Stem::TARGETS.map(|stem| if present[stem] { 0.0 } else { UNKNOWN_SD_DB });
            Rule::new(BalanceDensity::of_norms(self.norms, sd)).posterior(levels_db, allowed)
        } else {
            self.rule.posterior(levels_db, allowed)
        };
        posterior.with_balanced_prior(self.settings.balanced(aim.is_some()))
    }

    /// Draws an example with a simulated reading.
    ///
    /// # Errors
    /// When the text cannot be drawn.
    pub fn example(&self, rng: &mut SmallRng) -> Result<AdviceExample> {
        let absent =
            rng.random_bool(self.settings.absent).then(|| Stem::ALL[rng.random_range(0..Stem::COUNT)]);
        let flawed = self.flawed(absent, rng);
        let normal = |rng: &mut SmallRng| -> f32 { StandardNormal.sample(rng) };
        let truth = all_rest_levels_from_levels(&flawed.levels_db);
        let song = all_rest_levels_from_levels(&flawed.song_db);
        let windows = MOST_REFERENCE_WINDOWS.powf(rng.random::<f64>()).round() as usize;
        let mut readings: Vec<Reading> = vec![Reading::default(); windows];
        let mut reading = Reading::default();
        let meter = if rng.random_bool(self.settings.exact) {
            EXACT_SHARE
        } else {
            (self.settings.meter_spread * normal(rng)).exp()
        };
        for stem in Stem::ALL {
            let typical = self.settings.meter_sd_db[stem.index()] * meter;
            let sd = typical * (self.settings.meter_sd_spread * normal(rng)).exp();
            let common = self.settings.song_share.sqrt() * sd * normal(rng);
            let own = (1.0 - self.settings.song_share).sqrt() * sd;
            let present = flawed.present[stem];
            reading[stem] = StemReading {
                level_db: if present {
                    truth[stem] as f32 + common + own * normal(rng)
                } else {
                    rng.random_range(ABSENT_READING_DB)
                },
                error_db: MEAN_ERROR_SHARE * sd * (ERROR_ESTIMATE_SPREAD * normal(rng)).exp(),
                presence: rng.random_range(if present { PRESENT_PRESENCE } else { ABSENT_PRESENCE }),
                summary: vec![0.0; self.settings.summary],
            };
            for other in &mut readings {
                let true_db = song[stem] as f32 + flawed.window_sd_db as f32 * normal(rng);
                other[stem].level_db = true_db + common + own * normal(rng);
                other[stem].presence = f32::from(u8::from(present));
            }
        }
        let reference = ReferenceBalance::of_windows(readings.iter());
        let sample = draw_sample(
            self.sampler,
            flawed.intent,
            flawed.present,
            flawed.anchor,
            flawed.has_reference,
            &flawed.posterior,
            rng,
        )?;
        Ok(AdviceExample {
            reading,
            reference: flawed.has_reference.then_some(reference),
            sample,
            posterior: flawed.posterior,
        })
    }
}
