//! Two language models behind the same ears, on the same samples: decisions only, a seeded part of each window's samples.
//!
//! A whole evaluation of the large model would take days on a CPU. This one analyzes a mix once, and asks both.

use super::advisor::{Advisor, Question};
use super::bootstrap::{Figure, SongResamples, SongTally};
use super::engine::EngineAdvisor;
use crate::protocol::{Protocol, Sample, gated_windows, plan_window};
use anyhow::{Context, Result, ensure};
use mixing_buddy_core::decoder::ReferenceBalance;
use mixing_buddy_core::hash::mix_bits;
use mixing_buddy_core::{Analysis, Direction, Stem};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use std::fmt;

/// What both are asked.
#[derive(Clone, Copy, Debug)]
pub struct SizesSettings {
    /// Which question is asked.
    pub protocol: Protocol,
    /// Seed of gains, samples and bootstrap.
    pub seed: u64,
    /// Samples of each window.
    pub samples: usize,
    /// Resamples of the bootstrap.
    pub resamples: usize,
}

/// Right answers of both, as shares of the samples: stem and direction (joint), or "no error" where nothing is off.
#[derive(Clone, Debug, Serialize)]
pub struct Sizes {
    /// Names of the two.
    pub names: [String; 2],
    /// Songs, windows and samples.
    pub counts: [usize; 3],
    /// Joint accuracy.
    pub joint: [Figure; 2],
    /// Second minus first, with a paired interval over songs.
    pub difference: Figure,
    /// Share of balanced mixes that are left alone.
    pub balanced: [Figure; 2],
    /// Share of the samples in which the two decide alike.
    pub alike: Figure,
}

/// The outcome that is decided: stem and direction, none where nothing is off.
type Outcome = Option<(Stem, Direction)>;

/// Counts of the songs so far.
pub struct SizesCount<'a> {
    engines: [&'a EngineAdvisor; 2],
    settings: SizesSettings,
    counts: [usize; 3],
    joint: [Vec<(f64, f64)>; 2],
    balanced: [Vec<(f64, f64)>; 2],
    alike: Vec<(f64, f64)>,
}

