//! Gate, windows, samples and flawed mixes of the published protocol.

use super::SongAudio;
use mixing_buddy_core::audio::StereoPcm;
use mixing_buddy_core::norms::Category;
use mixing_buddy_core::norms::chunks::{MIXTURE_GATE_DBFS, STEM_GATE_DBFS};
use mixing_buddy_core::stem::{Direction, PerStem, Stem};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Length of a window.
pub const WINDOW_S: usize = 10;
/// Frames of a stem that must be active.
pub const ACTIVE_SHARE: f64 = 0.2;
/// Length of a frame: 50 ms, so twenty a second.
pub const FRAMES_PER_SECOND: u32 = 20;
/// A frame of a stem over this RMS level is active. The preprint does not say; under -60 dBFS its table of levels
/// counts as silence, so that is taken here.
pub const ACTIVE_FRAME_DBFS: f64 = -60.0;
/// Gains drawn for each target and category.
pub const GAINS: usize = 2;

/// What is named as right in the question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// An anchor stem: the published protocol, 60 samples a window.
    Anchor,
    /// A reference balance, measured from the song's other windows: 30 samples a window, no anchor.
    Reference,
}

impl Protocol {
    /// Name as in options and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Protocol::Anchor => "published",
            Protocol::Reference => "reference",
        }
    }

    /// Windows that a song must have to be eligible.
    pub const fn fewest_windows(self) -> usize {
        match self {
            Protocol::Anchor => 1,
            Protocol::Reference => 2,
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Protocol {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "published" | "anchor" => Ok(Protocol::Anchor),
            "reference" => Ok(Protocol::Reference),
            _ => Err(format!("'{text}' is not a protocol; the protocols are published and reference")),
        }
    }
}

/// One question of the benchmark and its right answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sample {
    /// Name of the song.
    pub song: String,
    /// Number of the window on the song's 10 s grid.
    pub window: usize,
    /// The stem that was changed, or would have been.
    pub target: Stem,
    /// The stem that the question names as right.
    pub anchor: Option<Stem>,
    /// How it was changed.
    pub category: Category,
    /// Gain given to the target in dB; 0 where nothing was changed.
    pub gain_db: f64,
    /// Which of the window's distinct mixes this is; 0 is the unflawed one.
    pub mix: usize,
}

impl Sample {
    /// Stem and direction of the flaw, none where nothing was changed.
    pub fn truth(&self) -> Option<(Stem, Direction)> {
        self.category.direction().map(|direction| (self.target, direction))
    }
}

/// One of a window's distinct mixes: the unflawed one, or one with a gain on one stem.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Flaw {
    /// The stem that was changed.
    pub stem: Stem,
    /// By how much, in dB; 0 for the unflawed mix.
    pub gain_db: f64,
}

/// A window of a song in which all four stems play.
#[derive(Clone, Debug)]
pub struct GatedWindow<'a> {
    /// Number on the song's 10 s grid.
    pub index: usize,
    /// Unweighted RMS level of each stem in dBFS, over both channels.
    pub levels_dbfs: PerStem<f64>,
    sample_rate_hz: u32,
    stems: PerStem<[&'a [f32]; 2]>,
}

/// Why a song has no windows to test with.
pub fn missing_stem(song: &SongAudio) -> Option<Stem> {
    Stem::ALL.into_iter().find(|stem| song.stems[*stem].is_none())
}

/// The song's windows that pass the gate: mixture over -35 dBFS, every stem over -45 dBFS (RMS over both channels),
/// and each stem active in at least 20 % of its 50 ms frames.
pub fn gated_windows(song: &SongAudio) -> Vec<GatedWindow<'_>> {
    let PerStem { vocals: Some(vocals), drums: Some(drums), bass: Some(bass), other: Some(other) } =
        &song.stems
    else {
        return Vec::new();
    };
    let stems = PerStem { vocals, drums, bass, other };
    let sample_rate_hz = vocals.sample_rate_hz;
    let window_samples = WINDOW_S * sample_rate_hz as usize;
    let samples = stems.iter().map(|(_, pcm)| pcm.left.len().min(pcm.right.len())).min().unwrap_or(0);
    if window_samples == 0 || stems.iter().any(|(_, pcm)| pcm.sample_rate_hz != sample_rate_hz) {
        return Vec::new();
    }
    (0..samples / window_samples)
        .filter_map(|index| {
            let range = index * window_samples..(index + 1) * window_samples;
            let window = GatedWindow {
                index,
                levels_dbfs: stems
                    .map(|pcm| rms_dbfs(&[&pcm.left[range.clone()], &pcm.right[range.clone()]])),
                sample_rate_hz,
                stems: stems.map(|pcm| [&pcm.left[range.clone()], &pcm.right[range.clone()]]),
            };
            window.passes_gate().then_some(window)
        })
        .collect()
}

