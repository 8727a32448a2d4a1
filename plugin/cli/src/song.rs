//! Analyzes a song window by window.

use anyhow::{Context, Result, bail, ensure};
use mixing_buddy_core::audio::{ModelRateStream, StereoPcm};
use mixing_buddy_core::decoder::ReferenceBalance;
use mixing_buddy_core::features::{BandPower, FeatureSettings, FeatureStream};
use mixing_buddy_core::output::note;
use mixing_buddy_core::{Analysis, CancelFlag, Engine, PerStem};
use std::path::Path;

/// A window of a song.
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

/// A reference.
pub struct Measured {
    /// Its name for a person.
    pub name: String,
    /// Its balance, as the model compares with it.
    pub balance: ReferenceBalance,
    /// The same levels in LU against the rest; none where a stem is absent.
    pub levels_lu: PerStem<Option<f32>>,
}

/// The balance of a whole file, as a reference.
///
/// # Errors
/// As [`analyze_file`], and when no stem is present.
pub fn measure_reference(engine: &Engine, path: &Path, cancel: &CancelFlag) -> Result<Measured> {
    let song = analyze_file(engine, path, FeatureSettings::WINDOW_S, cancel)?;
    song.warnings.iter().for_each(|warning| note(&format!("Warning: {warning}")));
    let analyses: Vec<Analysis> = song.windows.into_iter().map(|w| w.analysis).collect();
    let balance = engine
        .reference_of(&analyses)
        .with_context(|| format!("{}: no stem was found in it", path.display()))?;
    let levels_lu = engine.pool(&analyses).map_or(PerStem::default(), |pooled| pooled.levels_lu);
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    Ok(Measured { name, balance, levels_lu })
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
    let mut song = SongAnalysis::new(engine, hop_s, cancel)?;
    song.push(&mix.left, &mix.right)?;
    song.finish_features()?;
    song.analyze_full_windows()?;
    Ok(song.windows)
}

/// Analyzes a file window by window; little more than the features of the last ten seconds are in memory. The last window
/// ends with the song.
///
/// # Errors
/// When the file cannot be decoded, is shorter than 3 s, or holds samples that are not numbers.
pub fn analyze_file(engine: &Engine, path: &Path, hop_s: f32, cancel: &CancelFlag) -> Result<Song> {
    let named = || path.display().to_string();
    let mut stream = ModelRateStream::open(path, engine.info().features.sample_rate_hz)?;
    let mut song = SongAnalysis::new(engine, hop_s, cancel)?;
    let (mut left, mut right) = (Vec::new(), Vec::new());
    while stream.next_chunk(&mut left, &mut right)? {
        song.push(&left, &right).with_context(named)?;
        song.analyze_full_windows().with_context(named)?;
        left.clear();
        right.clear();
    }
    let end_s = song.samples as f64 / f64::from(engine.info().features.sample_rate_hz);
    ensure!(
        end_s >= f64::from(FeatureSettings::SHORTEST_S),
        "{}: it is {end_s:.1} s long; at least 3 s are needed",
        path.display()
    );
    song.finish_features().with_context(named)?;
    song.analyze_full_windows().with_context(named)?;
    let judged_until = song.windows.last().map_or(0.0, |window| window.end_s);
    if song.windows.is_empty() || end_s - judged_until >= 1.0 {
        song.analyze_end().with_context(named)?;
    }
    Ok(Song { windows: song.windows, warnings: stream.warnings() })
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
    windows: Vec<Window>,
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
            windows: Vec::new(),
        })
    }

    fn push(&mut self, left: &[f32], right: &[f32]) -> Result<()> {
        if let Some(at) = left.iter().zip(right).position(|(l, r)| !l.is_finite() || !r.is_finite()) {
            bail!("a sample at {:.2} s is not a number", self.seconds(self.samples + at));
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

    fn analyze_full_windows(&mut self) -> Result<()> {
        while self.frames() >= self.next + self.window_frames {
            self.analyze(self.next, self.window_frames)?;
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
    fn analyze_end(&mut self) -> Result<()> {
        let patch = self.engine.info().features.patch_frames;
        let frames = self.window_frames.min(self.frames() - self.dropped) / patch * patch;
        self.analyze(self.frames() - frames, frames)
    }

    fn analyze(&mut self, first: usize, frames: usize) -> Result<()> {
        let settings = &self.engine.info().features;
        let values = settings.row_values();
        let rows = &self.rows[(first - self.dropped) * values..(first - self.dropped + frames) * values];
        let power = BandPower::from_rows(rows, settings);
        let analysis = self.engine.analyze_power(&power, self.cancel)?;
        let seconds = |frame: usize| self.seconds(frame * settings.hop_samples);
        let window = Window { start_s: seconds(first), end_s: seconds(first + frames), analysis };
        self.windows.push(window);
        Ok(())
    }

    /// Frames whose features are made.
    fn frames(&self) -> usize {
        self.dropped + self.rows.len() / self.features.row_values()
    }

    fn seconds(&self, samples: usize) -> f64 {
        samples as f64 / f64::from(self.engine.info().features.sample_rate_hz)
    }
}
