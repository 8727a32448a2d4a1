//! What a tuning run learns from: flawed mixes that the encoder has read, questions about them, and simulated examples.

use super::advice::{AdviceExample, QuestionShares, allowed_stems, draw_sample};
use super::mix_reading::{ChosenWindow, MAX_REFERENCE_WINDOWS, MixReading, WindowReader};
use super::simulate::Simulator;
use crate::mixing::cache::{MapCache, MapHeader};
use crate::mixing::mixer::{MixSettings, Mixer};
use crate::oracle::Posterior;
use crate::progress::progress;
use crate::protocol::SourceKind;
use crate::text::TextSampler;
use crate::weights::load_encoder;
use anyhow::{Context, Result, anyhow, ensure};
use candle_core::Device;
use mixing_buddy_core::norms::NormsSummary;
use mixing_buddy_core::{PerStem, Stem};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use std::path::Path;
use tracing::warn;

/// The part of a run's configuration that is about its mixes.
#[derive(Clone, Copy)]
pub struct TuningMixes<'a> {
    /// Mixes to learn from.
    pub count: usize,
    /// Share of these that come from songs which the encoder was not trained on.
    pub held_out_share: f64,
    /// Share of simulated readings among the examples.
    pub simulated: f64,
    /// Mixes to validate with.
    pub validation_count: usize,
    /// Mixing.
    pub mix: &'a MixSettings,
    /// What the questions are about.
    pub questions: &'a QuestionShares,
}

/// The songs of a tuning run, and the encoder that reads them.
#[derive(Clone, Copy)]
pub struct MixSource<'a> {
    /// Folder of feature maps.
    pub cache: &'a Path,
    /// The encoder: the folder of its run, a file in it, or a bundle.
    pub encoder: &'a Path,
}

impl MixSource<'_> {
    /// Reads the encoder once, so that a wrong one is found before the folder of a run is made.
    ///
    /// # Errors
    /// As [`load_encoder`].
    pub fn check(&self) -> Result<()> {
        load_encoder(self.encoder, &Device::Cpu).map(drop)
    }
}

/// What a tuning run learns from, and what it is validated with.
pub struct TuningSet<'a> {
    /// Examples to learn from.
    pub examples: TuningExamples<'a>,
    /// Mixes of songs that nothing learns from.
    pub held_out: Vec<MixReading>,
}

/// Draws the examples of a tuning run.
pub struct TuningExamples<'a> {
    simulator: &'a Simulator<'a>,
    sampler: &'a TextSampler,
    questions: &'a QuestionShares,
    simulated: f64,
    readings: Vec<MixReading>,
}

/// Share of the questions about a mix with a reference that give it. The rest teach the model to do without. Chosen, not
/// tuned.
const REFERENCE_GIVEN_SHARE: f64 = 0.9;

impl TuningExamples<'_> {
    /// Draws an example: a mix that was read, or a simulated one.
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

    /// A question about a mix, and the oracle's answer.
    ///
    /// # Errors
    /// When the text cannot be drawn.
    pub fn ask_about(&self, mix: &MixReading, rng: &mut SmallRng) -> Result<AdviceExample> {
        let present = PerStem::from_fn(|_| true);
        let reference = mix.reference.filter(|_| rng.random_bool(REFERENCE_GIVEN_SHARE));
        let intent = self.questions.intent(reference.is_some(), &present, rng);
        let anchor = rng
            .random_bool(self.questions.anchor)
            .then(|| Stem::TARGETS[rng.random_range(0..Stem::TARGET_COUNT)]);
        let anchor = anchor.filter(|stem| intent.asked_stem() != Some(*stem));
        let allowed = allowed_stems(intent, anchor, &present);
        let aim = reference.as_ref().map(|reference| &reference.aim);
        let posterior: Posterior = self.simulator.believe(&mix.truth.power_db, aim, &present, allowed);
        let sample =
            draw_sample(self.sampler, intent, present, anchor, reference.is_some(), &posterior, rng)?;
        Ok(AdviceExample {
            reading: mix.reading.clone(),
            reference: reference.map(|reference| reference.balance),
            sample,
            posterior,
        })
    }
}

/// Opens the half of the `calib` songs that neither encoder nor advisor learns from.
///
/// # Errors
/// When there is none, or as [`MapCache::open`].
pub fn songs_for_calibration(cache: &Path) -> Result<MapCache> {
    MapCache::open(cache, MapHeader::is_for_calibration)
        .context("half of the `calib` songs are kept for calibration, but the cache holds none of them")
}

