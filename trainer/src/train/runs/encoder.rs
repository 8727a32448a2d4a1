//! Trains the encoder: masks, levels, uncertainty, presence.

use crate::mixing::augment::AugmentSettings;
use crate::mixing::batch::{EncoderPart, EncoderTargets, encoder_batch};
use crate::mixing::cache::{MapCache, MapHeader};
use crate::mixing::loaders::{LoadAhead, Loaded, load_ahead};
use crate::mixing::mixer::{Example, MixSettings, Mixer};
use crate::progress::progress;
use crate::protocol::QUIETEST_MEASURED_DB;
use crate::train::early_stop::{EarlyStop, Progress, Watch};
use crate::train::mask_loss::mask_cross_entropy;
use crate::train::optimizer::{AdamW, OptimizerSettings};
use crate::train::report::RunReport;
use crate::train::run::{RunFolder, RunStart};
use crate::train::runlog::RunLog;
use crate::train::shards::{BatchSplit, ShardOutcome, gradients};
use crate::weights::{Part, save_tensors, start_from};
use anyhow::{Context, Result, ensure};
use candle_core::Tensor;
use mixing_buddy_core::Stem;
use mixing_buddy_core::encoder::{Encoder, EncoderConfig, Metered};
use mixing_buddy_core::features::FeatureSettings;
use mixing_buddy_core::nn::{DropoutStream, Params};
use mixing_buddy_core::norms::NormsSummary;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

/// One encoder run, as in its TOML file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EncoderRun {
    /// Seed of everything random.
    pub seed: u64,
    /// Steps in all.
    pub steps: usize,
    /// Windows a micro-batch: what is in memory at a time.
    pub batch: usize,
    /// Micro-batches a step, whose gradients are averaged.
    pub accumulate: usize,
    /// Threads, each with its share of the micro-batch.
    pub shards: usize,
    /// Further threads that make the examples of coming steps; with none, the training threads make their own. The
    /// examples are the same whatever their number.
    pub loaders: usize,
    /// Steps between checkpoints.
    pub checkpoint_steps: usize,
    /// Steps between measurements on the `calib` split.
    pub measure_steps: usize,
    /// Mixes a measurement uses.
    pub measure_mixes: usize,
    /// Weight of the masks' cross-entropy.
    pub mask_weight: f64,
    /// Weight of the mask levels' error in dB.
    pub level_weight: f64,
    /// Weight of the head's losses.
    pub head_weight: f64,
    /// Weights of an earlier run (`encoder.safetensors`) or of a model bundle to begin with; fresh ones where none is named.
    pub start_from: Option<std::path::PathBuf>,
    /// Share of those weights in the ones that are measured and exported, under 1. Such a mean of old and new errs less on
    /// songs unlike those trained on (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models").
    pub keep_of_start: f64,
    /// When the run ends before its last step, by the mean of the levels' errors on the `calib` split.
    pub early_stop: EarlyStop,
    /// Sizes of the encoder.
    pub encoder: EncoderConfig,
    /// Optimiser.
    pub optimizer: OptimizerSettings,
    /// Mixing of the examples.
    pub mix: MixSettings,
}

impl Default for EncoderRun {
    fn default() -> Self {
        EncoderRun {
            seed: 1,
            steps: 4000,
            batch: 24,
            accumulate: 1,
            shards: 2,
            loaders: 1,
            checkpoint_steps: 200,
            measure_steps: 400,
            measure_mixes: 240,
            mask_weight: 1.0,
            level_weight: 0.05,
            head_weight: 0.05,
            start_from: None,
            keep_of_start: 0.0,
            early_stop: EarlyStop::default(),
            encoder: EncoderConfig::default(),
            optimizer: OptimizerSettings::default(),
            mix: MixSettings::default(),
        }
    }
}

/// Columns of the run's log.
const COLUMNS: [&str; 14] = [
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
    "calib_mean_db",
];
/// Rounds of parts that the loaders may be ahead of the training threads.
const ROUNDS_AHEAD: usize = 2;
/// Those of the errors by stem.
const STEM_COLUMNS: std::ops::Range<usize> = 9..13;

