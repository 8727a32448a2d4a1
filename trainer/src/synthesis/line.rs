//! One training sample, as a line of JSON.

use crate::protocol::{Category, Split};
use mixing_buddy_core::{PerStem, Stem};
use serde::{Deserialize, Serialize};

/// What kind of instruction a sample has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PromptKind {
    /// A general one.
    Generic,
    /// It names an anchor.
    Anchor,
    /// It comes with another chunk of the song, unflawed.
    Reference,
    /// A free question about one stem.
    Question,
}

/// RMS levels in dBFS of a flawed mix.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LineLevels {
    /// Each stem that plays, its gain included.
    #[serde(flatten)]
    pub stems: PerStem<Option<f64>>,
    /// Their sum.
    pub mixture: f64,
}

/// One sample. Its audio is the sum of the chunk's stems with `gain_db` on `target`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SampleLine {
    /// Number of the line, from 0; with `--write-audio` its audio is `000000.wav`, ….
    pub id: u64,
    /// Name of the song in the index.
    pub song: String,
    /// The song's split.
    pub split: Option<Split>,
    /// Number of the chunk on the song's grid of ten seconds.
    pub chunk: usize,
    /// Seed that everything in this line was drawn from.
    pub seed: u64,
    /// Kind of the instruction.
    pub kind: PromptKind,
    /// The stem that the instruction calls right.
    pub anchor: Option<Stem>,
    /// The stem that the instruction asks about.
    pub asked: Option<Stem>,
    /// Number of the chunk that is the reference.
    pub reference_chunk: Option<usize>,
    /// The stem that was changed, or would have been.
    pub target: Stem,
    /// How it was changed.
    pub category: Category,
    /// Gain that was given to it in dB; 0 where nothing was changed. The answer's gain is the opposite.
    pub gain_db: f64,
    /// The stems that play.
    pub stems_present: Vec<Stem>,
    /// Levels in the flawed mix.
    pub levels_dbfs: LineLevels,
    /// The instruction to the model.
    pub instruction: String,
    /// The right answer.
    pub answer: String,
}
