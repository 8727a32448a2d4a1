//! Runs the stages of a plan, one after another.

use super::config::{EncoderStage, Plan, scaled};
use super::state::{FinishedStage, PlanState};
use crate::collections::songs::{SongsBelow, songs_below};
use crate::collections::stream::ComingSong;
use crate::files;
use crate::mixing::prepare::{PrepareOptions, Prepared, prepare};
use crate::train::calibrate::{BundleParts, CALIBRATION_MIXES, build_bundle};
use crate::train::examples::tuning::MixSource;
use crate::train::ranks::OneProcess;
use crate::train::report::in_words;
use crate::train::run::{CHECKPOINT_FILE, RunStart};
use crate::train::runlog::last_figure;
use crate::train::runs::advisor::{AdvisorRun, train_advisor};
use crate::train::runs::decoder::{DecoderRun, train_decoder};
use crate::train::runs::dpo::{DpoRun, train_dpo};
use crate::train::runs::encoder::{EncoderRun, train_encoder};
use crate::weights::{Part, TOKENIZER};
use anyhow::{Context, Result, ensure};
use candle_core::Device;
use mixing_buddy_core::features::FeatureSettings;
use mixing_buddy_core::language::AdviceTokenizer;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::Instant;
use toml::{Table, Value};

/// What a model is trained on.
#[derive(Clone, Copy, Debug)]
pub enum PlanInput<'a> {
    /// A folder of songs, prepared as the first stage.
    Songs(&'a Path),
    /// A folder of feature maps.
    Cache(&'a Path),
}

/// How a plan is run.
#[derive(Clone, Copy)]
pub struct PlanOptions<'a> {
    /// What steps, mixes and validation are multiplied by.
    pub scale: f64,
    /// Whether to resume a plan that was interrupted.
    pub resume: bool,
    /// Where the runs compute.
    pub device: &'a Device,
}

/// One stage.
enum Stage<'a> {
    Prepare(&'a Path),
    Encoder(&'a EncoderStage),
    Decoder,
    Advisor,
    Dpo(&'a Table),
    Bundle,
}

impl Stage<'_> {
    /// The name in messages, and of the folder of the stage.
    fn name(&self) -> String {
        match self {
            Stage::Prepare(_) => "cache".into(),
            Stage::Encoder(stage) => encoder_folder(&stage.name),
            Stage::Decoder => "decoder".into(),
            Stage::Advisor => "advisor".into(),
            Stage::Dpo(_) => "dpo".into(),
            Stage::Bundle => "bundle".into(),
        }
    }
}

fn encoder_folder(stage: &str) -> String {
    format!("encoder-{stage}")
}

/// The bundle in the folder of a plan.
pub const BUNDLE_FILE: &str = "compact.mixbuddy";
/// The table of the stages in the folder of a plan.
pub const SUMMARY_FILE: &str = "summary.md";

/// Runs all stages of a plan that are not finished, in the folder `out`: features (`cache`), one folder per run, the
/// bundle and a summary. Returns the summary.
///
/// # Errors
/// When the scale is not a positive number, `out` holds another plan, or a stage fails; the stages before it are kept.
pub fn run_plan(plan: &Plan, input: PlanInput<'_>, out: &Path, options: PlanOptions<'_>) -> Result<String> {
    ensure!(
        options.scale.is_finite() && options.scale > 0.0,
        "the scale is {}; a number above 0 is needed",
        options.scale
    );
    let mut state = PlanState::open(out, &plan.text, options.scale, options.resume)?;
    // Configurations name the folders of earlier stages: the same names from wherever the plan is resumed.
    let out = &out.canonicalize().with_context(|| format!("{} cannot be read", out.display()))?;
    let cache = match input {
        PlanInput::Songs(_) => out.join("cache"),
        PlanInput::Cache(cache) => cache.to_path_buf(),
    };
    let last = plan.encoders.last().context("the plan has no [[encoder]] stage")?;
    let encoder = out.join(encoder_folder(&last.name));
    let runner = Runner { plan, out, cache, encoder, options };

    let mut stages = Vec::new();
    if let PlanInput::Songs(songs) = input {
        stages.push(Stage::Prepare(songs));
    }
    stages.extend(plan.encoders.iter().map(Stage::Encoder));
    stages.extend([Stage::Decoder, Stage::Advisor]);
    stages.extend(plan.dpo.as_ref().map(Stage::Dpo));
    stages.push(Stage::Bundle);
    let count = stages.len();
    for (number, stage) in stages.iter().enumerate() {
        let name = stage.name();
        if let Some(finished) = state.finished(&name) {
            tracing::info!("stage {} of {count}, {name}: finished, {}", number + 1, finished.result);
            continue;
        }
        tracing::info!("stage {} of {count}, {name}: starts", number + 1);
        let started = Instant::now();
        let result = runner.run(stage).with_context(|| format!("stage {name}"))?;
        let time = started.elapsed();
        tracing::info!("stage {} of {count}, {name}: finished in {}, {result}", number + 1, in_words(time));
        state.finish(FinishedStage { stage: name, seconds: time.as_secs(), result })?;
    }
    let summary = state.summary();
    files::replace(&out.join(SUMMARY_FILE), &summary)?;
    Ok(summary)
}

struct Runner<'a> {
    plan: &'a Plan,
    out: &'a Path,
    cache: PathBuf,
    /// Folder of the last encoder stage.
    encoder: PathBuf,
    options: PlanOptions<'a>,
}

