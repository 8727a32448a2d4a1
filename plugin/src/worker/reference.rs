//! Measures a reference file in small steps, so that the worker can read audio between them and stop at any time.

use super::advice_model::AdviceModel;
use crate::view::Reference;
use mixing_buddy_core::audio::ModelRateStream;
use mixing_buddy_core::features::{BandPower, FeatureSettings, FeatureStream};
use mixing_buddy_core::{Analysis, CancelFlag, Error, PerStem, Result, Stem};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Longest file in seconds. Longer files are not songs and are refused.
const LONGEST_S: f64 = 3600.0;
/// Largest number of windows that are measured, spread over the file. Not tuned.
const MOST_WINDOWS: usize = 24;
/// Distance between windows in seconds if the length of the file is unknown. Not tuned.
const SPACING_S: f64 = 20.0;

/// A file being measured.
pub struct ReferenceJob {
    path: PathBuf,
    stream: ModelRateStream,
    settings: FeatureSettings,
    features: FeatureStream,
    /// Samples decoded so far, at the model's rate.
    decoded: u64,
    /// Where the current window starts, in samples.
    window_start: u64,
    /// Distance between the starts of two windows, in samples.
    spacing: u64,
    rows: Vec<f32>,
    analyses: Vec<Analysis>,
    left: Vec<f32>,
    right: Vec<f32>,
}

/// Progress of a job.
#[derive(Debug)]
pub enum Progress {
    /// The part that is done, 0 to 1.
    Part(f32),
    /// The finished reference, and what of the file was corrected or lost, each a sentence with its name.
    Done(Box<Reference>, Vec<String>),
}

impl ReferenceJob {
    /// Opens a file.
    ///
    /// # Errors
    /// When it is not audio or longer than an hour.
    pub fn open(path: &Path, model: &dyn AdviceModel) -> Result<Self> {
        let settings = model.features();
        let stream = ModelRateStream::open(path, settings.sample_rate_hz)?;
        let duration_s = stream.duration_s();
        if duration_s.is_some_and(|seconds| seconds > LONGEST_S) {
            return Err(too_long(path));
        }
        let window_s = f64::from(FeatureSettings::WINDOW_S);
        let spacing_s = duration_s.map_or(SPACING_S, |s| s / MOST_WINDOWS as f64).max(window_s);
        Ok(ReferenceJob {
            path: path.to_path_buf(),
            features: FeatureStream::new(settings, model.separator())?,
            stream,
            decoded: 0,
            window_start: 0,
            spacing: (spacing_s * f64::from(settings.sample_rate_hz)) as u64,
            rows: Vec::new(),
            analyses: Vec::new(),
            left: Vec::new(),
            right: Vec::new(),
            settings: settings.clone(),
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The windows that are analyzed so far.
    pub fn analyses(&self) -> &[Analysis] {
        &self.analyses
    }

    /// Works for about `budget`; analyzing a complete window can take longer.
    ///
    /// # Errors
    /// When the file cannot be read or has nothing to measure, or when cancelled.
    pub fn step(
        &mut self,
        model: &dyn AdviceModel,
        cancel: &CancelFlag,
        budget: Duration,
    ) -> Result<Progress> {
        let started = Instant::now();
        while started.elapsed() < budget {
            cancel.check()?;
            self.left.clear();
            self.right.clear();
            if !self.stream.next_chunk(&mut self.left, &mut self.right)? {
                let reference = self.finish(model, cancel)?;
                return Ok(Progress::Done(Box::new(reference), self.stream.warnings()));
            }
            let limit = (LONGEST_S * f64::from(self.settings.sample_rate_hz)) as u64;
            if self.decoded > limit {
                return Err(too_long(&self.path));
            }
            if self.take_chunk(cancel)? {
                self.analyze(model, cancel)?;
                break;
            }
        }
        let rate = f64::from(self.settings.sample_rate_hz);
        let whole_s = self.stream.duration_s().unwrap_or(LONGEST_S).max(1.0);
        Ok(Progress::Part((self.decoded as f64 / rate / whole_s).min(1.0) as f32))
    }

    /// Takes the samples that belong to the current window; true if the window is complete.
    fn take_chunk(&mut self, cancel: &CancelFlag) -> Result<bool> {
        let skip = self.window_start.saturating_sub(self.decoded).min(self.left.len() as u64) as usize;
        self.decoded += self.left.len() as u64;
        let rows = &mut self.rows;
        self.features
            .push(&self.left[skip..], &self.right[skip..], cancel, |row| rows.extend_from_slice(row))?;
        Ok(self.rows.len() >= self.window_frames() * self.features.row_values())
    }

    fn window_frames(&self) -> usize {
        self.settings.frames(self.settings.window_samples())
    }

    fn analyze(&mut self, model: &dyn AdviceModel, cancel: &CancelFlag) -> Result<()> {
        let values = self.settings.row_values();
        let patches = self.rows.len() / values / self.settings.patch_frames;
        let frames = (patches * self.settings.patch_frames).min(self.window_frames());
        let power = BandPower::from_rows(&self.rows[..frames * values], &self.settings);
        let analysis = model.analyze(&power, cancel)?;
        self.analyses.push(analysis);
        self.rows.clear();
        self.features.restart();
        // Samples decoded beyond this window are dropped, so the next window starts after them.
        self.window_start = (self.window_start + self.spacing).max(self.decoded);
        Ok(())
    }

    fn finish(&mut self, model: &dyn AdviceModel, cancel: &CancelFlag) -> Result<Reference> {
        let rows = &mut self.rows;
        self.features.finish(cancel, |row| rows.extend_from_slice(row))?;
        let frames = self.rows.len() / self.features.row_values();
        let left_s = (frames * self.settings.hop_samples) as f32 / self.settings.sample_rate_hz as f32;
        if left_s >= FeatureSettings::SHORTEST_S {
            self.analyze(model, cancel)?;
        } else if self.analyses.is_empty() {
            return Err(Error::audio(
                &self.path,
                "is shorter than three seconds, which is too short to measure",
            ));
        }
        let name = self.path.file_name().unwrap_or(self.path.as_os_str()).to_string_lossy().into_owned();
        reference_of(model, name, &self.analyses)
            .ok_or_else(|| Error::audio(&self.path, "contains no vocals, drums or bass to measure"))
    }
}

fn too_long(path: &Path) -> Error {
    Error::audio(path, "is longer than an hour. Choose one song")
}

/// The mean balance of several windows as a reference; none if no stem is present in them.
pub fn reference_of(model: &dyn AdviceModel, name: String, analyses: &[Analysis]) -> Option<Reference> {
    let audible: Vec<Analysis> = analyses.iter().filter(|window| !window.silent).cloned().collect();
    let balance = model.reference_of(&audible)?;
    let levels_lu = PerStem::from_fn(|stem: Stem| {
        let levels: Vec<f32> = audible.iter().filter_map(|window| window.levels_lu[stem]).collect();
        (!levels.is_empty()).then(|| levels.iter().sum::<f32>() / levels.len() as f32)
    });
    Some(Reference { name, balance, levels_lu, windows: audible.len(), songs: 0, choices: Vec::new() })
}
