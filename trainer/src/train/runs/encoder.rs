//! Trains the encoder: masks, levels, uncertainty, presence.

use super::config::run_config;
use super::setup::RunSetup;
use crate::mixing::batch::EncoderPart;
use crate::mixing::cache::{MapCache, MapHeader};
use crate::mixing::loaders::{LoadAhead, Loaded, load_ahead};
use crate::mixing::mixer::{Example, MixSettings, Mixer};
use crate::progress::progress;
use crate::train::early_stop::{EarlyStop, Progress, Watch};
use crate::train::encoder_loss::{LossWeights, encoder_loss};
use crate::train::meter_error::check_meter;
use crate::train::optimizer::{AdamW, OptimizerSettings};
use crate::train::report::RunReport;
use crate::train::run::RunStart;
use crate::train::runlog::RunLog;
use crate::train::shards::{ShardOutcome, gradients_of};
use crate::weights::{Part, Tensors, save_tensors, start_encoder_from, weighted_mean};
use anyhow::{Context, Result, ensure};
use indicatif::ProgressBar;
use mixing_buddy_core::encoder::{Encoder, EncoderConfig};
use mixing_buddy_core::features::FeatureSettings;
use mixing_buddy_core::nn::{DropoutStream, Params};
use mixing_buddy_core::norms::NormsSummary;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

run_config! {
    /// One encoder run, as in its TOML file. A batch holds windows.
    pub struct EncoderRun {
        /// Further threads that make the examples of coming steps; with 0, the training threads make their own. The
        /// examples are the same with any number.
        pub loaders: usize,
        /// Steps between measurements on the `calib` split.
        pub measure_steps: usize,
        /// Mixes per measurement.
        pub measure_mixes: usize,
        /// Weight of the masks' cross-entropy.
        pub mask_weight: f64,
        /// Weight of the error in dB of the levels that the masks give.
        pub level_weight: f64,
        /// Weight of the losses of the head.
        pub head_weight: f64,
        /// Weight of the presence's cross-entropy.
        pub presence_weight: f64,
        /// Weights to start from: an earlier encoder run (its folder or `encoder.safetensors`) or a model bundle; fresh
        /// weights if not set.
        pub start_from: Option<PathBuf>,
        /// Share of those weights in the measured and exported ones, below 1 (see [`weighted_mean`]).
        pub keep_of_start: f64,
        /// Sizes of the encoder.
        pub encoder: EncoderConfig,
        /// Mixing of the examples.
        pub mix: MixSettings,
    }
}

impl Default for EncoderRun {
    fn default() -> Self {
        EncoderRun {
            seed: 1,
            steps: 4000,
            batch: 24,
            accumulate: 1,
            shards: 2,
            checkpoint_steps: 200,
            early_stop: EarlyStop::default(),
            optimizer: OptimizerSettings::default(),
            loaders: 1,
            measure_steps: 400,
            measure_mixes: 240,
            mask_weight: 1.0,
            level_weight: 0.05,
            head_weight: 0.05,
            presence_weight: 0.1,
            start_from: None,
            keep_of_start: 0.0,
            encoder: EncoderConfig::default(),
            mix: MixSettings::default(),
        }
    }
}

impl EncoderRun {
    /// Weights of the terms of the loss.
    pub fn loss_weights(&self) -> LossWeights {
        LossWeights {
            mask: self.mask_weight,
            level: self.level_weight,
            head: self.head_weight,
            presence: self.presence_weight,
        }
    }
}

