//! Mixes of held-out songs, levelled after the norms, flawed as in the protocol and uncoloured: what calibration and
//! ablations measure with.

use super::advice::QuestionShares;
use super::mix_reading::{ChosenWindow, MAX_REFERENCE_WINDOWS, MixReading, WindowReader};
use super::simulate::{SimulationSettings, Simulator};
use crate::mixing::augment::AugmentSettings;
use crate::mixing::cache::MapCache;
use crate::mixing::mixer::{MixSettings, Mixer};
use crate::text::TextSampler;
use anyhow::{Result, ensure};
use mixing_buddy_core::encoder::Encoder;
use mixing_buddy_core::features::FeatureSettings;
use mixing_buddy_core::norms::NormsSummary;
use rand::SeedableRng;
use rand::rngs::SmallRng;

/// Which windows are mixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowChoice {
    /// This many windows of songs drawn at random.
    Drawn(usize),
    /// This many windows of each song, in turn; fewer of a song that has few.
    PerSong(usize),
}

/// General questions only; these shares of them have an anchor and a reference.
pub fn general_questions(anchor: f64, reference: f64) -> QuestionShares {
    QuestionShares { about: 0.0, other: 0.0, unclear: 0.0, compare: 0.0, anchor, reference }
}

/// Mixes windows of `songs` and reads them.
///
/// # Errors
/// When there is no window in which all four stems play, or as tensor operations.
pub fn read_held_out(
    encoder: &Encoder,
    features: &FeatureSettings,
    songs: &MapCache,
    questions: &QuestionShares,
    choice: WindowChoice,
    seed: u64,
) -> Result<Vec<MixReading>> {
    let norms = NormsSummary::shipped();
    let sampler = TextSampler::shipped()?;
    let simulation = SimulationSettings::default();
    let settings = MixSettings { augment: AugmentSettings::none(), ..MixSettings::default() };
    let simulator = Simulator::new(&simulation, questions, norms, &sampler);
    let mixer = Mixer::new(songs, &settings, norms);
    let reader = WindowReader { encoder, features, mixer: &mixer };
    let mut rng = SmallRng::seed_from_u64(seed);
    let read = |chosen: ChosenWindow, rng: &mut SmallRng| {
        let flawed = simulator.flawed(None, rng);
        reader.read_flawed(&chosen, &flawed, None, rng)
    };
    let mut all = Vec::new();
    match choice {
        WindowChoice::Drawn(count) => {
            while all.len() < count {
                let Some(drawn) = mixer.full_window(MAX_REFERENCE_WINDOWS, &mut rng) else { break };
                let (song, window, others) = drawn;
                all.push(read(ChosenWindow { song, window, others }, &mut rng)?);
            }
        }
        WindowChoice::PerSong(count) => {
            for chosen in windows_per_song(&mixer, songs.songs.len(), count, questions.reference > 0.0) {
                all.push(read(chosen, &mut rng)?);
            }
        }
    }
    ensure!(!all.is_empty(), "none of these songs has a window in which all four stems play");
    Ok(all)
}

/// Most mixes of one window: the same window with another flaw is another mix, but mixes of one window are alike.
/// Chosen, not tuned.
const MAX_FLAWS_PER_WINDOW: usize = 4;

/// `count` windows of each song in turn. With `needs_other`, songs with a single window are left out.
fn windows_per_song(mixer: &Mixer<'_>, songs: usize, count: usize, needs_other: bool) -> Vec<ChosenWindow> {
    let mut chosen = Vec::new();
    for song in 0..songs {
        let full = mixer.full_windows_of(song);
        if full.is_empty() || (needs_other && full.len() < 2) {
            continue;
        }
        chosen.extend((0..count.min(MAX_FLAWS_PER_WINDOW * full.len())).map(|mix| {
            let window = full[mix % full.len()];
            let others = full.iter().copied().filter(|other| *other != window);
            ChosenWindow { song, window, others: others.take(MAX_REFERENCE_WINDOWS).collect() }
        }));
    }
    chosen
}
