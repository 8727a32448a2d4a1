//! Mixes of held-out songs, levelled after the norms and flawed as in the protocol, as an encoder reads them: what
//! calibration and ablations measure with.

use super::advice::QuestionMix;
use super::readings::MOST_REFERENCE_WINDOWS;
use super::simulate::{SimulationSettings, Simulator};
use crate::mixing::augment::AugmentSettings;
use crate::mixing::batch::read_example;
use crate::mixing::cache::MapCache;
use crate::mixing::mixer::{MixSettings, Mixer};
use crate::text::TextSampler;
use anyhow::{Result, ensure};
use mixing_buddy_core::decoder::ReferenceBalance;
use mixing_buddy_core::encoder::{Encoder, Reading};
use mixing_buddy_core::features::FeatureSettings;
use mixing_buddy_core::norms::NormsSummary;
use mixing_buddy_core::{Direction, PerStem, Stem};
use rand::SeedableRng;
use rand::rngs::SmallRng;

/// A flawed mix as the encoder reads it, and the truth.
pub struct FlawReading {
    /// Number of the song in the cache.
    pub song: usize,
    /// What the encoder read.
    pub reading: Reading,
    /// True level of each stem against the rest in dB.
    pub true_db: PerStem<f64>,
    /// What was made wrong, none in a balanced mix.
    pub error: Option<(Stem, Direction)>,
    /// A stem that is named as right.
    pub anchor: Option<Stem>,
    /// The balance to aim at, where one is given, as measured in other windows of the song.
    pub reference: Option<ReferenceBalance>,
    /// Stems that are there.
    pub present: PerStem<bool>,
}

/// Which windows are mixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Windows {
    /// As many, of songs that are drawn.
    Drawn(usize),
    /// Of each song as many, in turn; fewer of a song that has few.
    OfEach(usize),
}

/// General questions, with an anchor and with a reference as often as is said.
pub fn general_questions(anchor: f64, reference: f64) -> QuestionMix {
    QuestionMix { about: 0.0, other: 0.0, unclear: 0.0, compare: 0.0, anchor, reference }
}

/// Mixes windows of `songs`, uncoloured, and hears them.
///
/// # Errors
/// When there is no window in which all four stems play, or as tensor operations.
pub fn read_flaws(
    encoder: &Encoder,
    features: &FeatureSettings,
    songs: &MapCache,
    questions: &QuestionMix,
    windows: Windows,
    seed: u64,
) -> Result<Vec<FlawReading>> {
    let norms = NormsSummary::shipped();
    let sampler = TextSampler::shipped()?;
    let simulation = SimulationSettings::default();
    let settings = MixSettings { augment: AugmentSettings::none(), ..MixSettings::default() };
    let simulator = Simulator::new(&simulation, questions, norms, &sampler);
    let mixer = Mixer::new(songs, &settings, norms);
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut in_turn = match windows {
        Windows::Drawn(_) => Vec::new(),
        Windows::OfEach(count) => in_turn(&mixer, songs.songs.len(), count, questions.reference > 0.0),
    }
    .into_iter();
    let mut all = Vec::new();
    loop {
        let picked = match windows {
            Windows::Drawn(count) if all.len() < count => mixer.full_window(MOST_REFERENCE_WINDOWS, &mut rng),
            Windows::Drawn(_) => None,
            Windows::OfEach(_) => in_turn.next(),
        };
        let Some((song, window, others)) = picked else { break };
        let flawed = simulator.flawed(None, &mut rng);
        let mut read = |window: usize, levels: &PerStem<f64>| -> Result<(Reading, PerStem<f64>)> {
            let example = mixer.mix(&mixer.levelled(song, window, levels), &mut rng);
            let truth = example.rest_levels_db();
            Ok((
                read_example(encoder, features, &example)?,
                PerStem::from_fn(|s| f64::from(truth[s.index()].unwrap_or(-60.0))),
            ))
        };
        let (reading, true_db) = read(window, &flawed.levels_db)?;
        let reference = if flawed.has_reference {
            let windows =
                others.iter().map(|other| read(*other, &flawed.song_db)).collect::<Result<Vec<_>>>()?;
            Some(ReferenceBalance::mean_of(windows.iter().map(|(reading, _)| reading)))
        } else {
            None
        };
        all.push(FlawReading {
            song,
            reading,
            true_db,
            error: flawed.injected,
            anchor: flawed.anchor,
            reference,
            present: flawed.present,
        });
    }
    ensure!(!all.is_empty(), "none of these songs has a window in which all four stems play");
    Ok(all)
}

/// Mixes of each song: song, window, other windows. With `needs_other` songs of one window are left out.
fn in_turn(
    mixer: &Mixer<'_>,
    songs: usize,
    count: usize,
    needs_other: bool,
) -> Vec<(usize, usize, Vec<usize>)> {
    /// The same window with another flaw is another mix, but not without end.
    const FLAWS_A_WINDOW: usize = 4;
    let mut picked = Vec::new();
    for song in 0..songs {
        let full = mixer.full_windows_of(song);
        if full.is_empty() || (needs_other && full.len() < 2) {
            continue;
        }
        let of_song = count.min(FLAWS_A_WINDOW * full.len());
        picked.extend((0..of_song).map(|mix| {
            let window = full[mix % full.len()];
            let others = full.iter().copied().filter(|other| *other != window);
            (song, window, others.take(MOST_REFERENCE_WINDOWS).collect())
        }));
    }
    picked
}