/// Columns of the log.
const COLUMNS: [&str; 16] = [
    "loss",
    "mask",
    "level_db",
    "head_db",
    "presence",
    "gradient_norm",
    "learning_rate",
    "data_s",
    "step_s",
    "calib_vocals_db",
    "calib_drums_db",
    "calib_bass_db",
    "calib_other_db",
    MEAN_ERROR,
    MISSED,
    IMAGINED,
];
/// The columns of the errors per stem.
const STEM_COLUMNS: std::ops::Range<usize> = 9..13;
/// The column of their mean, by which a run may end early.
const MEAN_ERROR: &str = "calib_mean_db";
/// The columns of the shares of stems that are taken for absent and play, and that are taken to play and are absent.
const MISSED: &str = "calib_missed";
const IMAGINED: &str = "calib_imagined";
/// Steps between rows of the log; measurements are taken at such steps only. Chosen, not tuned.
const LOG_STEPS: usize = 20;
/// Rounds of parts that the loaders may be ahead of the training threads. Chosen, not tuned.
const ROUNDS_AHEAD: usize = 2;
/// Seeds of dropout are the run's seed, XOR the number of the part shifted by this.
const DROPOUT_SHIFT: u32 = 32;

/// Starts or resumes the training that the configuration describes, on the `train` songs of `cache_dir`.
///
/// # Errors
/// When the configuration, the cache or a checkpoint does not fit, the disk is full, or the loss is not a number (the
/// last checkpoint then stays as it is).
pub fn train_encoder(start: &RunStart<'_>, cache_dir: &Path) -> Result<()> {
    let run = EncoderRun::from_toml(start.config)?;
    ensure!(
        run.keep_of_start == 0.0 || (run.start_from.is_some() && (0.0..1.0).contains(&run.keep_of_start)),
        "keep_of_start is a share from 0 to 1 of the weights that start_from names"
    );
    let train = MapCache::open(cache_dir, MapHeader::is_for_training)?;
    let calib = MapCache::open(cache_dir, MapHeader::is_for_calibration).ok();
    let features = train.songs[0].header.features.clone();
    let mixer = Mixer::new(&train, &run.mix, NormsSummary::shipped());
    let params = Params::train(run.seed, start.device);
    let encoder = Encoder::new(&params, &run.encoder, &features)?;
    let started_from = match &run.start_from {
        Some(path) => start_encoder_from(&params, path, &features)?,
        None => Tensors::new(),
    };
    let setup = RunSetup::open(start, run.schedule())?;
    tracing::info!("{} songs to train on", train.songs.len());
    let (mut optimizer, first_step) = setup.optimizer(params.vars())?;

    let ahead = LoadAhead {
        threads: run.loaders,
        ahead: (ROUNDS_AHEAD * setup.split.own_shards()) as u64,
        numbers: setup.split.numbers(first_step..run.steps),
        share: setup.split.own_share(),
    };
    let make = |number: u64| {
        let examples: Vec<Example> =
            setup.split.examples(number).map(|example| mixer.example(run.seed, example)).collect();
        EncoderPart::new(&examples, &features, setup.device)
    };
    let steps = EncoderLoop {
        run: &run,
        setup: &setup,
        features: &features,
        encoder: &encoder,
        started_from,
        calib: calib.as_ref(),
    };
    load_ahead(ahead, make, |parts| steps.run(first_step, &mut optimizer, parts))
}

/// The loop of an encoder run.
struct EncoderLoop<'a> {
    run: &'a EncoderRun,
    setup: &'a RunSetup<'a>,
    features: &'a FeatureSettings,
    encoder: &'a Encoder,
    /// The weights that the run started from; empty if it started from fresh ones.
    started_from: Tensors,
    /// Songs to measure with.
    calib: Option<&'a MapCache>,
}

/// What the first rank keeps of a run.
struct Notes {
    log: RunLog,
    watch: Watch,
    bar: ProgressBar,
    /// Sums of the figures since the last row of the log, and their number.
    sums: BTreeMap<String, f64>,
    counted: usize,
}