/// Runs (or goes on with) the training that the configuration describes, on the `train` songs of `cache_dir`.
///
/// # Errors
/// When the configuration, the cache or a checkpoint does not fit, the disk is full, or the loss stops being a number
/// (the last good checkpoint then stands).
pub fn train_encoder(begin: &RunStart<'_>, cache_dir: &Path) -> Result<()> {
    let run: EncoderRun = toml::from_str(begin.config).context("the configuration cannot be used")?;
    let split = BatchSplit::new(run.batch, run.shards, run.accumulate)?;
    ensure!(
        run.keep_of_start == 0.0 || (run.start_from.is_some() && (0.0..1.0).contains(&run.keep_of_start)),
        "keep_of_start is a share from 0 to 1 of the weights that start_from names"
    );
    let folder = RunFolder::open(begin)?;

    let train = MapCache::open(cache_dir, MapHeader::is_for_training)?;
    let calib = MapCache::open(cache_dir, MapHeader::is_for_calibration).ok();
    let features = train.songs[0].header.features.clone();
    let mixer = Mixer::new(&train, &run.mix, NormsSummary::shipped());
    let params = Params::train(run.seed, begin.device);
    let kept = match &run.start_from {
        Some(path) => start_from(&params, path, Part::Encoder)?,
        None => BTreeMap::new(),
    };
    let encoder = Encoder::new(&params, &run.encoder, &features)?;
    let mut optimizer = AdamW::new(params.vars(), &run.optimizer)?;
    let start = folder.begin(&mut optimizer)?;
    let weights: usize = params.vars().values().map(|v| v.elem_count()).sum();
    eprintln!("{} songs, {weights} weights, from step {start} of {}", train.songs.len(), run.steps);

    let ahead = LoadAhead {
        threads: run.loaders,
        ahead: (ROUNDS_AHEAD * run.shards) as u64,
        numbers: split.numbers(start..run.steps),
    };
    let make = |number: u64| {
        let examples: Vec<Example> =
            split.examples(number).map(|example| mixer.example(run.seed, example)).collect();
        EncoderPart::new(&examples, &features, begin.device)
    };
    let training =
        Training { run: &run, split, folder: &folder, features: &features, encoder: &encoder, kept };
    load_ahead(ahead, make, |parts| training.take_steps(start, &mut optimizer, calib.as_ref(), parts))
}

/// What stays as it is while an encoder is trained.
struct Training<'a> {
    run: &'a EncoderRun,
    split: BatchSplit,
    folder: &'a RunFolder,
    features: &'a FeatureSettings,
    encoder: &'a Encoder,
    /// The weights that the run began with, where it did not begin anew.
    kept: BTreeMap<String, Tensor>,
}

