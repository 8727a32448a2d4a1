//! The folder of a run: configuration, checkpoint, and where to resume.

use super::checkpoint::{resume_run, save_run};
use super::optimizer::AdamW;
use super::ranks::Ranks;
use crate::files;
use anyhow::{Context, Result, ensure};
use candle_core::Device;
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What a run is started with.
#[derive(Clone, Copy)]
pub struct RunStart<'a> {
    /// The configuration (TOML text).
    pub config: &'a str,
    /// The run's folder.
    pub out: &'a Path,
    /// Whether to resume from the checkpoint in the folder.
    pub resume: bool,
    /// Where the run computes.
    pub device: &'a Device,
    /// The processes that work on it. The first alone uses the folder.
    pub ranks: &'a dyn Ranks,
}

/// The file in the folder of a run that the run resumes from.
pub const CHECKPOINT_FILE: &str = "last.safetensors";

/// The folder of one run.
pub struct RunFolder {
    /// The folder.
    pub dir: PathBuf,
    /// The configuration (TOML text).
    pub config: String,
    checkpoint: PathBuf,
    /// Whether this process writes into the folder.
    is_own: bool,
    started: Instant,
    /// Time that was spent before this start.
    spent_before: Cell<Duration>,
}

impl RunFolder {
    /// Makes or opens the folder and writes the configuration into it, on the first rank. The others need no folder.
    ///
    /// # Errors
    /// When it holds a checkpoint and `resume` is not set, or when the folder cannot be written.
    pub fn open(start: &RunStart<'_>) -> Result<Self> {
        let (dir, config) = (start.out, start.config);
        let checkpoint = dir.join(CHECKPOINT_FILE);
        let is_own = start.ranks.is_first();
        if is_own {
            std::fs::create_dir_all(dir).with_context(|| format!("{} cannot be created", dir.display()))?;
            ensure!(
                start.resume || !checkpoint.exists(),
                "{} exists: resume it, or choose another folder",
                checkpoint.display()
            );
            files::replace(&dir.join("config.toml"), config)?;
        }
        Ok(RunFolder {
            dir: dir.to_path_buf(),
            config: config.to_string(),
            checkpoint,
            is_own,
            started: Instant::now(),
            spent_before: Cell::default(),
        })
    }

    /// Restores the state of the checkpoint if there is one; returns the steps taken so far.
    ///
    /// # Errors
    /// When it is damaged, or of another architecture or configuration.
    pub fn resume(&self, optimizer: &mut AdamW) -> Result<usize> {
        if !self.checkpoint.exists() {
            return Ok(0);
        }
        let (step, spent) = resume_run(&self.checkpoint, optimizer, &self.config)?;
        self.spent_before.set(spent);
        Ok(step)
    }

    /// Saves the state of the run.
    ///
    /// # Errors
    /// When the disk is full; the last checkpoint then stays as it is.
    pub fn save(&self, optimizer: &AdamW) -> Result<()> {
        save_run(&self.checkpoint, optimizer, &self.config, self.spent())?;
        tracing::debug!("step {}: wrote {}", optimizer.steps_taken(), self.checkpoint.display());
        Ok(())
    }

    /// How long the run has taken so far, all its starts together. Work after a checkpoint that was lost does not count.
    pub fn spent(&self) -> Duration {
        self.spent_before.get() + self.started.elapsed()
    }

    /// The start of a message about a failed step: which weights remain.
    pub fn stop_note(&self) -> String {
        if self.checkpoint.exists() {
            format!("training stopped; {} holds the last good weights", self.checkpoint.display())
        } else if !self.is_own {
            // The folder may be on another machine.
            "training stopped".into()
        } else {
            "training stopped before its first checkpoint".into()
        }
    }
}
