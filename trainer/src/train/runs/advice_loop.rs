//! The loop of the language model runs: steps over advice examples, log, validation, checkpoints, export.

use super::setup::RunSetup;
use crate::progress::progress;
use crate::train::early_stop::{Progress, Watch};
use crate::train::optimizer::AdamW;
use crate::train::report::RunReport;
use crate::train::runlog::RunLog;
use crate::train::shards::{ShardOutcome, gradients_of};
use anyhow::{Context, Result};
use indicatif::ProgressBar;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

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

/// What the first rank keeps of a run.
struct Notes {
    log: RunLog,
    watch: Watch,
    bar: ProgressBar,
    /// Means of the figures since the last row of the log.
    means: BTreeMap<String, f64>,
}

/// Writes the weights of the run after a step.
type Export<'a> = &'a dyn Fn(&AdamW, usize, &Path) -> Result<()>;

impl AdviceLoop<'_> {
    /// Takes the steps from `start` on. `loss(number)` is the loss of the examples of a part
    /// ([`crate::train::shards::BatchSplit::number`]); `validate` measures at each checkpoint, and
    /// `export(optimizer, step, path)` writes the weights of the run: `NAME.safetensors` of the last checkpoint, and
    /// `NAME-best.safetensors` of the best. The first rank alone measures and writes: the log with the earlier figures is
    /// in its folder, and the others would only compute the same figure again. They wait to hear whether the run ends.
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
        let RunSetup { schedule, split, folder, ranks, .. } = self.setup;
        let mut notes = if ranks.is_first() { Some(self.notes(start)?) } else { None };
        let has_stopped = |notes: &Option<Notes>| {
            ranks.as_first(notes.as_ref().is_some_and(|notes| notes.watch.has_stopped()))
        };
        let mut is_over = has_stopped(&notes);
        for step in start..schedule.steps {
            if is_over {
                break;
            }
            let done = step + 1;
            ranks.begin_step(done);
            let rate = schedule.optimizer.learning_rate_at(step, schedule.steps);
            let part = |part: usize| loss(split.number(step, part));
            let (grads, mut figures) = gradients_of(*ranks, optimizer.vars(), *split, part)
                .with_context(|| format!("{}: step {done}", folder.stop_note()))?;
            let norm = optimizer.step(&grads, rate).with_context(|| folder.stop_note())?;
            figures.extend([("gradient_norm", norm), ("learning_rate", rate)]);
            let is_checkpoint = self.setup.is_checkpoint(done);
            if is_checkpoint {
                self.setup.compare_weights(optimizer)?;
            }
            if let Some(notes) = &mut notes {
                self.note(notes, done, figures)?;
                if is_checkpoint {
                    self.checkpoint(notes, done, optimizer, validate, &export)?;
                }
            }
            if is_checkpoint {
                is_over = has_stopped(&notes);
            }
        }
        if let Some(notes) = notes {
            self.finish(&notes);
        }
        Ok(())
    }

    fn notes(&self, start: usize) -> Result<Notes> {
        let RunSetup { schedule, folder, .. } = self.setup;
        let columns = [&["loss"], self.figures, &["gradient_norm", "learning_rate", "validation"]].concat();
        let log = RunLog::open(&folder.dir, &columns, start)?;
        let watch = Watch::new(schedule.early_stop, &log.figures("validation")?);
        Ok(Notes { log, watch, bar: progress(self.name, schedule.steps, start), means: BTreeMap::new() })
    }

    /// A file of the run's weights.
    fn file(&self, suffix: &str) -> PathBuf {
        self.setup.folder.dir.join(format!("{}{suffix}.safetensors", self.name))
    }

    /// Notes the figures of a step.
    fn note(&self, notes: &mut Notes, done: usize, figures: Vec<(&'static str, f64)>) -> Result<()> {
        for (name, value) in figures {
            *notes.means.entry(name.to_string()).or_default() += value / LOG_STEPS as f64;
        }
        notes.bar.set_position(done as u64);
        if done.is_multiple_of(LOG_STEPS) {
            let shown = self.figures.iter().map(|name| format!("{name} {:.3},", notes.means[*name]));
            notes.bar.set_message(shown.collect::<Vec<_>>().join(" "));
            notes.log.row(done, &notes.means)?;
            notes.means.clear();
        }
        Ok(())
    }

    /// Measures the weights and writes all files.
    fn checkpoint(
        &self,
        notes: &mut Notes,
        done: usize,
        optimizer: &AdamW,
        validate: Option<Validation<'_>>,
        export: Export<'_>,
    ) -> Result<()> {
        let Notes { log, watch, .. } = notes;
        if let Some(validate) = validate {
            let figure = validate(optimizer)?;
            tracing::info!("step {done}: validation {figure:.4}");
            log.row(done, &BTreeMap::from([("validation".to_string(), figure)]))?;
            if watch.observe(done, figure) == Progress::Best {
                export(optimizer, done, &self.file("-best"))?;
            }
        }
        export(optimizer, done, &self.file(""))?;
        log.plot(self.name, &[self.figures, &["validation"]].concat())?;
        let report = RunReport {
            title: self.name,
            steps: (done, self.setup.schedule.steps),
            has_stopped: watch.has_stopped(),
            measured: "validation figure",
            best: watch.best(),
        };
        report.write(&self.setup.folder, log)?;
        // Last: a run that is killed before this line repeats the steps and exports them again.
        self.setup.folder.save(optimizer)
    }

    fn finish(&self, notes: &Notes) {
        notes.bar.finish_and_clear();
        if let (true, Some((best, figure))) = (notes.watch.has_stopped(), notes.watch.best()) {
            tracing::info!(
                "stopped early: the best validation figure was {figure:.4} at step {best}; {} holds these weights",
                self.file("-best").display()
            );
        }
    }
}
