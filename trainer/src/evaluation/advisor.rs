//! What the benchmark asks of a model under test, and how it asks.

use crate::protocol::{Flaw, GatedWindow, Protocol};
use anyhow::Result;
use mixing_buddy_core::advice::BestAnswer;
use mixing_buddy_core::audio::StereoPcm;
use mixing_buddy_core::norms::Balance;
use mixing_buddy_core::stem::{PerStem, Stem};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A question, apart from its sound. `R` is the advisor's [`Advisor::Reference`].
#[derive(Debug, PartialEq)]
pub struct Question<'a, R> {
    /// The stem that is named as right.
    pub anchor: Option<Stem>,
    /// The balance that is named as right.
    pub reference: Option<&'a R>,
}

impl<R> Clone for Question<'_, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Question<'_, R> {}

/// An advisor's answer to one question.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Answered {
    /// The answer without the option to abstain; none where the generated text could not be parsed.
    pub best: Option<BestAnswer>,
    /// Calibrated probability that stem and direction of `best` are right.
    pub confidence: f64,
    /// Whether the advisor gives this answer to its user, and does not abstain.
    pub spoken: bool,
    /// The answer in words; empty for answers that have none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
}

/// A model under test, in two steps, because a mix is analyzed once and asked about several times. Threads share it.
pub trait Advisor: Sync {
    /// What is kept of an analyzed mix: soft tokens and levels, not the sound.
    type Analysis: Send + Sync + Serialize + DeserializeOwned;
    /// What is kept of windows that are right.
    type Reference: Send + Sync;

    /// Name and version, for the report.
    fn name(&self) -> String {
        "an advisor".into()
    }

    /// Analyzes a mix (expensive).
    fn analyze(&self, mix: &StereoPcm) -> Result<Self::Analysis>;

    /// Analyzes a window with each of these flaws. An advisor may compute what is the same for all of them once.
    fn analyze_flawed(&self, window: &GatedWindow<'_>, flaws: &[Flaw]) -> Result<Vec<Self::Analysis>> {
        flaws.iter().map(|flaw| self.analyze(&window.mix(*flaw))).collect()
    }

    /// The windows of a song as one analysis.
    fn pool(&self, windows: &[&Self::Analysis]) -> Result<Self::Analysis>;

    /// The balance of windows that are right, as a reference.
    fn reference_of(&self, windows: &[&Self::Analysis]) -> Self::Reference;

    /// The same from exact stem-minus-rest levels (RMS, dB) of windows that are right.
    fn reference_of_levels(&self, rest_levels_db: &[PerStem<f64>]) -> Self::Reference;

    /// Level of each stem against the rest of the mix as the advisor measures it: unweighted RMS, dB.
    fn meter_db(&self, analysis: &Self::Analysis) -> PerStem<f64>;

    /// Answers a question about an analyzed mix.
    fn answer(&self, analysis: &Self::Analysis, question: Question<'_, Self::Reference>) -> Result<Answered>;

    /// Answers from the prompt alone: the control that shows what the prompt gives away.
    fn answer_without_audio(&self, question: Question<'_, Self::Reference>) -> Result<Answered>;

    /// Answers a question about a mix of given stem-minus-rest levels (RMS, dB): the control that separates the errors
    /// of the language model from those of the meter.
    fn answer_levels(
        &self,
        rest_levels_db: &PerStem<f64>,
        question: Question<'_, Self::Reference>,
    ) -> Result<Answered>;

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
    /// Windows that are analyzed at a time. The report does not depend on it.
    pub threads: usize,
    /// Where the vocals of this music usually are, if the user says so.
    pub vocals: Option<VocalConvention>,
    /// Whether band energies are measured, for the baseline that judges by them.
    pub baselines: bool,
}

impl Settings {
    /// The benchmark's settings: 1000 resamples. One window at a time.
    pub fn new(protocol: Protocol, seed: u64) -> Settings {
        Settings { protocol, seed, resamples: 1000, threads: 1, vocals: None, baselines: false }
    }
}

/// Where the lead vocal of a genre usually is against its accompaniment (Gerdes and Siedenburg, 2023).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum VocalConvention {
    /// Above 0 dB: country, rap, pop
    Above,
    /// At about 0 dB: rock
    At,
    /// Below 0 dB: metal
    Below,
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