impl GatedWindow<'_> {
    fn passes_gate(&self) -> bool {
        if self.levels_dbfs.to_array().into_iter().any(|level| level <= STEM_GATE_DBFS) {
            return false;
        }
        let mix = self.mix(Flaw { stem: Stem::Vocals, gain_db: 0.0 });
        rms_dbfs(&[&mix.left, &mix.right]) > MIXTURE_GATE_DBFS
            && self.stems.iter().all(|(_, channels)| self.active_share(channels) >= ACTIVE_SHARE)
    }

    fn active_share(&self, channels: &[&[f32]; 2]) -> f64 {
        let frame = (self.sample_rate_hz / FRAMES_PER_SECOND).max(1) as usize;
        let frames = channels[0].len() / frame;
        let active = (0..frames)
            .filter(|index| {
                let range = index * frame..(index + 1) * frame;
                rms_dbfs(&[&channels[0][range.clone()], &channels[1][range]]) > ACTIVE_FRAME_DBFS
            })
            .count();
        active as f64 / frames.max(1) as f64
    }

    /// The sum of the stems, with a gain on one of them.
    pub fn mix(&self, flaw: Flaw) -> StereoPcm {
        let [left, right] = [0, 1].map(|channel| {
            let mut sum = vec![0.0_f32; self.stems.vocals[channel].len()];
            for (stem, channels) in self.stems.iter() {
                let gain = if stem == flaw.stem { 10_f64.powf(flaw.gain_db / 20.0) as f32 } else { 1.0 };
                for (total, sample) in sum.iter_mut().zip(channels[channel]) {
                    *total += gain * sample;
                }
            }
            sum
        });
        StereoPcm { left, right, sample_rate_hz: self.sample_rate_hz }
    }

    /// Level of each stem in dBFS in the mix with this flaw.
    pub fn flawed_levels_dbfs(&self, flaw: Flaw) -> PerStem<f64> {
        let mut levels = self.levels_dbfs;
        levels[flaw.stem] += flaw.gain_db;
        levels
    }
}

/// RMS level in dBFS: mean of the squares over all samples of both channels.
pub fn rms_dbfs(channels: &[&[f32]; 2]) -> f64 {
    let squares: f64 = channels
        .iter()
        .flat_map(|channel| channel.chunks(1024))
        .map(|part| f64::from(part.iter().map(|sample| sample * sample).sum::<f32>()))
        .sum();
    let count = channels[0].len() + channels[1].len();
    10.0 * (squares / count.max(1) as f64).max(1e-20).log10()
}

/// The distinct mixes of a window and the samples asked about them, the same for the same seed, song and window.
pub fn plan_window(protocol: Protocol, seed: u64, song: &str, window: usize) -> (Vec<Flaw>, Vec<Sample>) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed_of(seed, song, window));
    let mut flaws = vec![Flaw { stem: Stem::Vocals, gain_db: 0.0 }];
    let mut samples = Vec::new();
    for target in Stem::BLAMED {
        for category in Category::ALL {
            for _ in 0..GAINS {
                let (mix, gain_db) = match category.gain_range_db() {
                    None => (0, 0.0),
                    Some((low, high)) => {
                        let gain_db = rng.random_range(low..high);
                        flaws.push(Flaw { stem: target, gain_db });
                        (flaws.len() - 1, gain_db)
                    }
                };
                let mut ask = |anchor| {
                    let song = song.to_string();
                    samples.push(Sample { song, window, target, anchor, category, gain_db, mix });
                };
                match protocol {
                    Protocol::Reference => ask(None),
                    Protocol::Anchor => {
                        Stem::BLAMED
                            .into_iter()
                            .filter(|anchor| *anchor != target)
                            .for_each(|anchor| ask(Some(anchor)));
                    }
                }
            }
        }
    }
    (flaws, samples)
}

/// Which mix of another song's window each sample hears in the control with shuffled sound: those of the samples in
/// a seeded random order. Mixes of the same number would carry the same flaw, and so the right answer.
pub fn shuffled_mixes(seed: u64, samples: &[Sample]) -> Vec<usize> {
    let Some(first) = samples.first() else { return Vec::new() };
    let mut rng = ChaCha8Rng::seed_from_u64(seed_of(!seed, &first.song, first.window));
    let mut mixes: Vec<usize> = samples.iter().map(|sample| sample.mix).collect();
    mixes.shuffle(&mut rng);
    mixes
}

/// One number of seed, song and window (FNV-1a, 64 bits), the same on every machine.
fn seed_of(seed: u64, song: &str, window: usize) -> u64 {
    let bytes = seed.to_le_bytes().into_iter().chain(song.bytes()).chain((window as u64).to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
