//! The demo song: shipped stems, mixed with a known error.

use anyhow::{Context, Result};
use mixing_buddy_core::audio::{MODEL_RATE_HZ, StereoPcm, decode_at_rate};
use mixing_buddy_core::{BestAnswer, CancelFlag, Stem};
use serde::Deserialize;

/// Source of the demo song, and the error in its mix.
#[derive(Deserialize)]
pub struct Demo {
    /// The song's title.
    pub title: String,
    /// Its artist.
    pub artist: String,
    /// Its licence, as an SPDX identifier.
    pub licence: String,
    /// The error in the mix.
    pub injected: Injected,
}

/// The injected error.
#[derive(Deserialize)]
pub struct Injected {
    /// The stem that is off.
    pub stem: Stem,
    /// By how many dB: positive is too loud.
    pub gain_db: f32,
}

/// The stems of the demo song.
const STEMS: &[(Stem, &[u8])] = &[
    (Stem::Vocals, include_bytes!("../../../assets/demo/vocals.ogg")),
    (Stem::Drums, include_bytes!("../../../assets/demo/drums.ogg")),
    (Stem::Bass, include_bytes!("../../../assets/demo/bass.ogg")),
    (Stem::Other, include_bytes!("../../../assets/demo/other.ogg")),
];

impl Demo {
    /// A sentence about the song and its error.
    pub fn introduction(&self) -> String {
        let Injected { stem, gain_db } = self.injected;
        let Demo { title, artist, licence, .. } = self;
        format!("Demo: \"{title}\" by {artist} ({licence}), the {stem} set {gain_db:+.0} dB off.")
    }

    /// A sentence that says whether the advice on the whole song found the error.
    pub fn outcome(&self, best: &BestAnswer) -> String {
        let Injected { stem, gain_db } = self.injected;
        let found = best.stem == Some(stem) && best.gain_db.is_some_and(|gain| gain * gain_db < 0.0);
        let result = match (found, best.gain_db) {
            (true, Some(gain)) => format!("Found: the advice corrects it by {gain:+.1} dB."),
            _ => "Not found.".to_string(),
        };
        format!("Injected: {stem} {gain_db:+.1} dB. {result}")
    }
}

/// The flawed mix at the model's rate.
///
/// # Errors
/// When no temporary file can be written.
pub fn flawed_mix(cancel: &CancelFlag) -> Result<(Demo, StereoPcm)> {
    let demo: Demo =
        serde_json::from_str(include_str!("../../../assets/demo/demo.json")).context("demo.json")?;
    let folder = tempfile::tempdir().context("no temporary folder can be made")?;
    let mut mix: Option<StereoPcm> = None;
    for &(stem, bytes) in STEMS {
        let path = folder.path().join(format!("{stem}.ogg"));
        std::fs::write(&path, bytes).with_context(|| format!("{} cannot be written", path.display()))?;
        let mut pcm = decode_at_rate(&path, MODEL_RATE_HZ, cancel)?;
        if stem == demo.injected.stem {
            let gain = 10f32.powf(demo.injected.gain_db / 20.0);
            pcm.left.iter_mut().chain(&mut pcm.right).for_each(|sample| *sample *= gain);
        }
        match &mut mix {
            Some(mix) => {
                let frames = mix.len().max(pcm.len());
                mix.pad_to(frames);
                pcm.pad_to(frames);
                mix.add(&pcm)?;
            }
            none => *none = Some(pcm),
        }
    }
    Ok((demo, mix.context("the demo has no stems")?))
}
