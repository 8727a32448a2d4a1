//! Analyzes a song window by window, in memory that does not grow with its length.

use crate::audio::{ModelRateStream, StereoPcm};
use crate::cancel::CancelFlag;
use crate::decoder::ReferenceBalance;
use crate::engine::{Analysis, Engine};
use crate::error::{Error, Result};
use crate::features::{BandPower, FeatureSettings, FeatureStream};
use crate::stem::PerStem;
use std::path::Path;

/// Seconds from one window to the next, unless a caller says otherwise.
pub const DEFAULT_HOP_S: f32 = 5.0;

/// A window of a song.
#[derive(Clone, Debug)]
pub struct Window {
    /// Start in the song, in seconds.
    pub start_s: f64,
    /// End in the song, in seconds.
    pub end_s: f64,
    /// The measurement.
    pub analysis: Analysis,
}

/// A file's windows.
pub struct Song {
    /// In the order of time.
    pub windows: Vec<Window>,
    /// What of the file was corrected or could not be decoded, each a sentence that names the file.
    pub warnings: Vec<String>,
}

/// How far the analysis of a file has come.
pub enum Step {
    /// More of it was decoded.
    Heard {
        /// Seconds decoded so far.
        until_s: f64,
        /// Length of the file in seconds, if it states one.
        length_s: Option<f64>,
    },
    /// A window was analyzed.
    Window(Window),
}

/// A reference.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Its name for a person.
    pub name: String,
    /// Its balance, as the model compares with it.
    pub balance: ReferenceBalance,
    /// The same levels in LU against the rest; none where a stem is absent.
    pub levels_lu: PerStem<Option<f32>>,
    /// As in [`Song`].
    pub warnings: Vec<String>,
}

/// The balance of a whole file, as a reference.
///
/// # Errors
/// As [`follow_file`], and when no stem is present.
pub fn measure_reference(
    engine: &Engine,
    path: &Path,
    cancel: &CancelFlag,
    mut visit: impl FnMut(&Step) -> Result<()>,
) -> Result<Measured> {
    let mut analyses = Vec::new();
    let warnings = follow_file(engine, path, FeatureSettings::WINDOW_S, cancel, |step| {
        visit(&step)?;
        if let Step::Window(window) = step {
            analyses.push(window.analysis);
        }
        Ok(())
    })?;
    let balance = engine.reference_of(&analyses);
    let balance = balance.ok_or_else(|| Error::audio(path, "has no stem that was found in it"))?;
    let levels_lu = engine.pool(&analyses).map_or(PerStem::default(), |pooled| pooled.levels_lu);
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    Ok(Measured { name, balance, levels_lu, warnings })
}

/// Analyzes all windows of full length of a sound at the model's rate, `hop_s` seconds apart.
///
/// # Errors
/// When a sample is not finite, or when cancelled.
pub fn analyze_windows(
    engine: &Engine,
    mix: &StereoPcm,
    hop_s: f32,
    cancel: &CancelFlag,
) -> Result<Vec<Window>> {
    let mut windows = Vec::new();
    let mut song = SongAnalysis::new(engine, hop_s, cancel)?;
    song.push(&mix.left, &mix.right)?;
    song.finish_features()?;
    song.analyze_full_windows(&mut |window| {
        windows.push(window);
        Ok(())
    })?;
    Ok(windows)
}

/// Analyzes a file window by window: all windows of [`follow_file`].
///
/// # Errors
/// As [`follow_file`].
pub fn analyze_file(engine: &Engine, path: &Path, hop_s: f32, cancel: &CancelFlag) -> Result<Song> {
    let mut windows = Vec::new();
    let warnings = follow_file(engine, path, hop_s, cancel, |step| {
        if let Step::Window(window) = step {
            windows.push(window);
        }
        Ok(())
    })?;
    Ok(Song { windows, warnings })
}

/// Analyzes a file and gives each step to `visit` as soon as it is done; little more than the features of the last ten
/// seconds are in memory. The last window ends with the song. Returns the warnings of [`Song`].
///
/// # Errors
/// When the file cannot be decoded, is shorter than 3 s, or holds samples that are not numbers; when cancelled; and what
/// `visit` returns.
pub fn follow_file(
    engine: &Engine,
    path: &Path,
    hop_s: f32,
    cancel: &CancelFlag,
    mut visit: impl FnMut(Step) -> Result<()>,
) -> Result<Vec<String>> {
    let named = |error: Error| match error {
        Error::Samples(reason) => Error::audio(path, reason),
        other => other,
    };
    let rate_hz = engine.info().features.sample_rate_hz;
    let mut stream = ModelRateStream::open(path, rate_hz)?;
    let length_s = stream.duration_s();
    let mut song = SongAnalysis::new(engine, hop_s, cancel)?;
    let (mut left, mut right) = (Vec::new(), Vec::new());
    while stream.next_chunk(&mut left, &mut right)? {
        song.push(&left, &right).map_err(named)?;
        song.analyze_full_windows(&mut |window| visit(Step::Window(window))).map_err(named)?;
        left.clear();
        right.clear();
        visit(Step::Heard { until_s: song.seconds(song.samples), length_s })?;
    }
    let end_s = song.seconds(song.samples);
    if end_s < f64::from(FeatureSettings::SHORTEST_S) {
        return Err(Error::audio(path, format!("is {end_s:.1} s long; at least 3 s are needed")));
    }
    song.finish_features().map_err(named)?;
    song.analyze_full_windows(&mut |window| visit(Step::Window(window))).map_err(named)?;
    if song.judged_until_s == 0.0 || end_s - song.judged_until_s >= 1.0 {
        let last = song.analyze_end().map_err(named)?;
        visit(Step::Window(last))?;
    }
    Ok(stream.warnings())
}