impl Runner<'_> {
    /// Runs a stage; returns its result in words.
    fn run(&self, stage: &Stage<'_>) -> Result<String> {
        let folder = self.out.join(stage.name());
        match stage {
            Stage::Prepare(songs) => self.prepare(songs),
            Stage::Encoder(stage) => {
                let run = EncoderRun::from_toml(&stage.run.to_string())?;
                let mut config = scaled(&stage.run, &run, self.options.scale)?;
                if let Some(from) = &stage.start_from {
                    let from = self.out.join(encoder_folder(from));
                    config.insert("start_from".into(), Value::String(from.display().to_string()));
                }
                self.start(&folder, &config.to_string(), |start| train_encoder(start, &self.cache))?;
                Ok(result(&folder, &[("calib_mean_db", "dB mean error on `calib` songs")]))
            }
            Stage::Decoder => {
                let config = self.config(&self.plan.decoder, DecoderRun::from_toml)?;
                let tokenizer = AdviceTokenizer::from_bytes(TOKENIZER)?;
                self.start(&folder, &config, |start| train_decoder(start, tokenizer))?;
                Ok(result(&folder, &[("validation", "nats"), ("decision", "nats per decision")]))
            }
            Stage::Advisor => {
                let config = self.config(&self.plan.advisor, AdvisorRun::from_toml)?;
                let decoder = self.out.join(Stage::Decoder.name());
                self.start(&folder, &config, |start| train_advisor(start, Some(self.source()), &decoder))?;
                Ok(result(&folder, &[("validation", "nats"), ("decision", "nats per decision")]))
            }
            Stage::Dpo(keys) => {
                let config = self.config(keys, DpoRun::from_toml)?;
                let advisor = self.out.join(Stage::Advisor.name());
                self.start(&folder, &config, |start| train_dpo(start, self.source(), &advisor))?;
                Ok(result(&folder, &[("validation", "loss"), ("preferred", "of the pairs preferred")]))
            }
            Stage::Bundle => self.bundle(),
        }
    }

    fn prepare(&self, songs: &Path) -> Result<String> {
        let settings = &self.plan.prepare;
        let options = PrepareOptions {
            features: FeatureSettings { separated: settings.separated.clone(), ..FeatureSettings::default() },
            variants: settings.variants,
            windows: settings.windows,
            threads: settings.threads,
            seed: settings.seed,
            networks: settings.networks.clone(),
        };
        let SongsBelow { songs, refused: unusable } = songs_below(songs, 0.0)?;
        let songs = songs.into_iter().map(|song| Ok(ComingSong::on_disk(song)));
        let Prepared { songs: count, mut refused, .. } = prepare(songs, &self.cache, &options)?;
        refused.extend(unusable);
        refused.iter().for_each(|reason| tracing::warn!("refused {reason}"));
        ensure!(count > 0, "none of the songs can be used");
        Ok(format!("{count} songs, {} refused", refused.len()))
    }

    fn bundle(&self) -> Result<String> {
        let decoder = match &self.plan.dpo {
            Some(_) => self.out.join("dpo").join("dpo.safetensors"),
            None => self.out.join(Stage::Advisor.name()).join(Part::Advisor.file_name()),
        };
        let mixes = (CALIBRATION_MIXES as f64 * self.options.scale).round().max(1.0) as usize;
        let parts = BundleParts {
            encoder: &self.encoder,
            decoder: &decoder,
            cache: &self.cache,
            version: &self.plan.version,
            mixes: mixes.min(CALIBRATION_MIXES),
            networks: self.plan.prepare.networks.as_deref(),
        };
        let calibration = build_bundle(&parts, &self.out.join(BUNDLE_FILE))?;
        let (version, threshold) = (&self.plan.version, calibration.threshold);
        Ok(format!("{BUNDLE_FILE}, version {version}, threshold {threshold:.2}"))
    }

    fn source(&self) -> MixSource<'_> {
        MixSource { cache: &self.cache, encoder: &self.encoder }
    }

    fn config<R: Serialize>(&self, keys: &Table, read: impl Fn(&str) -> Result<R>) -> Result<String> {
        Ok(scaled(keys, &read(&keys.to_string())?, self.options.scale)?.to_string())
    }

    /// Starts a run, or resumes it if its folder holds a checkpoint.
    fn start(
        &self,
        folder: &Path,
        config: &str,
        train: impl FnOnce(&RunStart<'_>) -> Result<()>,
    ) -> Result<()> {
        let resume = folder.join(CHECKPOINT_FILE).exists();
        train(&RunStart { config, out: folder, resume, device: self.options.device, ranks: &OneProcess })
    }
}

/// The last step of a run, and the last value of the first of these figures that its log has.
fn result(folder: &Path, figures: &[(&str, &str)]) -> String {
    let found = figures.iter().find_map(|(column, unit)| {
        let (step, figure) = last_figure(folder, column)?;
        Some(format!("{figure:.3} {unit} at step {step}"))
    });
    found.unwrap_or_else(|| "no figures".into())
}
