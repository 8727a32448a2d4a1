//! What the benchmark asks of a model under test, and how it asks.

use crate::protocol::Protocol;
use anyhow::Result;
use mixing_buddy_core::advice::BestAnswer;
use mixing_buddy_core::audio::StereoPcm;
use mixing_buddy_core::norms::Balance;
use mixing_buddy_core::stem::{PerStem, Stem};

/// What the prompt says beside the sound.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Question {
    /// The stem that is named as right.
    pub anchor: Option<Stem>,
    /// Stem-minus-rest levels (RMS, dB) of the balance that is named as right, measured by the advisor's own meter.
    pub reference_db: Option<PerStem<f64>>,
}

/// What an advisor says to one question.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Answered {
    /// What it says when it must answer; none where its words could not be read.
    pub best: Option<BestAnswer>,
    /// Calibrated probability that stem and direction of `best` are right.
    pub confidence: f64,
}

/// A model under test, in two steps, because a mix is heard once and asked about several times.
pub trait Advisor {
    /// What is kept of a mix that was heard: soft tokens and levels, not the sound.
    type Analysis;

    /// Hears a mix (expensive).
    fn analyze(&mut self, mix: &StereoPcm) -> Result<Self::Analysis>;

    /// Level of each stem against the rest of the mix as the advisor measures it: unweighted RMS, dB.
    fn meter_db(&self, analysis: &Self::Analysis) -> PerStem<f64>;

    /// Answers a question about a mix that was heard.
    fn answer(&mut self, analysis: &Self::Analysis, question: &Question) -> Result<Answered>;

    /// Answers from the prompt alone: the control that shows what the words give away.
    fn answer_without_audio(&mut self, question: &Question) -> Result<Answered>;

    /// Answers a question about a mix whose stem-minus-rest levels (RMS, dB) it is told: the control that parts what the
    /// language model gets wrong from what the meter does.
    fn answer_levels(&mut self, rest_levels_db: &PerStem<f64>, question: &Question) -> Result<Answered>;

    /// Standard deviation in dB of the meter's error for vocals, drums and bass, as known from held-out songs.
    /// The control "rule behind the meter" reckons with it.
    fn meter_sd_db(&self) -> Balance {
        [1.5; 3]
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

/// Where the evaluation is, told after each window that was heard and after each song that was asked about.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// Name of the song.
    pub song: String,
    /// Songs done so far.
    pub songs_done: usize,
    /// Windows heard so far, of all songs.
    pub windows_analyzed: usize,
    /// Samples answered so far.
    pub samples_answered: usize,
}
