//! What was measured and answered, per song: all figures follow from it.

use super::advisor::Answered;
use super::separating::SeparatedLevels;
use crate::protocol::{Flaw, Protocol, Sample, plan_window};
use anyhow::Result;
use mixing_buddy_core::norms::levels::all_rest_levels_from_levels;
use mixing_buddy_core::stem::{PerStem, Stem};
use serde::{Deserialize, Serialize};

/// All that is known of a song.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SongRecord {
    /// Name of the song.
    pub song: String,
    /// Why it was not used, in words that follow "because"; none where it was.
    pub left_out: Option<String>,
    /// Its windows, or one for the whole song.
    pub windows: Vec<WindowRecord>,
}

/// All that is known of a window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WindowRecord {
    /// Number of the window on the song's 10 s grid; 0 for a whole song.
    pub index: usize,
    /// RMS level of each stem in dBFS, unflawed; of a whole song the mean over its windows.
    pub levels_dbfs: PerStem<f64>,
    /// Stem-minus-rest levels of each distinct mix, as the advisor measured them.
    pub metered_db: Vec<PerStem<f64>>,
    /// Level of each band against the whole in dB, of each distinct mix, where baselines are asked for.
    #[serde(default)]
    pub bands: Option<Vec<Vec<f32>>>,
    /// Levels by a separator, of each distinct mix, where there is one.
    #[serde(default)]
    pub separated_db: Option<Vec<SeparatedLevels>>,
    /// The advisor's answers.
    pub model: Answers,
    /// Its answers with the exact levels in place of its own reading.
    pub exact_levels: Answers,
    /// Its answers from the prompt alone; all about mix 0.
    pub no_audio: Answers,
    /// Its answers to the sound of another song, one per sample, where they are not among those of the other song; none
    /// with a single song.
    pub shuffled_audio: Option<Vec<Answered>>,
}

/// Answers to distinct questions. Several samples share one, since the target is not in the prompt.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Answers(Vec<(usize, Option<Stem>, Answered)>);

impl Answers {
    /// The answer about a mix with an anchor, from `ask` where it was not asked before.
    pub fn get_or_ask(
        &mut self,
        mix: usize,
        anchor: Option<Stem>,
        ask: impl FnOnce() -> Result<Answered>,
    ) -> Result<&Answered> {
        let known = self.position(mix, anchor);
        let at = match known {
            Some(at) => at,
            None => {
                let mut answered = ask()?;
                answered.confidence = rounded(answered.confidence);
                self.0.push((mix, anchor, answered));
                self.0.len() - 1
            }
        };
        Ok(&self.0[at].2)
    }

    /// The answer about a mix with an anchor.
    pub fn get(&self, mix: usize, anchor: Option<Stem>) -> Option<&Answered> {
        self.position(mix, anchor).map(|at| &self.0[at].2)
    }

    fn position(&self, mix: usize, anchor: Option<Stem>) -> Option<usize> {
        self.0.iter().position(|(of_mix, of_anchor, _)| (*of_mix, *of_anchor) == (mix, anchor))
    }
}

/// Rounds to six decimals, which any reader of JSON restores exactly: kept records must give the same report.
pub(crate) fn rounded(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

impl WindowRecord {
    /// The window's distinct mixes and samples, which follow from the seed.
    pub fn plan(&self, protocol: Protocol, seed: u64, song: &str) -> (Vec<Flaw>, Vec<Sample>) {
        plan_window(protocol, seed, song, self.index)
    }

    /// Level of each stem in dBFS in the mix with this flaw.
    pub fn flawed_dbfs(&self, flaw: Flaw) -> PerStem<f64> {
        let mut levels = self.levels_dbfs;
        levels[flaw.stem] += flaw.gain_db;
        levels
    }

    /// True stem-minus-rest levels, unflawed.
    pub fn true_db(&self) -> PerStem<f64> {
        all_rest_levels_from_levels(&self.levels_dbfs)
    }
}
