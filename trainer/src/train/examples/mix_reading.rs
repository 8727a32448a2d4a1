//! Flawed mixes of real songs as an encoder reads them.
//!
//! Tuning, calibration and ablations differ in how they choose windows; all of them mix, flaw and read the windows here.

use super::simulate::{Aim, Flawed};
use crate::mixing::batch::read_example;
use crate::mixing::mixer::{Example, Mixer};
use anyhow::Result;
use mixing_buddy_core::decoder::ReferenceBalance;
use mixing_buddy_core::encoder::{Encoder, Reading};
use mixing_buddy_core::features::FeatureSettings;
use mixing_buddy_core::norms::Balance;
use mixing_buddy_core::norms::levels::{levels_from_rest_levels, rest_levels_from_levels};
use mixing_buddy_core::{Direction, PerStem, Stem};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use rand_distr::{Distribution, StandardNormal};

/// Most windows that a reference is measured over; an engineer pins as many in the plugin.
pub const MAX_REFERENCE_WINDOWS: usize = 3;

/// A window to mix, and the windows of its song that a reference is measured over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChosenWindow {
    /// Number of the song in the cache.
    pub song: usize,
    /// Number of the window in the song.
    pub window: usize,
    /// Other windows of the song.
    pub others: Vec<usize>,
}

/// A flawed mix as an encoder reads it, and the truth about it.
pub struct MixReading {
    /// Number of the song in the cache.
    pub song: usize,
    /// The encoder's reading.
    pub reading: Reading,
    /// The true levels, flaw included.
    pub truth: TrueLevels,
    /// The flaw; none in a balanced mix.
    pub error: Option<(Stem, Direction)>,
    /// A stem that is named as right.
    pub anchor: Option<Stem>,
    /// The balance to aim at, if one is given.
    pub reference: Option<MeasuredReference>,
    /// Stems that are present.
    pub present: PerStem<bool>,
}

/// True levels of the stems of a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrueLevels {
    /// Power of each stem in dB, up to a constant that all stems of the window share.
    pub power_db: PerStem<f64>,
    /// Level of each stem against the rest in dB; `ABSENT_REST_DB` if the stem is absent.
    pub rest_db: PerStem<f64>,
}

/// A reference balance, measured over other windows of the song.
#[derive(Clone, Copy, Debug)]
pub struct MeasuredReference {
    /// As the encoder reads it.
    pub balance: ReferenceBalance,
    /// The song's own balance, which the windows vary around.
    pub aim: Aim,
}

/// True level of an absent stem against the rest in dB: below every level that is measured.
const ABSENT_REST_DB: f64 = -60.0;

impl TrueLevels {
    fn of(example: &Example) -> Self {
        let rest_db = example.rest_levels_db();
        TrueLevels {
            power_db: PerStem::from_fn(|stem: Stem| {
                let power: f64 = example.parts[stem.index()].iter().map(|p| f64::from(*p)).sum();
                10.0 * power.max(1e-12).log10()
            }),
            rest_db: PerStem::from_fn(|stem: Stem| rest_db[stem.index()].map_or(ABSENT_REST_DB, f64::from)),
        }
    }
}

/// Mixes windows and reads them with an encoder.
#[derive(Clone, Copy)]
pub struct WindowReader<'a> {
    /// The encoder.
    pub encoder: &'a Encoder,
    /// The features that it takes as input.
    pub features: &'a FeatureSettings,
    /// The songs.
    pub mixer: &'a Mixer<'a>,
}

impl WindowReader<'_> {
    /// Mixes the chosen window at the levels of `flawed` and reads it; with a reference, the other windows too, at levels
    /// that vary around the song's own balance. `colours` draws equalizers, stereo width and bus processing, the same for all
    /// windows of a song, since one song is mixed in one session; without it, mixes are uncoloured.
    ///
    /// # Errors
    /// As tensor operations.
    pub fn read_flawed(
        &self,
        chosen: &ChosenWindow,
        flawed: &Flawed,
        colours: Option<&SmallRng>,
        rng: &mut SmallRng,
    ) -> Result<MixReading> {
        let mut vary = SmallRng::seed_from_u64(rng.random());
        let mut read = |window: usize, levels_db: &PerStem<f64>| -> Result<(Reading, TrueLevels)> {
            let mut plan = self.mixer.levelled(chosen.song, window, levels_db);
            if let Some(colours) = colours {
                self.mixer.colour(&mut plan, &mut colours.clone());
            }
            let example = self.mixer.mix(&plan, rng);
            Ok((read_example(self.encoder, self.features, &example)?, TrueLevels::of(&example)))
        };
        let (reading, truth) = read(chosen.window, &flawed.levels_db)?;
        let reference = if flawed.has_reference {
            let others = chosen.others.iter().map(|other| {
                let levels_db = around(&flawed.song_db, flawed.window_sd_db, &mut vary);
                let (reading, truth) = read(*other, &levels_db)?;
                // The song's balance as it came out of equalizers and bus: without the window's own deviation.
                let song_db =
                    PerStem::from_fn(|s: Stem| truth.power_db[s] - levels_db[s] + flawed.song_db[s]);
                Ok((reading, song_db))
            });
            let others = others.collect::<Result<Vec<_>>>()?;
            let count = others.len() as f64;
            let song_db = PerStem::from_fn(|s: Stem| others.iter().map(|(_, db)| db[s]).sum::<f64>() / count);
            Some(MeasuredReference {
                balance: ReferenceBalance::of_windows(others.iter().map(|(reading, _)| reading)),
                aim: Aim { song_db, window_sd_db: flawed.window_sd_db },
            })
        } else {
            None
        };
        Ok(MixReading {
            song: chosen.song,
            reading,
            truth,
            error: flawed.injected,
            anchor: flawed.anchor,
            reference,
            present: flawed.present,
        })
    }
}

/// Tries at a balance that can be had; where none can, the song's own is taken.
const BALANCE_TRIES: usize = 20;

/// Levels that vary around a song's: each target's level against the rest by a normal deviation.
fn around(song_db: &PerStem<f64>, sd_db: f64, rng: &mut SmallRng) -> PerStem<f64> {
    let rest: Balance = rest_levels_from_levels(song_db);
    for _ in 0..BALANCE_TRIES {
        let varied = rest.map(|level| level + sd_db * Distribution::<f64>::sample(&StandardNormal, rng));
        if let Some(levels) = levels_from_rest_levels(varied) {
            return levels;
        }
    }
    *song_db
}
