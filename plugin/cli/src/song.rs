//! Analyzes a song window by window.

use anyhow::{Context, Result, ensure};
use mixing_buddy_core::audio::{ModelRateStream, StereoPcm};
use mixing_buddy_core::decoder::ReferenceBalance;
use mixing_buddy_core::features::FeatureSettings;
use mixing_buddy_core::output::note;
use mixing_buddy_core::{Analysis, CancelFlag, Engine};
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

/// The balance of a whole file, as a reference.
///
/// # Errors
/// As [`analyze_file`], and when no stem is present.
pub fn measure_reference(engine: &Engine, path: &Path, cancel: &CancelFlag) -> Result<ReferenceBalance> {
    let song = analyze_file(engine, path, FeatureSettings::WINDOW_S, cancel)?;
    song.warnings.iter().for_each(|warning| note(&format!("Warning: {warning}")));
    let analyses: Vec<Analysis> = song.windows.into_iter().map(|w| w.analysis).collect();
    engine.reference_of(&analyses).with_context(|| format!("{}: no stem was found in it", path.display()))
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
    let rate = mix.sample_rate_hz;
    let (window, hop) = (engine.info().features.window_samples(), (hop_s * rate as f32) as usize);
    let seconds = |samples: usize| samples as f64 / f64::from(rate);
    (0..=mix.len().saturating_sub(window))
        .step_by(hop.max(1))
        .map(|start| {
            let end = (start + window).min(mix.len());
            let pcm = StereoPcm::new(mix.left[start..end].to_vec(), mix.right[start..end].to_vec(), rate)?;
            let analysis = engine.analyze(&pcm, cancel)?;
            Ok(Window { start_s: seconds(start), end_s: seconds(end), analysis })
        })
        .collect()
}

/// Analyzes a file window by window; little more than the last ten seconds are in memory.
///
/// # Errors
/// When the file cannot be decoded, is shorter than 3 s, or holds samples that are not numbers.
pub fn analyze_file(engine: &Engine, path: &Path, hop_s: f32, cancel: &CancelFlag) -> Result<Song> {
    let rate = engine.info().features.sample_rate_hz;
    let (window, hop) = (engine.info().features.window_samples(), (hop_s * rate as f32) as usize);
    let mut stream = ModelRateStream::open(path, rate)?;
    let (mut left, mut right, mut dropped) = (Vec::new(), Vec::new(), 0usize);
    let (mut windows, mut next) = (Vec::<Window>::new(), 0usize);
    let seconds = |samples: usize| samples as f64 / f64::from(rate);
    let analyze = |left: &[f32], right: &[f32], start: usize| -> Result<Window> {
        let pcm = StereoPcm::new(left.to_vec(), right.to_vec(), rate)?;
        let analysis = engine.analyze(&pcm, cancel).with_context(|| path.display().to_string())?;
        Ok(Window { start_s: seconds(start), end_s: seconds(start + left.len()), analysis })
    };
    while stream.next_chunk(&mut left, &mut right)? {
        while dropped + left.len() >= next + window {
            let at = next - dropped;
            windows.push(analyze(&left[at..at + window], &right[at..at + window], next)?);
            next += hop;
        }
        // Drops sound that no window needs; the last ten seconds stay for the window at the song's end.
        let keep_from = next.min((dropped + left.len()).saturating_sub(window)).saturating_sub(dropped);
        if keep_from > window {
            left.drain(..keep_from);
            right.drain(..keep_from);
            dropped += keep_from;
        }
    }
    let end = dropped + left.len();
    let shortest = (FeatureSettings::SHORTEST_S * rate as f32) as usize;
    ensure!(end >= shortest, "{}: it is {:.1} s long; at least 3 s are needed", path.display(), seconds(end));
    let judged_until = windows.last().map_or(0.0, |w| w.end_s);
    if windows.is_empty() || seconds(end) - judged_until >= 1.0 {
        let start = end.saturating_sub(window).max(dropped);
        windows.push(analyze(&left[start - dropped..], &right[start - dropped..], start)?);
    }
    Ok(Song { windows, warnings: stream.warnings() })
}