/// A song on its way from samples to analyses: features as a stream, as in the plugin, and windows cut from them.
struct SongAnalysis<'a> {
    engine: &'a Engine,
    cancel: &'a CancelFlag,
    features: FeatureStream,
    /// Rows of features from frame `dropped` on.
    rows: Vec<f32>,
    dropped: usize,
    /// First frame of the next window.
    next: usize,
    hop_frames: usize,
    window_frames: usize,
    /// Samples taken so far.
    samples: usize,
    /// End of the last window in seconds; 0 before the first.
    judged_until_s: f64,
}

impl<'a> SongAnalysis<'a> {
    fn new(engine: &'a Engine, hop_s: f32, cancel: &'a CancelFlag) -> Result<Self> {
        let settings = &engine.info().features;
        let frames_per_s = settings.sample_rate_hz as f32 / settings.hop_samples as f32;
        Ok(SongAnalysis {
            engine,
            cancel,
            features: engine.feature_stream()?,
            rows: Vec::new(),
            dropped: 0,
            next: 0,
            hop_frames: ((hop_s * frames_per_s).round() as usize).max(1),
            window_frames: settings.frames(settings.window_samples()),
            samples: 0,
            judged_until_s: 0.0,
        })
    }

    fn push(&mut self, left: &[f32], right: &[f32]) -> Result<()> {
        if let Some(at) = left.iter().zip(right).position(|(l, r)| !l.is_finite() || !r.is_finite()) {
            let at_s = self.seconds(self.samples + at);
            return Err(Error::Samples(format!("has a sample at {at_s:.2} s that is not a number")));
        }
        self.samples += left.len();
        let rows = &mut self.rows;
        self.features.push(left, right, self.cancel, |row| rows.extend_from_slice(row))?;
        Ok(())
    }

    /// Makes the features of the song's end, which lack nothing but sound after them.
    fn finish_features(&mut self) -> Result<()> {
        let rows = &mut self.rows;
        self.features.finish(self.cancel, |row| rows.extend_from_slice(row))?;
        let frames = self.samples / self.engine.info().features.hop_samples;
        self.rows.truncate(frames.saturating_sub(self.dropped) * self.features.row_values());
        Ok(())
    }

    fn analyze_full_windows(&mut self, visit: &mut dyn FnMut(Window) -> Result<()>) -> Result<()> {
        while self.frames() >= self.next + self.window_frames {
            visit(self.analyze(self.next, self.window_frames)?)?;
            self.next += self.hop_frames;
        }
        // The last ten seconds stay for the window at the song's end.
        let needed = self.next.min(self.frames().saturating_sub(self.window_frames));
        if needed > self.dropped + self.window_frames {
            self.rows.drain(..(needed - self.dropped) * self.features.row_values());
            self.dropped = needed;
        }
        Ok(())
    }

    /// Analyzes the last window of the song, which may be shorter than others.
    fn analyze_end(&mut self) -> Result<Window> {
        let patch = self.engine.info().features.patch_frames;
        let frames = self.window_frames.min(self.frames() - self.dropped) / patch * patch;
        self.analyze(self.frames() - frames, frames)
    }

    fn analyze(&mut self, first: usize, frames: usize) -> Result<Window> {
        let settings = &self.engine.info().features;
        let values = settings.row_values();
        let rows = &self.rows[(first - self.dropped) * values..(first - self.dropped + frames) * values];
        let power = BandPower::from_rows(rows, settings);
        let analysis = self.engine.analyze_power(&power, self.cancel)?;
        let seconds = |frame: usize| self.seconds(frame * settings.hop_samples);
        let window = Window { start_s: seconds(first), end_s: seconds(first + frames), analysis };
        self.judged_until_s = window.end_s;
        Ok(window)
    }

    /// Frames whose features are made.
    fn frames(&self) -> usize {
        self.dropped + self.rows.len() / self.features.row_values()
    }

    fn seconds(&self, samples: usize) -> f64 {
        samples as f64 / f64::from(self.engine.info().features.sample_rate_hz)
    }
}
