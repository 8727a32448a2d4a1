//! Trains the encoder: masks, levels, uncertainty, presence.

use super::checkpoint::{save_tensors, start_from};
use super::early_stop::{EarlyStop, Progress, Watch};
use super::mask_loss::mask_cross_entropy;
use super::optimizer::{AdamW, OptimizerSettings};
use super::run::{RunFolder, progress};
use super::runlog::RunLog;
use super::shards::{ShardOutcome, gradients};
use crate::data::augment::AugmentSettings;
use crate::data::batch::{EncoderTargets, encoder_batch, encoder_targets};
use crate::data::cache::{MapCache, MapHeader};
use crate::data::mixer::{Example, MixSettings, Mixer};
use anyhow::{Context, Result};
use candle_core::{Device, Tensor};
use mixing_buddy_core::encoder::{Encoder, EncoderConfig, Metered, STEMS};
use mixing_buddy_core::features::FeatureSettings;
use mixing_buddy_core::nn::{DropoutStream, Params};
use mixing_buddy_core::norms::NormsSummary;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

/// One encoder run, as in its TOML file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EncoderRun {
    /// Seed of everything random.
    pub seed: u64,
    /// Steps in all.
    pub steps: usize,
    /// Windows a step.
    pub batch: usize,
    /// Threads, each with its share of the batch.
    pub shards: usize,
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
    /// Weights of an earlier run (`encoder.safetensors`) to begin with; fresh ones where none is named.
    pub start_from: Option<std::path::PathBuf>,
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
            shards: 2,
            checkpoint_steps: 200,
            measure_steps: 400,
            measure_mixes: 240,
            mask_weight: 1.0,
            level_weight: 0.05,
            head_weight: 0.05,
            start_from: None,
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
/// Those of the errors by stem.
const STEM_COLUMNS: std::ops::Range<usize> = 9..13;

