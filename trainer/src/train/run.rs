//! A run's folder: configuration, checkpoint, and where to go on.

use super::checkpoint::{resume_run, save_run};
use super::optimizer::AdamW;
use crate::files;
use anyhow::{Context, Result, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use std::path::{Path, PathBuf};

/// The folder of one run.
pub struct RunFolder {
    /// The folder.
    pub dir: PathBuf,
    checkpoint: PathBuf,
    config: String,
}

impl RunFolder {
    /// Makes or takes up the folder and keeps the configuration in it.
    ///
    /// # Errors
    /// When `batch` cannot be shared among `shards`, when a checkpoint is there and `resume` is not asked for, or when
    /// the folder cannot be written.
    pub fn open(dir: &Path, config: &str, batch: usize, shards: usize, resume: bool) -> Result<Self> {
        ensure!(shards > 0 && batch.is_multiple_of(shards), "'batch' must be a multiple of 'shards'");
        std::fs::create_dir_all(dir).with_context(|| format!("{} cannot be made", dir.display()))?;
        let checkpoint = dir.join("last.safetensors");
        ensure!(
            resume || !checkpoint.exists(),
            "{} exists: resume it, or choose another folder",
            checkpoint.display()
        );
        files::replace(&dir.join("config.toml"), config)?;
        Ok(RunFolder { dir: dir.to_path_buf(), checkpoint, config: config.to_string() })
    }

    /// Takes up the checkpoint if there is one; returns the steps taken so far.
    ///
    /// # Errors
    /// When it is damaged, or of another architecture or configuration.
    pub fn begin(&self, optimizer: &mut AdamW) -> Result<usize> {
        if self.checkpoint.exists() { resume_run(&self.checkpoint, optimizer, &self.config) } else { Ok(0) }
    }

    /// Saves the run's state.
    ///
    /// # Errors
    /// When the disk is full; the last checkpoint then stands.
    pub fn save(&self, optimizer: &AdamW) -> Result<()> {
        save_run(&self.checkpoint, optimizer, &self.config)
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

/// A progress bar with a message and the time left.
pub fn progress(name: &str, steps: usize, start: usize) -> ProgressBar {
    let template = format!("{name} {{wide_bar}} {{pos}}/{{len}}, {{msg}} {{eta}} left");
    let style = ProgressStyle::with_template(&template).expect("a valid template");
    let bar = ProgressBar::new(steps as u64).with_style(style);
    bar.set_position(start as u64);
    bar
}
