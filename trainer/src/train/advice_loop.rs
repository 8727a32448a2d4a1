//! The loop that pretraining, tuning and preference tuning share: steps over advice examples, log, checkpoints, export.

use super::early_stop::{EarlyStop, Progress, Watch};
use super::optimizer::{AdamW, OptimizerSettings};
use super::report::RunReport;
use super::run::RunFolder;
use super::runlog::RunLog;
use super::shards::{BatchSplit, ShardOutcome, gradients};
use crate::progress::progress;
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::path::Path;

/// What the loop needs to know of a run.
pub struct AdviceSteps<'a> {
    /// Name of the run, for the progress bar, the plot and the report.
    pub name: &'static str,
    /// Names of the figures that are logged beside the loss.
    pub figures: &'a [&'static str],
    /// Steps in all.
    pub steps: usize,
    /// How a step's examples are divided.
    pub split: BatchSplit,
    /// Steps between checkpoints.
    pub checkpoint_steps: usize,
    /// Optimiser.
    pub optimizer: &'a OptimizerSettings,
    /// When the run ends before its last step, by the validation figure.
    pub early_stop: &'a EarlyStop,
}

/// A figure on held-out examples, the lower the better, of the averaged weights.
pub type Validation<'a> = &'a dyn Fn(&AdamW) -> Result<f64>;

/// Steps between rows of the log.
const LOG_STEPS: usize = 25;

/// Takes the steps from `start` on. `loss(number)` is the loss of the examples of a part ([`BatchSplit::number`]);
/// `validate` measures at each checkpoint, and `export(optimizer, step, path)` writes the run's weights:
/// `NAME.safetensors` of the last checkpoint, and `NAME-best.safetensors` of the best.
///
/// # Errors
/// When a loss is not a number (the last good checkpoint then stands), or the disk is full.
pub fn train_advice(
    plan: &AdviceSteps<'_>,
    folder: &RunFolder,
    optimizer: &mut AdamW,
    start: usize,
    loss: impl Fn(u64) -> Result<ShardOutcome> + Sync,
    validate: Option<Validation<'_>>,
    export: impl Fn(&AdamW, usize, &Path) -> Result<()>,
) -> Result<()> {
    let columns = [&["loss"], plan.figures, &["gradient_norm", "learning_rate", "validation"]].concat();
    let log = RunLog::open(&folder.dir, &columns, start)?;
    let mut watch = Watch::new(plan.early_stop, &log.figures("validation")?);
    let file = |suffix: &str| folder.dir.join(format!("{}{suffix}.safetensors", plan.name));
    let bar = progress(plan.name, plan.steps, start);
    let mut means: BTreeMap<String, f64> = BTreeMap::new();
    for step in start..plan.steps {
        if watch.has_stopped() {
            break;
        }
        let rate = plan.optimizer.learning_rate_at(step, plan.steps);
        let part = |part: usize| loss(plan.split.number(step, part));
        let (grads, figures) = gradients(optimizer.vars(), plan.split, part)
            .with_context(|| format!("{}: step {}", folder.what_stands(), step + 1))?;
        let norm = optimizer.step(&grads, rate).with_context(|| folder.what_stands())?;
        for (name, value) in figures.into_iter().chain([("gradient_norm", norm), ("learning_rate", rate)]) {
            *means.entry(name.to_string()).or_default() += value / LOG_STEPS as f64;
        }
        let done = step + 1;
        bar.set_position(done as u64);
        if done % LOG_STEPS == 0 {
            let told = plan.figures.iter().map(|name| format!("{name} {:.3},", means[*name]));
            bar.set_message(told.collect::<Vec<_>>().join(" "));
            log.row(done, &means)?;
            means.clear();
        }
        if done % plan.checkpoint_steps == 0 || done == plan.steps {
            if let Some(validate) = validate {
                let figure = validate(optimizer)?;
                log.row(done, &BTreeMap::from([("validation".to_string(), figure)]))?;
                if watch.observe(done, figure) == Progress::Best {
                    export(optimizer, done, &file("-best"))?;
                }
            }
            folder.save(optimizer)?;
            export(optimizer, done, &file(""))?;
            log.plot(plan.name, &[plan.figures, &["validation"]].concat())?;
            let report = RunReport {
                title: plan.name,
                steps: (done, plan.steps),
                has_stopped: watch.has_stopped(),
                measured: "validation figure",
                best: watch.best(),
            };
            report.write(folder, &log)?;
        }
    }
    bar.finish_and_clear();
    if let (true, Some((best, figure))) = (watch.has_stopped(), watch.best()) {
        eprintln!("stopped early: the best validation figure was {figure:.4} at step {best}");
    }
    Ok(())
}
