//! Samples and flaws of the published protocol: what is asked about each window.

use super::category::Category;
use mixing_buddy_core::hash::fnv1a;
use mixing_buddy_core::stem::{Direction, Stem};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Gains drawn for each target and category (published protocol).
pub const GAINS: usize = 2;

/// What is named as right in the question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// An anchor stem: the published protocol, 60 samples per window.
    Anchor,
    /// A reference balance, measured from the song's other windows: 30 samples per window, no anchor.
    Reference,
    /// Nothing: 30 samples per window.
    #[serde(rename = "no-anchor")]
    NoAnchor,
    /// An anchor stem, asked about all windows of a song together: 60 samples per song, with the same flaw in all windows.
    Song,
}

impl Protocol {
    /// Name as in options and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Protocol::Anchor => "published",
            Protocol::Reference => "reference",
            Protocol::NoAnchor => "no-anchor",
            Protocol::Song => "song",
        }
    }

    /// All protocols.
    pub const ALL: [Protocol; 4] =
        [Protocol::Anchor, Protocol::Reference, Protocol::NoAnchor, Protocol::Song];

    /// Samples per window, or per song in [`Protocol::Song`].
    pub const fn samples(self) -> usize {
        let anchors = match self {
            Protocol::Anchor | Protocol::Song => Stem::TARGET_COUNT - 1,
            Protocol::Reference | Protocol::NoAnchor => 1,
        };
        Stem::TARGET_COUNT * Category::COUNT * GAINS * anchors
    }

    /// Windows that a song must have to be eligible.
    pub const fn fewest_windows(self) -> usize {
        match self {
            Protocol::Anchor | Protocol::NoAnchor | Protocol::Song => 1,
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
            "no-anchor" => Ok(Protocol::NoAnchor),
            "song" => Ok(Protocol::Song),
            _ => Err(format!(
                "'{text}' is not a protocol; the protocols are published, reference, no-anchor and song"
            )),
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

impl Flaw {
    /// No flaw: the unflawed mix, the first of a window's mixes.
    pub const NONE: Flaw = Flaw { stem: Stem::Vocals, gain_db: 0.0 };
}

/// The distinct mixes of a window and the samples asked about them, the same for the same seed, song and window.
pub fn plan_window(protocol: Protocol, seed: u64, song: &str, window: usize) -> (Vec<Flaw>, Vec<Sample>) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed_of(seed, song, window));
    let mut flaws = vec![Flaw::NONE];
    let mut samples = Vec::new();
    for target in Stem::TARGETS {
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
                    Protocol::Reference | Protocol::NoAnchor => ask(None),
                    Protocol::Anchor | Protocol::Song => {
                        Stem::TARGETS
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

/// The mix of another song's window that each sample gets in the control with shuffled sound: those of the samples, in
/// a seeded random order. Mixes of the same number would have the same flaw, and so the right answer.
pub fn shuffled_mixes(seed: u64, samples: &[Sample]) -> Vec<usize> {
    let Some(first) = samples.first() else { return Vec::new() };
    let mut rng = ChaCha8Rng::seed_from_u64(seed_of(!seed, &first.song, first.window));
    let mut mixes: Vec<usize> = samples.iter().map(|sample| sample.mix).collect();
    mixes.shuffle(&mut rng);
    mixes
}

/// For each sample, the number of another one with the same anchor, each once, in a seeded random order.
pub fn shuffled_within_anchors(seed: u64, samples: &[Sample]) -> Vec<usize> {
    let Some(first) = samples.first() else { return Vec::new() };
    let mut rng = ChaCha8Rng::seed_from_u64(seed_of(!seed, &first.song, first.window));
    let mut order: Vec<usize> = (0..samples.len()).collect();
    let anchors = std::iter::once(None).chain(Stem::ALL.map(Some));
    for anchor in anchors {
        let places: Vec<usize> = (0..samples.len()).filter(|at| samples[*at].anchor == anchor).collect();
        let mut drawn = places.clone();
        drawn.shuffle(&mut rng);
        places.into_iter().zip(drawn).for_each(|(place, drawn)| order[place] = drawn);
    }
    order
}

/// One number from seed, song and window (FNV-1a, 64 bits), the same on every machine.
fn seed_of(seed: u64, song: &str, window: usize) -> u64 {
    let bytes = seed.to_le_bytes().into_iter().chain(song.bytes()).chain((window as u64).to_le_bytes());
    fnv1a(bytes)
}