/// Runs (or goes on with) the training that `config` (the TOML text) describes, on the `train` songs of `cache_dir`,
/// into `out`.
///
/// # Errors
/// When the configuration, the cache or a checkpoint does not fit, the disk is full, or the loss stops being a number
/// (the last good checkpoint then stands).
pub fn train_encoder(config: &str, cache_dir: &Path, out: &Path, resume: bool) -> Result<()> {
    let run: EncoderRun = toml::from_str(config).context("the configuration cannot be used")?;
    let folder = RunFolder::open(out, config, run.batch, run.shards, resume)?;

    let train = MapCache::open(cache_dir, MapHeader::is_for_training)?;
    let calib = MapCache::open(cache_dir, MapHeader::is_for_calibration).ok();
    let features = train.songs[0].header.features.clone();
    let norms = NormsSummary::shipped();
    let mixer = Mixer::new(&train, &run.mix, norms);
    let params = Params::train(run.seed, &Device::Cpu);
    if let Some(path) = &run.start_from {
        start_from(&params, path)?;
    }
    let encoder = Encoder::new(&params, &run.encoder, &features)?;
    let mut optimizer = AdamW::new(params.vars(), &run.optimizer)?;
    let start = folder.begin(&mut optimizer)?;
    let log = RunLog::open(out, &COLUMNS, start)?;
    let weights: usize = params.vars().values().map(|v| v.elem_count()).sum();
    eprintln!("{} songs, {weights} weights, from step {start} of {}", train.songs.len(), run.steps);
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
        let share = run.batch / run.shards;
        let (grads, figures) = gradients(optimizer.vars(), run.shards, |shard| {
            let before = Instant::now();
            let examples: Vec<Example> = (0..share)
                .map(|i| {
                    let index = (step * run.batch + shard * share + i) as u64;
                    let mut rng =
                        SmallRng::seed_from_u64(run.seed.wrapping_mul(0x9e37_79b9).wrapping_add(index));
                    let plan = mixer.plan(&mut rng);
                    mixer.mix(&plan, &mut rng)
                })
                .collect();
            let data_time = before.elapsed();
            let dropout = DropoutStream::new(run.seed ^ ((step * run.shards + shard) as u64) << 32);
            shard_loss(&encoder, &features, &examples, &run, Some(&dropout), data_time)
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
                && let Some(calib) = &calib
            {
                let errors = measure_averaged(&run, &features, &optimizer, calib, norms)?;
                for (name, value) in COLUMNS[STEM_COLUMNS].iter().zip(errors) {
                    means.insert(name.to_string(), value);
                }
                let known: Vec<f64> = errors.into_iter().filter(|error| error.is_finite()).collect();
                let mean = known.iter().sum::<f64>() / known.len().max(1) as f64;
                means.insert("calib_mean_db".into(), mean);
                if watch.observe(done, mean) == Progress::Best {
                    export_averaged(&optimizer, &run, &features, &out.join("encoder-best.safetensors"))?;
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
            folder.save(&optimizer)?;
            export_averaged(&optimizer, &run, &features, &out.join("encoder.safetensors"))?;
            log.plot(
                "Encoder",
                &["mask", "calib_vocals_db", "calib_drums_db", "calib_bass_db", "calib_other_db"],
            )?;
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

fn export_averaged(
    optimizer: &AdamW,
    run: &EncoderRun,
    features: &FeatureSettings,
    path: &Path,
) -> Result<()> {
    let metadata = [
        ("encoder", serde_json::to_string(&run.encoder)?),
        ("features", serde_json::to_string(features)?),
        ("step", optimizer.steps_taken().to_string()),
    ];
    save_tensors(path, &optimizer.averaged()?, &metadata)
}

/// Loss of one shard's examples.
///
/// # Errors
/// As tensor operations.
pub fn shard_loss(
    encoder: &Encoder,
    features: &FeatureSettings,
    examples: &[Example],
    run: &EncoderRun,
    dropout: Option<&DropoutStream>,
    data_time: Duration,
) -> Result<ShardOutcome> {
    let before = Instant::now();
    let mixes: Vec<&[f32]> = examples.iter().map(|e| e.mix.as_slice()).collect();
    let batch = encoder_batch(&mixes, features, &Device::Cpu)?;
    let EncoderTargets { shares, weights, level_db, presence } =
        encoder_targets(examples, features, &Device::Cpu)?;
    let data_s = (data_time + before.elapsed()).as_secs_f64();
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
        ("data_s", data_s),
    ];
    Ok(ShardOutcome { loss, figures })
}

/// Median absolute error of the averaged weights' levels a stem, in dB.
fn measure_averaged(
    run: &EncoderRun,
    features: &FeatureSettings,
    optimizer: &AdamW,
    songs: &MapCache,
    norms: &NormsSummary,
) -> Result<[f64; STEMS]> {
    let params = Params::load(optimizer.averaged()?, BTreeMap::new(), &Device::Cpu);
    let encoder = Encoder::new(&params, &run.encoder, features)?;
    Ok(meter_errors(&encoder, features, songs, norms, run.measure_mixes)?.map(|errors| {
        let mut absolute: Vec<f64> = errors.iter().map(|(e, _)| f64::from(e.abs())).collect();
        absolute.sort_by(f64::total_cmp);
        absolute.get(absolute.len() / 2).copied().unwrap_or(f64::NAN)
    }))
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
) -> Result<[Vec<(f32, f32)>; STEMS]> {
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
    let mut errors: [Vec<(f32, f32)>; STEMS] = Default::default();
    for chunk in 0..mixes.div_ceil(12) {
        let examples: Vec<Example> = (0..12)
            .map(|i| {
                let mut rng = SmallRng::seed_from_u64(7_000_000 + (chunk * 12 + i) as u64);
                let plan = mixer.plan(&mut rng);
                mixer.mix(&plan, &mut rng)
            })
            .collect();
        let inputs: Vec<&[f32]> = examples.iter().map(|e| e.mix.as_slice()).collect();
        let batch = encoder_batch(&inputs, features, &Device::Cpu)?;
        let metered = encoder.meter(&encoder.encode(&batch.input, None)?, &batch.power, None)?;
        let (levels, expected) =
            (metered.level_db.to_vec2::<f32>()?, metered.log_error.exp()?.to_vec2::<f32>()?);
        for (row, example) in examples.iter().enumerate() {
            for (c, truth) in example.rest_levels_db().into_iter().enumerate() {
                if let Some(truth) = truth.filter(|truth| *truth > -25.0) {
                    errors[c].push((levels[row][c] - truth, expected[row][c]));
                }
            }
        }
    }
    Ok(errors)
}
