//! Windows to be heard, as they are and with the advice applied: the audition of `mixing_buddy_core`, written as WAV files.

use crate::clips::{Prepared, Source, Version, Wanted, file, remove};
use crate::job::Job;
use hound::{SampleFormat, WavSpec, WavWriter};
use mixing_buddy_core::audio::{decode_part, resample};
use mixing_buddy_core::audition::{Clip, MOST_GAIN_DB, Remixer};
use mixing_buddy_core::{BestAnswer, CancelFlag, Engine, Error, PerStem, Result, Stem};
use std::path::{Path, PathBuf};

/// Highest sample rate in Hz of what is heard: browsers play no higher one.
const MOST_RATE_HZ: u32 = 48_000;
/// Bits of a sample. More than any converter has.
const BITS: u16 = 24;

/// Why a window cannot be heard.
#[derive(Debug)]
pub enum NotHeard {
    /// There is no such window.
    NoWindow,
    /// There is no advice on the song yet.
    NoVerdict,
    /// The advice changes nothing.
    NothingToChange,
    /// No room is left for its files.
    NoRoom,
    /// Preparing it failed.
    Failed(String),
}

/// All that is needed to prepare a window, taken from a job.
#[derive(Debug)]
pub struct Plan {
    wanted: Wanted,
    song: PathBuf,
    start_s: f64,
    end_s: f64,
    gains_db: PerStem<f32>,
    /// The file of each version.
    files: [PathBuf; 2],
}

impl Plan {
    /// Looks up the window and its advice.
    ///
    /// # Errors
    /// As [`NotHeard`] says.
    pub fn new(job: &Job, wanted: Wanted, version: Version) -> std::result::Result<Plan, NotHeard> {
        let known = job.known();
        let window = known.windows.get(wanted.window).ok_or(NotHeard::NoWindow)?;
        let best = match wanted.source {
            Source::Window => window.advice.best,
            Source::Song => known.verdict.as_ref().ok_or(NotHeard::NoVerdict)?.advice.best,
        };
        let gains_db = gains_db(&best);
        if gains_db.is_none() && version == Version::Advice {
            return Err(NotHeard::NothingToChange);
        }
        Ok(Plan {
            wanted,
            song: job.song.path.clone(),
            start_s: window.start_s,
            end_s: window.end_s,
            gains_db: gains_db.unwrap_or_default(),
            files: Version::ALL.map(|version| file(&job.folder, wanted, version)),
        })
    }

    /// Writes both versions; returns their bytes.
    fn write(&self, engine: &Engine, cancel: &CancelFlag) -> Result<u64> {
        let mut sound = decode_part(&self.song, self.start_s, self.end_s, cancel)?;
        sound.check_finite()?;
        if sound.sample_rate_hz > MOST_RATE_HZ {
            sound = resample(&sound, MOST_RATE_HZ)?;
        }
        let features = &engine.info().features;
        let heard = resample(&sound, features.sample_rate_hz)?;
        let power = engine.feature_stream()?.whole(&heard.left, &heard.right, cancel)?;
        let mut remixer = Remixer::new(features, sound.sample_rate_hz);
        let window = engine.unmix(sound, &power, cancel)?;
        let altered = remixer.remix(&window, &self.gains_db, cancel)?;
        let clip = Clip::new(window.sound(), altered, self.wanted.window as u64)?;
        let mut bytes = 0;
        for (version, path) in self.files.iter().enumerate() {
            write_wav(path, &clip, 2 * version).map_err(|cause| Error::io(path)(cause))?;
            bytes += std::fs::metadata(path).map_err(Error::io(path))?.len();
        }
        Ok(bytes)
    }
}

/// The gain of each stem in dB that follows advice; none where it changes nothing.
fn gains_db(best: &BestAnswer) -> Option<PerStem<f32>> {
    let (stem, gain_db): (Stem, f32) = best.stem.zip(best.gain_db)?;
    Some(PerStem::default().with(stem, gain_db.clamp(-MOST_GAIN_DB, MOST_GAIN_DB)))
}

/// Prepares a window. Worker thread.
///
/// # Errors
/// When it cannot be decoded or written, or when cancelled: with a sentence.
pub fn prepare(
    engine: &Engine,
    job: &Job,
    plan: &Plan,
    cancel: &CancelFlag,
) -> std::result::Result<Prepared, NotHeard> {
    let bytes = plan.write(engine, cancel).map_err(|error| {
        remove(&plan.files);
        NotHeard::Failed(job.song.named(&error.to_string()))
    })?;
    if !job.folder.take(bytes) {
        remove(&plan.files);
        return Err(NotHeard::NoRoom);
    }
    Ok(Prepared::new(plan.wanted, bytes))
}

/// Writes two channels of a clip, from `first` on.
fn write_wav(path: &Path, clip: &Clip, first: usize) -> std::io::Result<()> {
    let failed = |error: hound::Error| match error {
        hound::Error::IoError(cause) => cause,
        other => std::io::Error::other(other),
    };
    let spec = WavSpec {
        channels: 2,
        sample_rate: clip.sample_rate_hz,
        bits_per_sample: BITS,
        sample_format: SampleFormat::Int,
    };
    let full = ((1i32 << (BITS - 1)) - 1) as f32;
    let mut writer = WavWriter::create(path, spec).map_err(failed)?;
    for frame in clip.frames() {
        for sample in &frame[first..first + 2] {
            writer.write_sample((sample.clamp(-1.0, 1.0) * full).round() as i32).map_err(failed)?;
        }
    }
    writer.finalize().map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mixing_buddy_core::Verdict;

    #[test]
    fn advice_becomes_a_gain_of_its_stem_within_the_range_of_a_fader() {
        let best = |gain_db| BestAnswer {
            verdict: Verdict::VeryLoud,
            stem: Some(Stem::Drums),
            gain_db: Some(gain_db),
        };
        let gains = gains_db(&best(-6.0)).unwrap();
        assert_eq!((gains.drums, gains.vocals), (-6.0, 0.0));
        assert_eq!(gains_db(&best(-40.0)).unwrap().drums, -MOST_GAIN_DB);
        assert_eq!(gains_db(&BestAnswer { verdict: Verdict::NoError, stem: None, gain_db: None }), None);
    }
}
