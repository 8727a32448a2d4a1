//! A run's folder: configuration, checkpoint, and where to go on.

use super::checkpoint::{resume_run, save_run};
use super::optimizer::AdamW;
use crate::files;
use anyhow::{Context, Result, ensure};
use candle_core::Device;
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What every run is started with.
#[derive(Clone, Copy)]
pub struct RunStart<'a> {
    /// The configuration (TOML text).
    pub config: &'a str,
    /// The run's folder.
    pub out: &'a Path,
    /// Whether to go on from the folder's checkpoint.
    pub resume: bool,
    /// Where the run computes.
    pub device: &'a Device,
}

/// The folder of one run.
pub struct RunFolder {
    /// The folder.
    pub dir: PathBuf,
    /// The configuration (TOML text).
    pub config: String,
    checkpoint: PathBuf,
    began: Instant,
    /// What was spent before this start.
    spent_before: Cell<Duration>,
}

impl RunFolder {
    /// Makes or takes up the folder and keeps the configuration in it.
    ///
    /// # Errors
    /// When a checkpoint is there and it is not asked to resume, or when the folder cannot be written.
    pub fn open(start: &RunStart<'_>) -> Result<Self> {
        let (dir, config) = (start.out, start.config);
        std::fs::create_dir_all(dir).with_context(|| format!("{} cannot be made", dir.display()))?;
        let checkpoint = dir.join("last.safetensors");
        ensure!(
            start.resume || !checkpoint.exists(),
            "{} exists: resume it, or choose another folder",
            checkpoint.display()
        );
        files::replace(&dir.join("config.toml"), config)?;
        Ok(RunFolder {
            dir: dir.to_path_buf(),
            config: config.to_string(),
            checkpoint,
            began: Instant::now(),
            spent_before: Cell::default(),
        })
    }

    /// Takes up the checkpoint if there is one; returns the steps taken so far.
    ///
    /// # Errors
    /// When it is damaged, or of another architecture or configuration.
    pub fn begin(&self, optimizer: &mut AdamW) -> Result<usize> {
        if !self.checkpoint.exists() {
            return Ok(0);
        }
        let (step, spent) = resume_run(&self.checkpoint, optimizer, &self.config)?;
        self.spent_before.set(spent);
        Ok(step)
    }

    /// Saves the run's state.
    ///
    /// # Errors
    /// When the disk is full; the last checkpoint then stands.
    pub fn save(&self, optimizer: &AdamW) -> Result<()> {
        save_run(&self.checkpoint, optimizer, &self.config, self.spent())
    }

    /// How long the run has taken so far, all its starts together; what was done after a checkpoint and lost is not
    /// counted.
    pub fn spent(&self) -> Duration {
        self.spent_before.get() + self.began.elapsed()
    }

    /// Says, of a failed step, what still stands.
    pub fn what_stands(&self) -> String {
        if self.checkpoint.exists() {
            format!("training stopped; {} holds the last good weights", self.checkpoint.display())
        } else {
            "training stopped before its first checkpoint".into()
        }
    }
}
