//! Writes samples, one line each, and their audio on request.

use super::audio::AudioWriter;
use super::draw::Synthesizer;
use super::line::SampleLine;
use crate::collections::Index;
use crate::files;
use crate::part::Part;
use crate::progress::progress;
use anyhow::{Context, Result};
use std::io::{BufRead, BufReader};
use std::path::Path;

/// Lines between two updates of the progress bar.
const PROGRESS_LINES: u64 = 1000;

/// How many samples, from which seed, and whether their audio is written.
#[derive(Clone, Copy, Debug)]
pub struct Synthesis<'a> {
    /// Samples.
    pub count: u64,
    /// Seed of all lines.
    pub seed: u64,
    /// Which of them are written.
    pub part: Part,
    /// Where the audio goes.
    pub audio: Option<&'a Path>,
}

/// Seed of a line: the run's seed and the line's number, mixed (splitmix64), in 53 bits, which every reader of JSON
/// keeps.
pub fn line_seed(seed: u64, id: u64) -> u64 {
    let mut z = seed.wrapping_add((id + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)) >> 11
}

/// Writes the lines into `out` (next to it, and renamed when all are written), then their audio.
///
/// # Errors
/// When a wording cannot be drawn, the disk is full, or a song cannot be read.
pub fn synthesize(
    index: &Index,
    synthesizer: &Synthesizer<'_>,
    plan: Synthesis<'_>,
    out: &Path,
) -> Result<()> {
    let mut audio = plan.audio.map(|dir| AudioWriter::new(index, dir)).transpose()?;
    let ids = plan.part.range(plan.count);
    let bar = progress("lines", usize::try_from(ids.end - ids.start)?, 0);
    let mut failure = None;
    let written = files::replace_with(out, |file| {
        for id in ids.clone() {
            let line = match synthesizer.draw(id, line_seed(plan.seed, id)) {
                Ok(line) => line,
                Err(error) => {
                    failure = Some(error);
                    return Err(std::io::Error::other("a line cannot be drawn"));
                }
            };
            serde_json::to_writer(&mut *file, &line)?;
            file.write_all(b"\n")?;
            if let Some(audio) = &mut audio {
                audio.want(&line);
            }
            if id % PROGRESS_LINES == 0 {
                bar.set_position(id - ids.start);
            }
        }
        Ok(())
    });
    bar.finish_and_clear();
    if let Some(error) = failure {
        return Err(error);
    }
    written?;
    audio.map_or(Ok(()), AudioWriter::write)
}

/// Reads lines back.
///
/// # Errors
/// When the file is missing, or a line is not a sample; the error names it.
pub fn read_lines(path: &Path) -> Result<Vec<SampleLine>> {
    let file = std::fs::File::open(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let read = |(number, text): (usize, std::io::Result<String>)| {
        let text = text.with_context(|| format!("{} cannot be read", path.display()))?;
        serde_json::from_str(&text)
            .with_context(|| format!("{}: line {} is not a sample", path.display(), number + 1))
    };
    BufReader::new(file).lines().enumerate().map(read).collect()
}