impl EncoderLoop<'_> {
    /// Takes the steps. The first rank alone measures and writes: the log with the earlier figures is in its folder, and
    /// the others would only compute the same figures again. They wait to hear whether the run ends.
    fn run(&self, first_step: usize, optimizer: &mut AdamW, parts: &Loaded<'_, EncoderPart>) -> Result<()> {
        let (run, ranks) = (self.run, self.setup.ranks);
        let mut notes = if ranks.is_first() { Some(self.notes(first_step)?) } else { None };
        let has_stopped = |notes: &Option<Notes>| {
            ranks.as_first(notes.as_ref().is_some_and(|notes| notes.watch.has_stopped()))
        };
        let mut is_over = has_stopped(&notes);
        for step in first_step..run.steps {
            if is_over {
                break;
            }
            let done = step + 1;
            ranks.begin_step(done);
            let figures = self.step(step, optimizer, parts)?;
            if self.setup.is_checkpoint(done) {
                self.setup.compare_weights(optimizer)?;
            }
            if let Some(notes) = &mut notes {
                self.note(notes, done, figures, optimizer)?;
            }
            if self.is_measured(done) {
                is_over = has_stopped(&notes);
            }
        }
        if let Some(notes) = notes {
            notes.bar.finish_and_clear();
            if let (true, Some((best, error))) = (notes.watch.has_stopped(), notes.watch.best()) {
                tracing::info!(
                    "stopped early: the best error was {error:.2} dB at step {best}; encoder-best.safetensors \
                     holds these weights"
                );
            }
        }
        Ok(())
    }

    fn notes(&self, first_step: usize) -> Result<Notes> {
        let log = RunLog::open(&self.setup.folder.dir, &COLUMNS, first_step)?;
        let watch = Watch::new(&self.run.early_stop, &log.figures(MEAN_ERROR)?);
        let bar = progress("encoder", self.run.steps, first_step);
        Ok(Notes { log, watch, bar, sums: BTreeMap::new(), counted: 0 })
    }

    /// Whether the log gets a row after this step.
    fn is_logged(&self, done: usize) -> bool {
        done.is_multiple_of(LOG_STEPS) || done == self.run.steps
    }

    /// Whether the errors are measured after this step.
    fn is_measured(&self, done: usize) -> bool {
        self.is_logged(done) && (done.is_multiple_of(self.run.measure_steps) || done == self.run.steps)
    }

    /// Notes the figures of a step, measures the weights and writes all files, each where it is due.
    fn note(
        &self,
        notes: &mut Notes,
        done: usize,
        figures: Vec<(&'static str, f64)>,
        optimizer: &AdamW,
    ) -> Result<()> {
        let Notes { log, watch, bar, sums, counted } = notes;
        for (name, value) in figures {
            *sums.entry(name.to_string()).or_default() += value;
        }
        *counted += 1;
        bar.set_position(done as u64);
        if self.is_logged(done) {
            let mut means = std::mem::take(sums);
            means.values_mut().for_each(|v| *v /= *counted as f64);
            *counted = 0;
            bar.set_message(format!("mask {:.3}, level {:.2} dB,", means["mask"], means["level_db"]));
            if self.is_measured(done)
                && let Some(calib) = self.calib
            {
                let mean_db = self.measure(done, optimizer, calib, &mut means)?;
                if watch.observe(done, mean_db) == Progress::Best {
                    self.export(optimizer, "encoder-best.safetensors")?;
                }
            }
            log.row(done, &means)?;
        }
        if self.setup.is_checkpoint(done) || watch.has_stopped() {
            self.export(optimizer, Part::Encoder.file_name())?;
            self.report(done, log, watch)?;
            // Last: a run that is killed before this line repeats the steps and exports them again.
            self.setup.folder.save(optimizer)?;
        }
        Ok(())
    }

    /// Takes one step; returns its figures.
    fn step(
        &self,
        step: usize,
        optimizer: &mut AdamW,
        parts: &Loaded<'_, EncoderPart>,
    ) -> Result<Vec<(&'static str, f64)>> {
        let EncoderLoop { run, setup: RunSetup { split, folder, ranks, .. }, .. } = *self;
        let started = Instant::now();
        let rate = run.optimizer.learning_rate_at(step, run.steps);
        let (grads, mut figures) = gradients_of(*ranks, optimizer.vars(), *split, |part| {
            let number = split.number(step, part);
            let before = Instant::now();
            let data = parts.take(number)?;
            // Figures are means over the parts of a step, but the time that a step waits is the sum over its rounds.
            let waited_s = before.elapsed().as_secs_f64() * split.rounds() as f64;
            let dropout = DropoutStream::new(run.seed ^ number << DROPOUT_SHIFT);
            let outcome = encoder_loss(self.encoder, data, run.loss_weights(), Some(&dropout))?;
            let ShardOutcome { loss, mut figures } = outcome;
            figures.push(("data_s", waited_s));
            Ok(ShardOutcome { loss, figures })
        })
        .with_context(|| format!("{}: step {}", folder.stop_note(), step + 1))?;
        let norm = optimizer.step(&grads, rate).with_context(|| folder.stop_note())?;
        figures.extend([
            ("gradient_norm", norm),
            ("learning_rate", rate),
            ("step_s", started.elapsed().as_secs_f64()),
        ]);
        Ok(figures)
    }

    /// Measures the errors on `calib` songs into `figures`; returns their mean over the stems in dB.
    fn measure(
        &self,
        done: usize,
        optimizer: &AdamW,
        calib: &MapCache,
        figures: &mut BTreeMap<String, f64>,
    ) -> Result<f64> {
        let params = Params::load(self.weights(optimizer)?, BTreeMap::new(), self.encoder.device());
        let encoder = Encoder::new(&params, &self.run.encoder, self.features)?;
        let meter = check_meter(&encoder, self.features, calib, self.run.measure_mixes)?;
        let errors_db = meter.median_errors_db.to_array();
        for (name, value) in COLUMNS[STEM_COLUMNS].iter().zip(errors_db) {
            figures.insert(name.to_string(), value);
        }
        let known: Vec<f64> = errors_db.into_iter().filter(|error| error.is_finite()).collect();
        let mean_db = known.iter().sum::<f64>() / known.len().max(1) as f64;
        figures.insert(MEAN_ERROR.into(), mean_db);
        figures.insert(MISSED.into(), meter.missed);
        figures.insert(IMAGINED.into(), meter.imagined);
        let (mask, level_db) = (figures["mask"], figures["level_db"]);
        tracing::info!(
            "step {done}: mask {mask:.3}, level {level_db:.2} dB, calib {errors_db:.2?} dB, missed {:.3}, imagined {:.3}",
            meter.missed,
            meter.imagined
        );
        Ok(mean_db)
    }

    fn report(&self, done: usize, log: &RunLog, watch: &Watch) -> Result<()> {
        let curves = ["mask", "calib_vocals_db", "calib_drums_db", "calib_bass_db", "calib_other_db"];
        log.plot("Encoder", &curves)?;
        let report = RunReport {
            title: "Encoder",
            steps: (done, self.run.steps),
            has_stopped: watch.has_stopped(),
            measured: "median error on `calib` songs, mean over stems, in dB",
            best: watch.best(),
        };
        report.write(&self.setup.folder, log)
    }

    /// The weights to use: averaged over the steps, and with those that the run started from.
    fn weights(&self, optimizer: &AdamW) -> Result<Tensors> {
        let averaged = optimizer.averaged()?;
        match self.run.keep_of_start {
            0.0 => Ok(averaged),
            share => weighted_mean(&averaged, &self.started_from, share),
        }
    }

    fn export(&self, optimizer: &AdamW, file: &str) -> Result<()> {
        let metadata = [
            ("encoder", serde_json::to_string(&self.run.encoder)?),
            ("features", serde_json::to_string(self.features)?),
            ("step", optimizer.steps_taken().to_string()),
        ];
        save_tensors(&self.setup.folder.dir.join(file), &self.weights(optimizer)?, &metadata)
    }
}
