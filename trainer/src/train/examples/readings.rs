//! Flawed mixes as the encoder hears them, and questions about them.

use super::advice::{AdviceExample, QuestionMix, allowed_stems, draw_sample};
use super::simulate::Simulator;
use crate::mixing::batch::read_example;
use crate::mixing::cache::{MapCache, MapHeader};
use crate::mixing::mixer::{MixSettings, Mixer};
use crate::oracle::Posterior;
use crate::progress::progress;
use crate::protocol::SourceKind;
use crate::text::TextSampler;
use crate::weights::load_encoder;
use anyhow::{Context, Result, ensure};
use candle_core::Device;
use mixing_buddy_core::decoder::ReferenceBalance;
use mixing_buddy_core::encoder::Reading;
use mixing_buddy_core::norms::NormsSummary;
use mixing_buddy_core::{PerStem, Stem};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use std::path::Path;

/// Where the examples of a tuning run come from.
pub struct Examples<'a> {
    /// Draws flaws, beliefs and simulated readings.
    pub simulator: &'a Simulator<'a>,
    /// Draws questions and sentences.
    pub sampler: &'a TextSampler,
    /// What is asked.
    pub questions: &'a QuestionMix,
    /// Share of simulated readings.
    pub simulated: f64,
    /// Mixes that were heard.
    pub readings: Vec<MixReading>,
}

impl Examples<'_> {
    /// Draws an example: of a mix that was heard, or simulated.
    ///
    /// # Errors
    /// When the text cannot be drawn.
    pub fn draw(&self, rng: &mut SmallRng) -> Result<AdviceExample> {
        if rng.random_bool(self.simulated) {
            self.simulator.example(rng)
        } else {
            self.ask_about(&self.readings[rng.random_range(0..self.readings.len())], rng)
        }
    }

    /// A question about a mix that was heard, and what perfect ears would say.
    ///
    /// # Errors
    /// When the text cannot be drawn.
    pub fn ask_about(&self, mix: &MixReading, rng: &mut SmallRng) -> Result<AdviceExample> {
        let present = PerStem::from_fn(|_| true);
        let has_reference = mix.has_reference && rng.random_bool(0.9);
        let intent = self.questions.intent(has_reference, &present, rng);
        let anchor = rng.random_bool(self.questions.anchor).then(|| Stem::TARGETS[rng.random_range(0..3)]);
        let anchor = anchor.filter(|stem| intent.asked_stem() != Some(*stem));
        let allowed = allowed_stems(intent, anchor, &present);
        let posterior: Posterior =
            self.simulator.believe(&mix.levels_db, has_reference.then_some(&mix.song_db), &present, allowed);
        let sample = draw_sample(self.sampler, intent, present, anchor, has_reference, &posterior, rng)?;
        Ok(AdviceExample {
            reading: mix.reading.clone(),
            reference: has_reference.then_some(mix.reference),
            sample,
            posterior,
        })
    }
}

/// Windows that a reference is measured over, at the most; an engineer pins as many.
pub const MOST_REFERENCE_WINDOWS: usize = 3;

/// A flawed mix as the encoder read it.
pub struct MixReading {
    reading: Reading,
    reference: ReferenceBalance,
    /// True relative levels of the stems in dB, and of the window that the reference was measured in.
    levels_db: PerStem<f64>,
    song_db: PerStem<f64>,
    has_reference: bool,
}

/// How mixes are made and heard.
pub struct MixReader<'a> {
    /// Seed of the mixes.
    pub seed: u64,
    /// Threads.
    pub shards: usize,
    /// Share of the mixes that are of songs which the encoder was not trained on.
    pub held_out_share: f64,
    /// Mixing.
    pub mix: &'a MixSettings,
    /// The encoder (`encoder.safetensors`).
    pub encoder: &'a Path,
    /// Folder of feature maps.
    pub cache: &'a Path,
    /// Where the encoder computes.
    pub device: &'a Device,
}

/// The half of the `calib` songs that neither encoder nor advisor learns from.
///
/// # Errors
/// When there is none, or as [`MapCache::open`].
pub fn songs_for_calibration(cache: &Path) -> Result<MapCache> {
    MapCache::open(cache, MapHeader::is_for_calibration)
        .context("half of the `calib` songs are kept for calibration, but none of them is there")
}

