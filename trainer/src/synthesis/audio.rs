//! The audio of samples, reproduced from their lines: bit for bit the same each time.

use super::line::SampleLine;
use crate::collections::{Chunk, Index, SongEntry, SongReader};
use crate::files;
use crate::progress::progress;
use anyhow::{Context, Result, ensure};
use mixing_buddy_core::Stem;
use mixing_buddy_core::audio::StereoPcm;
use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::{Path, PathBuf};

/// A sample's flawed mix.
///
/// # Errors
/// When the song is not in the index, cannot be read, or has no such chunk.
pub fn flawed_mix(index: &Index, line: &SampleLine) -> Result<StereoPcm> {
    let song = index.song(&line.song)?;
    Ok(read_chunk(index, song, line.chunk)?.mix(line.target, line.gain_db))
}

/// A sample's reference, unflawed; none if it has none.
///
/// # Errors
/// As [`flawed_mix`].
pub fn reference_mix(index: &Index, line: &SampleLine) -> Result<Option<StereoPcm>> {
    let Some(chunk) = line.reference_chunk else { return Ok(None) };
    let song = index.song(&line.song)?;
    Ok(Some(read_chunk(index, song, chunk)?.mix(line.target, 0.0)))
}

fn read_chunk(index: &Index, song: &SongEntry, number: usize) -> Result<Chunk> {
    ensure!(number < song.chunks.len(), "the song '{}' has no chunk {number}", song.name);
    let mut reader = SongReader::open_entry(&index.root, song)?;
    while let Some(chunk) = reader.next_chunk()? {
        if chunk.index == number {
            return Ok(chunk);
        }
    }
    anyhow::bail!("the song '{}' ends before its chunk {number}: import the songs again", song.name)
}

/// One file to write from a chunk.
struct Wanted {
    file: String,
    stem: Stem,
    gain_db: f64,
}

/// Writes the audio of many samples, reading each song once.
pub struct AudioWriter<'a> {
    index: &'a Index,
    dir: PathBuf,
    /// By song and chunk.
    wanted: BTreeMap<String, BTreeMap<usize, Vec<Wanted>>>,
}

impl<'a> AudioWriter<'a> {
    /// Writes into this folder, which is created where it is missing.
    ///
    /// # Errors
    /// When the folder cannot be created.
    pub fn new(index: &'a Index, dir: &Path) -> Result<Self> {
        std::fs::create_dir_all(dir).with_context(|| format!("{} cannot be created", dir.display()))?;
        Ok(AudioWriter { index, dir: dir.to_path_buf(), wanted: BTreeMap::new() })
    }

    /// Notes the files of a sample: `ID.wav`, and `ID-reference.wav` where it has a reference.
    pub fn want(&mut self, line: &SampleLine) {
        let chunks = self.wanted.entry(line.song.clone()).or_default();
        let (id, stem) = (line.id, line.target);
        let mix = Wanted { file: format!("{id:06}.wav"), stem, gain_db: line.gain_db };
        chunks.entry(line.chunk).or_default().push(mix);
        if let Some(chunk) = line.reference_chunk {
            let reference = Wanted { file: format!("{id:06}-reference.wav"), stem, gain_db: 0.0 };
            chunks.entry(chunk).or_default().push(reference);
        }
    }

    /// Reads the songs and writes the files (WAV, 32-bit float, so that nothing clips and every bit is kept).
    ///
    /// # Errors
    /// When a song cannot be read or the disk is full; each file is complete or missing.
    pub fn write(self) -> Result<()> {
        let count = self.wanted.values().flat_map(BTreeMap::values).map(Vec::len).sum();
        let bar = progress("audio", count, 0);
        for (name, mut chunks) in self.wanted {
            let song = self.index.song(&name)?;
            let mut reader = SongReader::open_entry(&self.index.root, song)
                .with_context(|| format!("the song '{name}'"))?;
            bar.set_message(format!("{name},"));
            while !chunks.is_empty() {
                let chunk = reader.next_chunk()?.with_context(|| {
                    format!("the song '{name}' is shorter than the index says: import the songs again")
                })?;
                for wanted in chunks.remove(&chunk.index).unwrap_or_default() {
                    let mix = chunk.mix(wanted.stem, wanted.gain_db);
                    files::replace(&self.dir.join(&wanted.file), wav(&mix)?)?;
                    bar.inc(1);
                }
            }
        }
        bar.finish_and_clear();
        Ok(())
    }
}

fn wav(pcm: &StereoPcm) -> Result<Vec<u8>> {
    let spec = hound::WavSpec {
        channels: 2,
        sample_rate: pcm.sample_rate_hz,
        bits_per_sample: 32,
        sample_format: hound::SampleFormat::Float,
    };
    let mut bytes = Cursor::new(Vec::with_capacity(8 * pcm.len() + 128));
    let mut writer = hound::WavWriter::new(&mut bytes, spec)?;
    for (left, right) in pcm.left.iter().zip(&pcm.right) {
        writer.write_sample(*left)?;
        writer.write_sample(*right)?;
    }
    writer.finalize()?;
    Ok(bytes.into_inner())
}