/// Makes and reads the mixes of a tuning run.
pub struct MixReader<'a> {
    /// Seed of the mixes.
    pub seed: u64,
    /// Threads.
    pub shards: usize,
    /// Songs and encoder.
    pub source: MixSource<'a>,
    /// Which mixes.
    pub mixes: TuningMixes<'a>,
    /// Where the encoder computes.
    pub device: &'a Device,
}

impl<'a> MixReader<'a> {
    /// Reads all mixes of the run.
    ///
    /// # Errors
    /// When a file cannot be used, or no song has a window in which all stems play.
    pub fn read_all(&self, simulator: &'a Simulator<'a>, sampler: &'a TextSampler) -> Result<TuningSet<'a>> {
        let TuningMixes { questions, simulated, .. } = self.mixes;
        let readings = self.for_training(simulator)?;
        let examples = TuningExamples { simulator, sampler, questions, simulated, readings };
        Ok(TuningSet { examples, held_out: self.for_validation(simulator)? })
    }

    /// Mixes to learn from: of songs that the encoder was trained on, and of others.
    fn for_training(&self, simulator: &Simulator<'_>) -> Result<Vec<MixReading>> {
        let known = MapCache::open(self.source.cache, |song| {
            song.is_for_training() && song.source != SourceKind::Voice
        })?;
        let mut songs = vec![known];
        if self.mixes.held_out_share > 0.0 {
            songs.push(MapCache::open(self.source.cache, MapHeader::is_for_tuning).context(
                "half of the `calib` songs teach how the encoder errs on songs that it was not trained on, but the \
                 cache holds none of them (`held_out_share = 0.0` trains without)",
            )?);
        }
        self.read(&songs, self.mixes.count, simulator)
    }

    /// Mixes of `calib` songs that nothing learns from.
    fn for_validation(&self, simulator: &Simulator<'_>) -> Result<Vec<MixReading>> {
        if self.mixes.validation_count == 0 {
            return Ok(Vec::new());
        }
        self.read(&[songs_for_calibration(self.source.cache)?], self.mixes.validation_count, simulator)
    }

    /// Makes and reads `count` mixes on all threads: of the first songs, and a share of the second if there are such.
    fn read(&self, songs: &[MapCache], count: usize, simulator: &Simulator<'_>) -> Result<Vec<MixReading>> {
        let (encoder, features) = load_encoder(self.source.encoder, self.device)?;
        let mixers: Vec<Mixer<'_>> =
            songs.iter().map(|songs| Mixer::new(songs, self.mixes.mix, NormsSummary::shipped())).collect();
        let bar = progress("reading mixes", count, 0);
        let read = |shard: usize| -> Result<Vec<MixReading>> {
            let mut rng = SmallRng::seed_from_u64(self.seed << 20 | shard as u64);
            let mut all = Vec::new();
            while all.len() < count / self.shards {
                let is_held_out = mixers.len() > 1 && rng.random_bool(self.mixes.held_out_share);
                let mixer = &mixers[usize::from(is_held_out)];
                let most_others = rng.random_range(1..=MAX_REFERENCE_WINDOWS);
                let Some((song, window, others)) = mixer.full_window(most_others, &mut rng) else { break };
                let flawed = simulator.flawed(None, &mut rng);
                let colours = SmallRng::seed_from_u64(rng.random());
                let reader = WindowReader { encoder: &encoder, features: &features, mixer };
                let chosen = ChosenWindow { song, window, others };
                all.push(reader.read_flawed(&chosen, &flawed, Some(&colours), &mut rng)?);
                bar.inc(1);
            }
            Ok(all)
        };
        let parts: Vec<Result<Vec<MixReading>>> = std::thread::scope(|scope| {
            let read = &read;
            let handles: Vec<_> = (0..self.shards).map(|shard| scope.spawn(move || read(shard))).collect();
            handles
                .into_iter()
                .map(|h| h.join().unwrap_or_else(|_| Err(anyhow!("a thread that reads mixes panicked"))))
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
        let wanted = count / self.shards * self.shards;
        if readings.len() < wanted {
            warn!(
                read = readings.len(),
                wanted, "fewer mixes than asked for: some songs have no two windows in which all stems play"
            );
        }
        Ok(readings)
    }
}
