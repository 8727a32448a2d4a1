//! Simulated meter readings: balances drawn from the norms, flawed, and read with a meter's errors.
//!
//! The target is what one who knows the true levels would believe (the norms' kernel density and the protocol's
//! priors); the input is what the meter says. The average over many readings then teaches what to believe of a meter
//! that errs, and no song is needed for it.

use super::advice::{AdviceExample, QuestionMix, allowed_stems, draw_sample};
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

/// The simulated meter and songs.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SimulationSettings {
    /// Typical standard deviation of the meter's error in dB, in the order of [`Stem::ALL`].
    pub meter_sd_db: [f32; Stem::COUNT],
    /// Spread of that, as the standard deviation of its natural logarithm.
    pub meter_sd_spread: f32,
    /// Share of the error's variance that all windows of a song have in common.
    pub song_share: f32,
    /// Standard deviation of a window around its song's mean in dB.
    pub window_sd_db: f64,
    /// Chance that one of the stems is absent.
    pub absent: f64,
    /// Share of mixes that are balanced. The protocol has 0.2; more makes a model that is slower to find fault.
    pub balanced: f64,
    /// The same where the question comes with a reference; `balanced` where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balanced_with_reference: Option<f64>,
    /// Width of the summaries, which are zero here.
    pub summary: usize,
}

impl Default for SimulationSettings {
    fn default() -> Self {
        SimulationSettings {
            meter_sd_db: [2.0; Stem::COUNT],
            meter_sd_spread: 0.5,
            song_share: 0.5,
            window_sd_db: 1.5,
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

/// The categories in which something is wrong.
const FLAWS: [Category; 4] = [Category::VeryQuiet, Category::Quiet, Category::Loud, Category::VeryLoud];

/// Draws simulated examples.
pub struct Simulator<'a> {
    settings: &'a SimulationSettings,
    questions: &'a QuestionMix,
    norms: &'a NormsSummary,
    rule: Rule,
    sampler: &'a TextSampler,
}

/// A balance, flawed, and what perfect ears would believe.
pub struct Flawed {
    /// True relative levels of the four stems in dB, flaw included.
    pub levels_db: PerStem<f64>,
    /// True levels of the stems in the song's unflawed mean balance (or in the window's own without a reference).
    pub song_db: PerStem<f64>,
    /// Stems that are there.
    pub present: PerStem<bool>,
    /// A stem that is named as right.
    pub anchor: Option<Stem>,
    /// What is asked.
    pub intent: Intent,
    /// Whether a reference is given.
    pub has_reference: bool,
    /// What was injected: stem and direction.
    pub injected: Option<(Stem, Direction)>,
    /// What one who knows the levels would believe.
    pub posterior: crate::oracle::Posterior,
}

impl<'a> Simulator<'a> {
    /// Prepares the norms' density.
    pub fn new(
        settings: &'a SimulationSettings,
        questions: &'a QuestionMix,
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

    /// Draws a balance and a flaw. With `absent`, that stem is not there.
    pub fn flawed(&self, absent: Option<Stem>, rng: &mut SmallRng) -> Flawed {
        let has_reference = rng.random_bool(self.questions.reference);
        let (song, window) = loop {
            let song = self.norms.sample_window(KERNEL_BANDWIDTH_DB, &mut || rng.random());
            let spread = if has_reference { self.settings.window_sd_db } else { 0.0 };
            let window: Balance =
                song.map(|level| level + spread * Distribution::<f64>::sample(&StandardNormal, rng));
            if let (Some(song), Some(window)) =
                (levels_from_rest_levels(song), levels_from_rest_levels(window))
            {
                break (song, window);
            }
        };
        let present = PerStem::from_fn(|stem| absent != Some(stem));
        let hide = |levels: PerStem<f64>| PerStem::from_fn(|s| if present[s] { levels[s] } else { -90.0 });
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
        let posterior = self.believe(&levels_db, has_reference.then_some(&song), &present, allowed);
        Flawed { levels_db, song_db: song, present, anchor, intent, has_reference, injected, posterior }
    }

    /// What one who knows the true levels would believe, by the norms or by the song's own balance.
    pub fn believe(
        &self,
        levels_db: &PerStem<f64>,
        song_db: Option<&PerStem<f64>>,
        present: &PerStem<bool>,
        allowed: AllowedStems,
    ) -> Posterior {
        let posterior = if let Some(song) = song_db {
            let mean = all_rest_levels_from_levels(song);
            let sd = |stem: Stem| if present[stem] { self.settings.window_sd_db } else { UNKNOWN_SD_DB };
            let density = BalanceDensity::reference(mean.targets().into_array(), Stem::TARGETS.map(sd));
            Rule::new(density).posterior(levels_db, allowed)
        } else if Stem::TARGETS.into_iter().any(|stem| !present[stem]) {
            let sd = Stem::TARGETS.map(|stem| if present[stem] { 0.0 } else { UNKNOWN_SD_DB });
            Rule::new(BalanceDensity::of_norms(self.norms, sd)).posterior(levels_db, allowed)
        } else {
            self.rule.posterior(levels_db, allowed)
        };
        posterior.with_balanced_prior(self.settings.balanced(song_db.is_some()))
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
        let windows: f32 = rng.random_range(1.0..8.0);
        let mut reading = Reading::default();
        let mut reference = ReferenceBalance::default();
        for stem in Stem::ALL {
            let sd =
                self.settings.meter_sd_db[stem.index()] * (self.settings.meter_sd_spread * normal(rng)).exp();
            let common = self.settings.song_share.sqrt() * sd * normal(rng);
            let own = (1.0 - self.settings.song_share).sqrt() * sd;
            let present = flawed.present[stem];
            reading[stem] = StemReading {
                level_db: if present {
                    truth[stem] as f32 + common + own * normal(rng)
                } else {
                    rng.random_range(-45.0..-18.0)
                },
                // A normal error's mean size is 0.8 of its standard deviation; the head's guess of it errs too.
                error_db: 0.8 * sd * (0.25 * normal(rng)).exp(),
                presence: if present { rng.random_range(0.7f32..1.0) } else { rng.random_range(0.0..0.4) },
                summary: vec![0.0; self.settings.summary],
            };
            let measured = song[stem] as f32 + common + own / windows.sqrt() * normal(rng);
            reference.level_db[stem] = present.then_some(measured);
        }
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
