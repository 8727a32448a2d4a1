//! Training samples from an index, as in the published pipeline: a chunk of ten seconds in which the stems play, one of
//! them made louder or quieter, an instruction, and the right answer.
//!
//! A sample is a line of JSON ([`SampleLine`]). It states everything that its audio is made from, so that audio need
//! not be kept: [`audio`] reproduces it bit for bit.

pub mod audio;
mod draw;
mod line;
mod settings;
mod write;

pub use draw::Synthesizer;
pub use line::{LineLevels, PromptKind, SampleLine};
pub use settings::{Categories, CategoryRange, GateSettings, PromptShares, SynthesisSettings, Unchanged};
pub use write::{Synthesis, line_seed, read_lines, synthesize};
