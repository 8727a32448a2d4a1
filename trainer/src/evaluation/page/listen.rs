//! Listening examples, small enough to be in the page: mono, 16 kHz.

use crate::collections::SongFolder;
use crate::evaluation::study::clips::{matched, wav, with_advice};
use crate::evaluation::study::licence::{Credit, licensed_song, window_of};
use crate::evaluation::words::Item;
use crate::protocol::{Flaw, gated_windows};
use anyhow::Result;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mixing_buddy_core::CancelFlag;
use mixing_buddy_core::audio::{StereoPcm, resample};

/// Rate of the examples: enough to judge a balance, a third of the size.
const RATE_HZ: u32 = 16_000;

/// A mix and what the advice makes of it.
#[derive(Clone, Debug)]
pub struct Example {
    /// Name of the item.
    pub item: String,
    /// The mix, as base64 of a WAV file.
    pub mix: String,
    /// The mix with the advice applied, equally loud; none where it changes nothing.
    pub with_advice: Option<String>,
    /// Whom to credit.
    pub credit: Credit,
}

/// Examples of items, whose songs are in `folders`.
///
/// # Errors
/// When a song is missing, or its licence does not permit to pass it on.
pub fn examples(items: &[&Item], folders: &[SongFolder], cancel: &CancelFlag) -> Result<Vec<Example>> {
    items.iter().map(|item| example(item, folders, cancel)).collect()
}

fn example(item: &Item, folders: &[SongFolder], cancel: &CancelFlag) -> Result<Example> {
    let (song, credit) = licensed_song(item, folders, cancel)?;
    let windows = gated_windows(&song);
    let window = window_of(item, &windows)?;
    let flaw = item.truth.map_or(Flaw::NONE, |truth| Flaw { stem: truth.stem, gain_db: truth.gain_db });
    let changes = item.best.is_some_and(|best| best.stem.is_some());
    let mut sounds = vec![window.mix(flaw)];
    sounds.extend(changes.then(|| with_advice(window, flaw, item.best)));
    let small = |pcm: &StereoPcm| -> Result<StereoPcm> {
        let mono: Vec<f32> = pcm.left.iter().zip(&pcm.right).map(|(l, r)| 0.5 * (l + r)).collect();
        Ok(resample(&StereoPcm::new(mono.clone(), mono, pcm.sample_rate_hz)?, RATE_HZ)?)
    };
    let sounds = matched(sounds.iter().map(small).collect::<Result<_>>()?)?;
    let encoded = |pcm: &StereoPcm| -> Result<String> { Ok(STANDARD.encode(wav(pcm)?)) };
    Ok(Example {
        item: item.id.clone(),
        mix: encoded(&sounds[0])?,
        with_advice: sounds.get(1).map(encoded).transpose()?,
        credit,
    })
}