impl<'a> SizesCount<'a> {
    /// Compares two engines with the same ears; those of the first are used.
    pub fn new(engines: [&'a EngineAdvisor; 2], settings: SizesSettings) -> Self {
        let counts = [0; 3];
        SizesCount {
            engines,
            settings,
            counts,
            joint: Default::default(),
            balanced: Default::default(),
            alike: Vec::new(),
        }
    }

    /// Adds a song; false where the protocol leaves it out.
    ///
    /// # Errors
    /// When a model fails.
    pub fn add(&mut self, song: &crate::protocol::SongAudio, done: &mut dyn FnMut()) -> Result<bool> {
        let windows = gated_windows(song);
        if windows.len() < self.settings.protocol.fewest_windows() {
            return Ok(false);
        }
        let ears = self.engines[0];
        let with_reference = self.settings.protocol == Protocol::Reference;
        let unflawed: Vec<Analysis> = match with_reference {
            true => windows
                .iter()
                .map(|window| ears.analyze(&window.mix(crate::protocol::Flaw::NONE)))
                .collect::<Result<_>>()?,
            false => Vec::new(),
        };
        let (mut joint, mut balanced, mut alike) = ([(0.0, 0.0); 2], [(0.0, 0.0); 2], (0.0, 0.0));
        for (at, window) in windows.iter().enumerate() {
            let (flaws, samples) =
                plan_window(self.settings.protocol, self.settings.seed, &song.name, window.index);
            let reference = with_reference.then(|| {
                let others = unflawed.iter().enumerate().filter(|(other, _)| *other != at);
                ears.reference_of(&others.map(|(_, analysis)| analysis).collect::<Vec<_>>())
            });
            let mut known: Vec<Option<Analysis>> = vec![None; flaws.len()];
            for sample in chosen(samples, self.settings) {
                let analysis = match &mut known[sample.mix] {
                    Some(analysis) => analysis,
                    place => place.insert(ears.analyze(&window.mix(flaws[sample.mix]))?),
                };
                let truth = sample.truth();
                let mut decided: [Outcome; 2] = [None; 2];
                for (engine, decided) in self.engines.iter().zip(&mut decided) {
                    *decided = decide(engine, analysis, sample.anchor, reference.as_ref())?;
                }
                for (n, decided) in decided.iter().enumerate() {
                    let right = f64::from(u8::from(*decided == truth));
                    joint[n] = (joint[n].0 + right, joint[n].1 + 1.0);
                    if truth.is_none() {
                        balanced[n] = (balanced[n].0 + right, balanced[n].1 + 1.0);
                    }
                }
                alike = (alike.0 + f64::from(u8::from(decided[0] == decided[1])), alike.1 + 1.0);
                self.counts[2] += 1;
            }
            self.counts[1] += 1;
            done();
        }
        self.counts[0] += 1;
        for n in 0..2 {
            self.joint[n].push(joint[n]);
            self.balanced[n].push(balanced[n]);
        }
        self.alike.push(alike);
        Ok(true)
    }

    /// The figures.
    ///
    /// # Errors
    /// When no song was counted.
    pub fn finish(self) -> Result<Sizes> {
        let songs = self.counts[0];
        ensure!(songs > 0, "none of the songs has windows that the protocol asks about");
        let resamples = SongResamples::new(songs, self.settings.resamples, self.settings.seed);
        let figure = |parts: &[(f64, f64)]| {
            let mut tally = SongTally::new(songs);
            parts.iter().enumerate().for_each(|(song, (part, whole))| tally.add(song, *part, *whole));
            tally.figure(&resamples)
        };
        let differences: Vec<(f64, f64)> =
            self.joint[0].iter().zip(&self.joint[1]).map(|(a, b)| (b.0 - a.0, a.1)).collect();
        Ok(Sizes {
            names: self.engines.map(|engine| engine.name()),
            counts: self.counts,
            joint: [figure(&self.joint[0]), figure(&self.joint[1])],
            difference: figure(&differences),
            balanced: [figure(&self.balanced[0]), figure(&self.balanced[1])],
            alike: figure(&self.alike),
        })
    }
}

/// A seeded part of a window's samples.
fn chosen(mut samples: Vec<Sample>, settings: SizesSettings) -> Vec<Sample> {
    let Some(first) = samples.first() else { return samples };
    let seed = mix_bits(settings.seed ^ mix_bits(first.window as u64 + 1) ^ first.song.len() as u64);
    samples.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    samples.truncate(settings.samples);
    samples
}

fn decide(
    engine: &EngineAdvisor,
    analysis: &Analysis,
    anchor: Option<Stem>,
    reference: Option<&Option<ReferenceBalance>>,
) -> Result<Outcome> {
    let best = engine.answer(analysis, Question { anchor, reference })?.best;
    let best = best.context("the answer cannot be read")?;
    Ok(best.stem.zip(best.verdict.direction()))
}

impl fmt::Display for Sizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |figure: &Figure| {
            let value = figure.value.map_or("-".into(), |value| format!("{:.1} %", 100.0 * value));
            match figure.ci95 {
                Some([low, high]) => format!("{value} [{:.1}, {:.1}]", 100.0 * low, 100.0 * high),
                None => value,
            }
        };
        let [songs, windows, samples] = self.counts;
        writeln!(f, "{samples} samples of {windows} windows of {songs} songs")?;
        for (n, name) in self.names.iter().enumerate() {
            writeln!(
                f,
                "{name}: joint {}, balanced left alone {}",
                percent(&self.joint[n]),
                percent(&self.balanced[n])
            )?;
        }
        write!(f, "difference {}, decided alike {}", percent(&self.difference), percent(&self.alike))
    }
}