impl MixReader<'_> {
    /// Hears `count` mixes of songs to learn from: of those that the encoder was trained on, and of others.
    ///
    /// # Errors
    /// When a file cannot be used, or no song has a window in which all stems play.
    pub fn for_training(&self, count: usize, simulator: &Simulator<'_>) -> Result<Vec<MixReading>> {
        let known =
            MapCache::open(self.cache, |song| song.is_for_training() && song.source != SourceKind::Voice)?;
        let mut songs = vec![known];
        if self.held_out_share > 0.0 {
            songs.push(MapCache::open(self.cache, MapHeader::is_for_tuning).context(
                "half of the `calib` songs teach how the encoder errs on songs that it never heard (`unheard = 0.0` does \
                 without), but none of them is there",
            )?);
        }
        self.read(&songs, count, simulator)
    }

    /// Hears `count` mixes of `calib` songs, which nothing learns from.
    ///
    /// # Errors
    /// As [`MixReader::for_training`].
    pub fn held_out(&self, count: usize, simulator: &Simulator<'_>) -> Result<Vec<MixReading>> {
        if count == 0 {
            return Ok(Vec::new());
        }
        self.read(&[songs_for_calibration(self.cache)?], count, simulator)
    }

    /// Mixes `count` flawed windows and hears them, on all threads: of the first songs, and a share of the second where
    /// there are such.
    fn read(&self, songs: &[MapCache], count: usize, simulator: &Simulator<'_>) -> Result<Vec<MixReading>> {
        let (encoder, features) = load_encoder(self.encoder, self.device)?;
        let mixers: Vec<Mixer<'_>> =
            songs.iter().map(|songs| Mixer::new(songs, self.mix, NormsSummary::shipped())).collect();
        let bar = progress("hearing", count, 0);
        let read = |shard: usize| -> Result<Vec<MixReading>> {
            let mut rng = SmallRng::seed_from_u64(self.seed << 20 | shard as u64);
            let mut all = Vec::new();
            while all.len() < count / self.shards {
                let is_held_out = mixers.len() > 1 && rng.random_bool(self.held_out_share);
                let mixer = &mixers[usize::from(is_held_out)];
                let most = rng.random_range(1..=MOST_REFERENCE_WINDOWS);
                let Some((song, window, others)) = mixer.full_window(most, &mut rng) else { break };
                let flawed = simulator.flawed(None, &mut rng);
                // All windows of a song went over one desk, and are misheard alike.
                let colours = SmallRng::seed_from_u64(rng.random());
                let mut read = |window: usize, levels: &PerStem<f64>| -> Result<(Reading, PerStem<f64>)> {
                    let mut plan = mixer.levelled(song, window, levels);
                    mixer.colour(&mut plan, &mut colours.clone());
                    let example = mixer.mix(&plan, &mut rng);
                    let powers = PerStem::from_fn(|stem: Stem| {
                        let power: f64 = example.parts[stem.index()].iter().map(|p| f64::from(*p)).sum();
                        10.0 * power.max(1e-12).log10()
                    });
                    Ok((read_example(&encoder, &features, &example)?, powers))
                };
                let (reading, levels_db) = read(window, &flawed.levels_db)?;
                let mut readings = MixReading {
                    reading,
                    levels_db,
                    song_db: levels_db,
                    reference: ReferenceBalance::default(),
                    has_reference: false,
                };
                if flawed.has_reference {
                    let windows = others
                        .iter()
                        .map(|other| read(*other, &flawed.song_db))
                        .collect::<Result<Vec<_>>>()?;
                    readings.reference =
                        ReferenceBalance::mean_of(windows.iter().map(|(reading, _)| reading));
                    readings.song_db = PerStem::from_fn(|stem| {
                        windows.iter().map(|(_, levels)| levels[stem]).sum::<f64>() / windows.len() as f64
                    });
                    readings.has_reference = true;
                }
                all.push(readings);
                bar.inc(1);
            }
            Ok(all)
        };
        let parts: Vec<Result<Vec<MixReading>>> = std::thread::scope(|scope| {
            let read = &read;
            let handles: Vec<_> = (0..self.shards).map(|shard| scope.spawn(move || read(shard))).collect();
            handles
                .into_iter()
                .map(|h| h.join().unwrap_or_else(|_| Err(anyhow::anyhow!("a thread panicked"))))
                .collect()
        });
        bar.finish_and_clear();
        let readings: Vec<MixReading> =
            parts.into_iter().collect::<Result<Vec<_>>>()?.into_iter().flatten().collect();
        ensure!(
            !readings.is_empty(),
            "no song of the cache has two windows in which all {} stems play",
            Stem::COUNT
        );
        Ok(readings)
    }
}
