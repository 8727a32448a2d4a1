//! The loop of the language model runs: steps over advice examples, log, validation, checkpoints, export.

use super::setup::RunSetup;
use crate::progress::progress;
use crate::train::early_stop::{Progress, Watch};
use crate::train::optimizer::AdamW;
use crate::train::report::RunReport;
use crate::train::runlog::RunLog;
use crate::train::shards::{ShardOutcome, gradients};
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::path::Path;

/// A figure of the averaged weights on held-out examples; lower is better.
pub type Validation<'a> = &'a dyn Fn(&AdamW) -> Result<f64>;

/// Steps between rows of the log. Chosen, not tuned.
const LOG_STEPS: usize = 25;

/// The loop of one run.
pub struct AdviceLoop<'a> {
    /// Name of the run, for the progress bar, the plot, the report and the exported files.
    pub name: &'static str,
    /// Names of the figures that are logged besides the loss.
    pub figures: &'a [&'static str],
    /// Schedule and folder.
    pub setup: &'a RunSetup<'a>,
}

impl AdviceLoop<'_> {
    /// Takes the steps from `start` on. `loss(number)` is the loss of the examples of a part
    /// ([`crate::train::shards::BatchSplit::number`]); `validate` measures at each checkpoint, and
    /// `export(optimizer, step, path)` writes the weights of the run: `NAME.safetensors` of the last checkpoint, and
    /// `NAME-best.safetensors` of the best.
    ///
    /// # Errors
    /// When a loss is not a number (the last checkpoint then stays as it is), or the disk is full.
    pub fn run(
        &self,
        optimizer: &mut AdamW,
        start: usize,
        loss: impl Fn(u64) -> Result<ShardOutcome> + Sync,
        validate: Option<Validation<'_>>,
        export: impl Fn(&AdamW, usize, &Path) -> Result<()>,
    ) -> Result<()> {
        let AdviceLoop { name, figures, setup: RunSetup { schedule, split, folder, .. } } = *self;
        let columns = [&["loss"], figures, &["gradient_norm", "learning_rate", "validation"]].concat();
        let log = RunLog::open(&folder.dir, &columns, start)?;
        let mut watch = Watch::new(schedule.early_stop, &log.figures("validation")?);
        let file = |suffix: &str| folder.dir.join(format!("{name}{suffix}.safetensors"));
        let bar = progress(name, schedule.steps, start);
        let mut means: BTreeMap<String, f64> = BTreeMap::new();
        for step in start..schedule.steps {
            if watch.has_stopped() {
                break;
            }
            let rate = schedule.optimizer.learning_rate_at(step, schedule.steps);
            let part = |part: usize| loss(split.number(step, part));
            let (grads, values) = gradients(optimizer.vars(), *split, part)
                .with_context(|| format!("{}: step {}", folder.stop_note(), step + 1))?;
            let norm = optimizer.step(&grads, rate).with_context(|| folder.stop_note())?;
            for (name, value) in values.into_iter().chain([("gradient_norm", norm), ("learning_rate", rate)])
            {
                *means.entry(name.to_string()).or_default() += value / LOG_STEPS as f64;
            }
            let done = step + 1;
            bar.set_position(done as u64);
            if done % LOG_STEPS == 0 {
                let shown = figures.iter().map(|name| format!("{name} {:.3},", means[*name]));
                bar.set_message(shown.collect::<Vec<_>>().join(" "));
                log.row(done, &means)?;
                means.clear();
            }
            if done % schedule.checkpoint_steps == 0 || done == schedule.steps {
                if let Some(validate) = validate {
                    let figure = validate(optimizer)?;
                    tracing::info!("step {done}: validation {figure:.4}");
                    log.row(done, &BTreeMap::from([("validation".to_string(), figure)]))?;
                    if watch.observe(done, figure) == Progress::Best {
                        export(optimizer, done, &file("-best"))?;
                    }
                }
                export(optimizer, done, &file(""))?;
                log.plot(name, &[figures, &["validation"]].concat())?;
                let report = RunReport {
                    title: name,
                    steps: (done, schedule.steps),
                    has_stopped: watch.has_stopped(),
                    measured: "validation figure",
                    best: watch.best(),
                };
                report.write(folder, &log)?;
                // Last: a run that is killed before this line repeats the steps and exports them again.
                folder.save(optimizer)?;
            }
        }
        bar.finish_and_clear();
        if let (true, Some((best, figure))) = (watch.has_stopped(), watch.best()) {
            tracing::info!(
                "stopped early: the best validation figure was {figure:.4} at step {best}; {} holds these weights",
                file("-best").display()
            );
        }
        Ok(())
    }
}