impl Training<'_> {
    fn take_steps(
        &self,
        start: usize,
        optimizer: &mut AdamW,
        calib: Option<&MapCache>,
        parts: &Loaded<'_, EncoderPart>,
    ) -> Result<()> {
        let Training { run, split, folder, .. } = *self;
        let log = RunLog::open(&folder.dir, &COLUMNS, start)?;
        let bar = progress("encoder", run.steps, start);
        let mut means: BTreeMap<String, f64> = BTreeMap::new();
        let mut counted = 0usize;
        let mut watch = Watch::new(&run.early_stop, &log.figures("calib_mean_db")?);
        for step in start..run.steps {
            if watch.has_stopped() {
                break;
            }
            let began = Instant::now();
            let rate = run.optimizer.learning_rate_at(step, run.steps);
            let (grads, figures) = gradients(optimizer.vars(), split, |part| {
                let number = split.number(step, part);
                let before = Instant::now();
                let data = parts.take(number)?;
                // Figures are means over a step's parts; what a step waits is a sum over its rounds.
                let waited_s = before.elapsed().as_secs_f64() * split.rounds() as f64;
                let dropout = DropoutStream::new(run.seed ^ number << 32);
                let mut outcome = shard_loss(self.encoder, data, run, Some(&dropout))?;
                outcome.figures.push(("data_s", waited_s));
                Ok(outcome)
            })
            .with_context(|| format!("{}: step {}", folder.what_stands(), step + 1))?;
            let norm = optimizer.step(&grads, rate).with_context(|| folder.what_stands())?;
            let extra =
                [("gradient_norm", norm), ("learning_rate", rate), ("step_s", began.elapsed().as_secs_f64())];
            for (name, value) in figures.into_iter().chain(extra) {
                *means.entry(name.to_string()).or_default() += value;
            }
            counted += 1;
            let done = step + 1;
            bar.set_position(done as u64);
            if done % 20 == 0 || done == run.steps {
                means.values_mut().for_each(|v| *v /= counted as f64);
                bar.set_message(format!("mask {:.3}, level {:.2} dB,", means["mask"], means["level_db"]));
                if (done % run.measure_steps == 0 || done == run.steps)
                    && let Some(calib) = calib
                {
                    let errors = self.measure_averaged(optimizer, calib)?;
                    for (name, value) in COLUMNS[STEM_COLUMNS].iter().zip(errors) {
                        means.insert(name.to_string(), value);
                    }
                    let known: Vec<f64> = errors.into_iter().filter(|error| error.is_finite()).collect();
                    let mean = known.iter().sum::<f64>() / known.len().max(1) as f64;
                    means.insert("calib_mean_db".into(), mean);
                    if watch.observe(done, mean) == Progress::Best {
                        self.export_averaged(optimizer, "encoder-best.safetensors")?;
                    }
                    bar.suspend(|| {
                        let (mask, level) = (means["mask"], means["level_db"]);
                        eprintln!("step {done}: mask {mask:.3}, level {level:.2}, calib {errors:.2?} dB");
                    });
                }
                log.row(done, &means)?;
                means.clear();
                counted = 0;
            }
            if done % run.checkpoint_steps == 0 || done == run.steps || watch.has_stopped() {
                folder.save(optimizer)?;
                self.export_averaged(optimizer, "encoder.safetensors")?;
                let curves = ["mask", "calib_vocals_db", "calib_drums_db", "calib_bass_db", "calib_other_db"];
                log.plot("Encoder", &curves)?;
                let report = RunReport {
                    title: "Encoder",
                    steps: (done, run.steps),
                    has_stopped: watch.has_stopped(),
                    measured: "median error on `calib` songs, mean over stems, in dB",
                    best: watch.best(),
                };
                report.write(folder, &log)?;
            }
        }
        bar.finish_and_clear();
        if let (true, Some((best, error))) = (watch.has_stopped(), watch.best()) {
            eprintln!(
                "stopped early: the best error was {error:.2} dB at step {best}; encoder-best.safetensors holds it"
            );
        }
        Ok(())
    }

    /// The weights to use: averaged over steps, and with those that the run began with.
    fn weights(&self, optimizer: &AdamW) -> Result<BTreeMap<String, Tensor>> {
        let (share, mut weights) = (self.run.keep_of_start, optimizer.averaged()?);
        if share > 0.0 {
            for (name, tensor) in &mut weights {
                let kept = self.kept.get(name).with_context(|| format!("start_from has no '{name}'"))?;
                *tensor = ((&*tensor * (1.0 - share))? + (kept * share)?)?;
            }
        }
        Ok(weights)
    }

    fn export_averaged(&self, optimizer: &AdamW, file: &str) -> Result<()> {
        let metadata = [
            ("encoder", serde_json::to_string(&self.run.encoder)?),
            ("features", serde_json::to_string(self.features)?),
            ("step", optimizer.steps_taken().to_string()),
        ];
        save_tensors(&self.folder.dir.join(file), &self.weights(optimizer)?, &metadata)
    }

    /// Median absolute error of the averaged weights' levels a stem, in dB.
    fn measure_averaged(&self, optimizer: &AdamW, songs: &MapCache) -> Result<[f64; Stem::COUNT]> {
        let params = Params::load(self.weights(optimizer)?, BTreeMap::new(), self.encoder.device());
        let encoder = Encoder::new(&params, &self.run.encoder, self.features)?;
        let errors =
            meter_errors(&encoder, self.features, songs, NormsSummary::shipped(), self.run.measure_mixes)?;
        Ok(errors.map(|errors| {
            let mut absolute: Vec<f64> = errors.iter().map(|(e, _)| f64::from(e.abs())).collect();
            absolute.sort_by(f64::total_cmp);
            absolute.get(absolute.len() / 2).copied().unwrap_or(f64::NAN)
        }))
    }
}

