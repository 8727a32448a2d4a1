//! Songs as a host plays them: stereo at their own sample rate.

use anyhow::{Context, Result, ensure};
use mixing_buddy_cli::demo::{Demo, flawed_mix};
use mixing_buddy_core::CancelFlag;
use mixing_buddy_core::audio::{FileStream, MODEL_RATE_HZ, ModelRateStream, StereoPcm};
use mixing_buddy_core::output::note;
use std::path::Path;

/// Lowest and highest sample rate in Hz that the plugin analyzes.
pub const RATES_HZ: std::ops::RangeInclusive<u32> = 8_000..=192_000;

/// A song to play, and its name in the advice.
pub struct Song {
    /// The file as given, or "demo".
    pub name: String,
    /// Both channels.
    pub pcm: StereoPcm,
    /// The gain error in the demo; none for files.
    pub demo: Option<Demo>,
}

/// Decodes a file at its own sample rate, or at the model's if the plugin does not analyze that rate; `-` is standard
/// input. Warnings go to standard error.
///
/// # Errors
/// When it cannot be decoded, is empty, or holds samples that are not numbers; the message names the file.
pub fn from_file(path: &Path) -> Result<Song> {
    // Opened once: standard input cannot be read twice.
    let file = FileStream::open(path)?;
    let own_rate_hz = file.sample_rate_hz();
    let rate_hz = if RATES_HZ.contains(&own_rate_hz) { own_rate_hz } else { MODEL_RATE_HZ };
    let mut stream = ModelRateStream::of_file(file, rate_hz)?;
    let mut pcm = StereoPcm { sample_rate_hz: rate_hz, ..StereoPcm::default() };
    while stream.next_chunk(&mut pcm.left, &mut pcm.right)? {}
    stream.warnings().iter().for_each(|warning| note(&format!("Warning: {warning}")));
    ensure!(!pcm.is_empty(), "{}: it contains no audio", path.display());
    Ok(Song { name: path.display().to_string(), pcm, demo: None })
}

/// The mix of the demo song with its gain error.
///
/// # Errors
/// When no temporary file can be written.
pub fn demo() -> Result<Song> {
    let (demo, pcm) = flawed_mix(&CancelFlag::new()).context("the demo cannot be mixed")?;
    Ok(Song { name: "demo".into(), pcm, demo: Some(demo) })
}
