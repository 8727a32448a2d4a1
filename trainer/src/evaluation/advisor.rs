//! What the benchmark asks of a model under test, and how it asks.

use crate::protocol::Protocol;
use anyhow::Result;
use mixing_buddy_core::advice::BestAnswer;
use mixing_buddy_core::audio::StereoPcm;
use mixing_buddy_core::norms::Balance;
use mixing_buddy_core::stem::{PerStem, Stem};

/// A question, apart from its sound.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Question {
    /// The stem that is named as right.
    pub anchor: Option<Stem>,
    /// Stem-minus-rest levels (RMS, dB) of the balance that is named as right, measured by the advisor's own meter.
    pub reference_db: Option<PerStem<f64>>,
}

/// An advisor's answer to one question.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Answered {
    /// The answer without the option to abstain; none where the generated text could not be parsed.
    pub best: Option<BestAnswer>,
    /// Calibrated probability that stem and direction of `best` are right.
    pub confidence: f64,
}

/// A model under test, in two steps, because a mix is analyzed once and asked about several times.
pub trait Advisor {
    /// What is kept of an analyzed mix: soft tokens and levels, not the sound.
    type Analysis;

    /// Analyzes a mix (expensive).
    fn analyze(&mut self, mix: &StereoPcm) -> Result<Self::Analysis>;

    /// Level of each stem against the rest of the mix as the advisor measures it: unweighted RMS, dB.
    fn meter_db(&self, analysis: &Self::Analysis) -> PerStem<f64>;

    /// Answers a question about an analyzed mix.
    fn answer(&mut self, analysis: &Self::Analysis, question: &Question) -> Result<Answered>;

    /// Answers from the prompt alone: the control that shows what the prompt gives away.
    fn answer_without_audio(&mut self, question: &Question) -> Result<Answered>;

    /// Answers a question about a mix of given stem-minus-rest levels (RMS, dB): the control that separates the errors
    /// of the language model from those of the meter.
    fn answer_levels(&mut self, rest_levels_db: &PerStem<f64>, question: &Question) -> Result<Answered>;

    /// Standard deviation in dB of the meter's error per target, as known from held-out songs. The control "rule behind
    /// the meter" uses it. The default was chosen, not tuned.
    fn meter_sd_db(&self) -> Balance {
        [1.5; Stem::TARGET_COUNT]
    }
}

/// How to evaluate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Which question is asked.
    pub protocol: Protocol,
    /// Seeds the gains and the bootstrap.
    pub seed: u64,
    /// Resamples of the bootstrap.
    pub resamples: usize,
}

impl Settings {
    /// The benchmark's settings: 1000 resamples.
    pub fn new(protocol: Protocol, seed: u64) -> Settings {
        Settings { protocol, seed, resamples: 1000 }
    }
}

/// Progress of the evaluation, reported after each analyzed window and after each finished song.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// Name of the song.
    pub song: String,
    /// Songs done so far.
    pub songs_done: usize,
    /// Windows analyzed so far, of all songs.
    pub windows_analyzed: usize,
    /// Samples answered so far.
    pub samples_answered: usize,
}