/// Loss of one part's examples.
///
/// # Errors
/// As tensor operations.
pub fn shard_loss(
    encoder: &Encoder,
    part: EncoderPart,
    run: &EncoderRun,
    dropout: Option<&DropoutStream>,
) -> Result<ShardOutcome> {
    let EncoderPart { batch, targets } = part;
    let EncoderTargets { shares, weights, level_db, presence } = targets;
    let encoded = encoder.encode(&batch.input, dropout)?;
    let mask = mask_cross_entropy(&encoded.mask_logits, shares, weights)?;
    let Metered { mask_level_db, level_db: head_level_db, log_error, presence_logit, .. } =
        encoder.meter(&encoded, &batch.power, dropout)?;
    let there = presence.sum_all()?.to_scalar::<f32>()?.max(1.0) as f64;
    let mean = |x: Tensor| -> Result<Tensor> { Ok(((x * &presence)?.sum_all()? / there)?) };
    let level = mean((&mask_level_db - &level_db)?.abs()?)?;
    let head_error = (&head_level_db - &level_db)?.abs()?;
    let log_error = log_error.clamp(-2f64, 3f64)?;
    // Laplace: |error| / b + ln b.
    let head = mean(((&head_error / log_error.exp()?)? + &log_error)?)?;
    let head_db = mean(head_error.detach())?;
    // Binary cross-entropy with logits: softplus(x) - x y, softplus(x) = relu(x) + ln(1 + exp(-|x|)).
    let softplus = (presence_logit.relu()? + (presence_logit.abs()?.neg()?.exp()? + 1.0)?.log()?)?;
    let present = (softplus - (&presence_logit * &presence)?)?.mean_all()?;
    let loss = ((((&mask * run.mask_weight)? + (&level * run.level_weight)?)?
        + (&head * run.head_weight)?)?
        + (&present * 0.1)?)?;
    let scalar = |t: &Tensor| -> Result<f64> { Ok(f64::from(t.to_scalar::<f32>()?)) };
    let figures = vec![
        ("loss", scalar(&loss)?),
        ("mask", scalar(&mask)?),
        ("level_db", scalar(&level)?),
        ("head_db", scalar(&head_db)?),
        ("presence", scalar(&present)?),
    ];
    Ok(ShardOutcome { loss, figures })
}

/// The meter's errors on coherent, uncoloured mixes of `songs`, levelled after the norms and flawed: for each stem the
/// error in dB and what the head expected of it in dB.
///
/// # Errors
/// As tensor operations.
pub fn meter_errors(
    encoder: &Encoder,
    features: &FeatureSettings,
    songs: &MapCache,
    norms: &NormsSummary,
    mixes: usize,
) -> Result<[Vec<(f32, f32)>; Stem::COUNT]> {
    let settings = MixSettings {
        coherent: 1.0,
        foreign_voice: 0.0,
        after_norms: 1.0,
        stem_eq_sd_db: 0.0,
        bus_eq_sd_db: 0.0,
        augment: AugmentSettings::none(),
        ..MixSettings::default()
    };
    let mixer = Mixer::new(songs, &settings, norms);
    let mut errors: [Vec<(f32, f32)>; Stem::COUNT] = Default::default();
    for chunk in 0..mixes.div_ceil(12) {
        let examples: Vec<Example> = (0..12)
            .map(|i| {
                let mut rng = SmallRng::seed_from_u64(7_000_000 + (chunk * 12 + i) as u64);
                let plan = mixer.plan(&mut rng);
                mixer.mix(&plan, &mut rng)
            })
            .collect();
        let inputs: Vec<&[f32]> = examples.iter().map(|e| e.mix.as_slice()).collect();
        let batch = encoder_batch(&inputs, features, encoder.device())?;
        let metered = encoder.meter(&encoder.encode(&batch.input, None)?, &batch.power, None)?;
        let (levels, expected) =
            (metered.level_db.to_vec2::<f32>()?, metered.log_error.exp()?.to_vec2::<f32>()?);
        for (row, example) in examples.iter().enumerate() {
            for (c, truth) in example.rest_levels_db().into_iter().enumerate() {
                if let Some(truth) = truth.filter(|truth| f64::from(*truth) > QUIETEST_MEASURED_DB) {
                    errors[c].push((levels[row][c] - truth, expected[row][c]));
                }
            }
        }
    }
    Ok(errors)
}
