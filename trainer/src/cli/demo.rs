//! The demo song: shipped stems, mixed with a known error.

use anyhow::{Context, Result};
use mixing_buddy_core::audio::{MODEL_RATE_HZ, StereoPcm, decode_at_rate};
use mixing_buddy_core::{CancelFlag, Stem};
use serde::Deserialize;

/// Where the demo is from, and what is wrong with its mix.
#[derive(Deserialize)]
pub(super) struct Demo {
    pub title: String,
    pub artist: String,
    pub licence: String,
    pub injected: Injected,
}

/// The error that is mixed in.
#[derive(Deserialize)]
pub(super) struct Injected {
    pub stem: Stem,
    pub gain_db: f32,
}

const STEMS: [(Stem, &[u8]); 4] = [
    (Stem::Vocals, include_bytes!("../../../assets/demo/vocals.ogg")),
    (Stem::Drums, include_bytes!("../../../assets/demo/drums.ogg")),
    (Stem::Bass, include_bytes!("../../../assets/demo/bass.ogg")),
    (Stem::Other, include_bytes!("../../../assets/demo/other.ogg")),
];

/// The flawed mix at the model's rate.
///
/// # Errors
/// When no temporary file can be written.
pub(super) fn flawed_mix(cancel: &CancelFlag) -> Result<(Demo, StereoPcm)> {
    let demo: Demo =
        serde_json::from_str(include_str!("../../../assets/demo/demo.json")).context("demo.json")?;
    let folder = tempfile::tempdir().context("no temporary folder can be made")?;
    let mut mix: Option<StereoPcm> = None;
    for (stem, bytes) in STEMS {
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
