//! Decodes all files of a song side by side, chunk by chunk: memory does not grow with the song.

use super::CHUNK_S;
use super::index::SongFiles;
use crate::collections::PADDING_LIMIT_S;
use anyhow::{Result, bail};
use mixing_buddy_core::audio::{FileStream, ModelRateStream, StereoPcm};
use mixing_buddy_core::{PerStem, Stem};
use std::path::{Path, PathBuf};

/// Differences in length from rounding at a change of rates, not worth a warning.
const ROUNDING_FRAMES: u64 = 2;

/// Ten seconds (the last one less) of all stems of a song.
#[derive(Clone, Debug)]
pub struct Chunk {
    /// Number on the song's grid of ten seconds.
    pub index: usize,
    /// Each class, files added up, all of one length; none where it has no file.
    pub stems: PerStem<Option<StereoPcm>>,
    /// The finished mix.
    pub mixture: Option<StereoPcm>,
}

impl Chunk {
    /// Frames a channel.
    pub fn len(&self) -> usize {
        self.stems.iter().find_map(|(_, stem)| stem.as_ref().map(StereoPcm::len)).unwrap_or(0)
    }

    /// Whether there is no frame at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The sum of the stems, with a gain in dB on one of them.
    pub fn mix(&self, stem: Stem, gain_db: f64) -> StereoPcm {
        let rate_hz = self.stems.iter().find_map(|(_, pcm)| pcm.as_ref().map(|pcm| pcm.sample_rate_hz));
        let mut sum = StereoPcm::silence(self.len(), rate_hz.unwrap_or(1));
        for (class, pcm) in self.stems.iter() {
            let Some(pcm) = pcm else { continue };
            let gain = if class == stem { 10f64.powf(gain_db / 20.0) as f32 } else { 1.0 };
            for (to, from) in [(&mut sum.left, &pcm.left), (&mut sum.right, &pcm.right)] {
                to.iter_mut().zip(from).for_each(|(to, from)| *to += gain * from);
            }
        }
        sum
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Stem(Stem),
    Mixture,
}

struct Part {
    role: Role,
    path: PathBuf,
    stream: ModelRateStream,
    left: Vec<f32>,
    right: Vec<f32>,
    frames: u64,
    has_ended: bool,
}

impl Part {
    fn fill(&mut self, frames: usize) -> Result<()> {
        while !self.has_ended && self.left.len() < frames {
            let before = self.left.len();
            self.has_ended = !self.stream.next_chunk(&mut self.left, &mut self.right)?;
            self.frames += (self.left.len() - before) as u64;
        }
        Ok(())
    }

    /// Takes the first `frames` frames, padded with silence after the end.
    fn take(&mut self, frames: usize, rate_hz: u32) -> StereoPcm {
        let cut = |side: &mut Vec<f32>| {
            let count = frames.min(side.len());
            let mut taken: Vec<f32> = side.drain(..count).collect();
            taken.resize(frames, 0.0);
            taken
        };
        StereoPcm { left: cut(&mut self.left), right: cut(&mut self.right), sample_rate_hz: rate_hz }
    }
}

/// Reads a song from its beginning.
pub struct SongReader {
    parts: Vec<Part>,
    rate_hz: u32,
    next: usize,
    warnings: Vec<String>,
}

impl SongReader {
    /// Opens all files of a song. It is read at the rate of its finished mix, or else of its first stem; files of
    /// another rate are resampled.
    ///
    /// # Errors
    /// When a file is missing or cannot be read, named in the error, or there are no stems.
    pub fn open(root: &Path, files: &SongFiles) -> Result<Self> {
        let wanted = files.mixture.iter().map(|file| (Role::Mixture, file)).chain(
            files.stems.iter().flat_map(|(stem, list)| list.iter().map(move |file| (Role::Stem(stem), file))),
        );
        let mut opened = Vec::new();
        for (role, file) in wanted {
            let path = root.join(&file.path);
            let stream = FileStream::open_track(&path, file.track)?;
            opened.push((role, path, stream));
        }
        if !opened.iter().any(|(role, ..)| *role != Role::Mixture) {
            bail!("there are no stems");
        }
        let rate_hz = opened[0].2.sample_rate_hz();
        let mut warnings = Vec::new();
        let mut parts = Vec::new();
        for (role, path, file) in opened {
            let own_hz = file.sample_rate_hz();
            if own_hz != rate_hz {
                let path = path.display();
                warnings.push(format!("{path} is at {own_hz} Hz and was brought to the song's {rate_hz} Hz"));
            }
            let stream = ModelRateStream::of_file(file, rate_hz)?;
            let (left, right) = Default::default();
            parts.push(Part { role, path, stream, left, right, frames: 0, has_ended: false });
        }
        Ok(SongReader { parts, rate_hz, next: 0, warnings })
    }

    /// Frames a second.
    pub fn rate_hz(&self) -> u32 {
        self.rate_hz
    }

    /// What was mended so far, each a sentence; files that end early are noted after the last chunk.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The next chunk; none after the last, which may be shorter than the others.
    ///
    /// # Errors
    /// When a file is damaged, or the files differ in length by more than [`PADDING_LIMIT_S`].
    pub fn next_chunk(&mut self) -> Result<Option<Chunk>> {
        let full = (CHUNK_S * self.rate_hz) as usize;
        for part in &mut self.parts {
            part.fill(full)?;
        }
        let frames = self.parts.iter().map(|part| part.left.len().min(full)).max().unwrap_or(0);
        self.check_lengths()?;
        if frames == 0 {
            return Ok(None);
        }
        let mut chunk = Chunk { index: self.next, stems: PerStem::default(), mixture: None };
        self.next += 1;
        for part in &mut self.parts {
            let pcm = part.take(frames, self.rate_hz);
            let slot = match part.role {
                Role::Stem(stem) => &mut chunk.stems[stem],
                Role::Mixture => &mut chunk.mixture,
            };
            match slot {
                Some(sum) => sum.add(&pcm)?,
                none => *none = Some(pcm),
            }
        }
        Ok(Some(chunk))
    }

    /// Whether those that have ended did so together with those that go on; notes small differences at the end.
    fn check_lengths(&mut self) -> Result<()> {
        let seconds = |part: &Part| part.frames as f64 / f64::from(self.rate_hz);
        let ended = self.parts.iter().filter(|part| part.has_ended);
        let (Some(short), Some(long)) =
            (ended.min_by_key(|part| part.frames), self.parts.iter().max_by_key(|part| part.frames))
        else {
            return Ok(());
        };
        let (short_s, long_s) = (seconds(short), seconds(long));
        if long_s - short_s > PADDING_LIMIT_S {
            let at_least = if long.has_ended { "" } else { "at least " };
            bail!(
                "{} lasts {short_s:.1} s but {} lasts {at_least}{long_s:.1} s; the files of a song must be equally long",
                short.path.display(),
                long.path.display()
            );
        }
        if self.parts.iter().all(|part| part.has_ended && part.left.is_empty()) {
            let longest = long.frames;
            for part in self.parts.iter().filter(|part| part.frames + ROUNDING_FRAMES < longest) {
                let missing_ms = (longest - part.frames) as f64 / f64::from(self.rate_hz) * 1e3;
                let path = part.path.display();
                let sentence = format!("{path} ends {missing_ms:.0} ms early and was padded with silence");
                if !self.warnings.contains(&sentence) {
                    self.warnings.push(sentence);
                }
            }
        }
        Ok(())
    }
}
