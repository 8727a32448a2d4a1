//! The flawed mix, and the mix with the advice applied, equally loud.

use crate::protocol::{Flaw, GatedWindow};
use anyhow::{Context, Result};
use mixing_buddy_core::advice::BestAnswer;
use mixing_buddy_core::audio::StereoPcm;
use mixing_buddy_core::loudness::integrated_lufs;
use mixing_buddy_core::stem::Stem;

/// Loudness of all clips in LUFS, unless a peak forbids it: that of quiet streaming, so that peaks rarely do. Chosen, not
/// tuned.
const TARGET_LUFS: f64 = -20.0;
/// Highest sample after the gain.
const PEAK: f32 = 0.98;
/// Two clips of an item differ by less than this (ITU-R BS.1770).
pub const MATCHED_LU: f64 = 0.1;

/// Integrated loudness in LUFS.
///
/// # Errors
/// When the clip is silent.
pub fn loudness_lufs(pcm: &StereoPcm) -> Result<f64> {
    integrated_lufs(pcm)?.context("the clip is silent")
}

/// Makes clips equally loud: at `TARGET_LUFS`, or as loud as the highest peak permits.
///
/// # Errors
/// When a clip is silent.
pub fn matched(clips: Vec<StereoPcm>) -> Result<Vec<StereoPcm>> {
    let measured: Vec<f64> = clips.iter().map(loudness_lufs).collect::<Result<_>>()?;
    let peak = |pcm: &StereoPcm| pcm.left.iter().chain(&pcm.right).fold(0.0_f32, |peak, x| peak.max(x.abs()));
    let highest_lufs = clips.iter().zip(&measured).map(|(clip, loudness)| {
        loudness + 20.0 * f64::from(PEAK / peak(clip).max(f32::MIN_POSITIVE)).log10()
    });
    let target = highest_lufs.fold(TARGET_LUFS, f64::min);
    let scaled = |clip: StereoPcm, loudness: f64| {
        let gain = 10_f64.powf((target - loudness) / 20.0) as f32;
        let [left, right] =
            [&clip.left, &clip.right].map(|channel| channel.iter().map(|x| gain * x).collect());
        StereoPcm { left, right, sample_rate_hz: clip.sample_rate_hz }
    };
    Ok(clips.into_iter().zip(measured).map(|(clip, loudness)| scaled(clip, loudness)).collect())
}

/// The mix of a window with its flaw, and with an advice applied to it.
pub fn with_advice(window: &GatedWindow<'_>, flaw: Flaw, advice: Option<BestAnswer>) -> StereoPcm {
    let mut mix = window.mix(flaw);
    let Some((stem, gain_db)) = advice.and_then(|best| best.stem.zip(best.gain_db)) else { return mix };
    let amplitude = |gain_db: f64| 10_f64.powf(gain_db / 20.0);
    let flaw_of = |stem: Stem| if stem == flaw.stem { amplitude(flaw.gain_db) } else { 1.0 };
    // The stem is in the mix already, with its flaw.
    let more = (flaw_of(stem) * (amplitude(f64::from(gain_db)) - 1.0)) as f32;
    let alone = window.stem(stem);
    for (to, from) in mix.left.iter_mut().zip(&alone.left).chain(mix.right.iter_mut().zip(&alone.right)) {
        *to += more * from;
    }
    mix
}

/// A clip as the bytes of a WAV file, 16 bit; with one channel where both are the same.
///
/// # Errors
/// When it is too long for a WAV file.
pub fn wav(pcm: &StereoPcm) -> Result<Vec<u8>> {
    let channels = if pcm.left == pcm.right { 1 } else { 2 };
    let spec = hound::WavSpec {
        channels,
        sample_rate: pcm.sample_rate_hz,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut bytes = std::io::Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut bytes, spec).context("a clip in memory")?;
    for (left, right) in pcm.left.iter().zip(&pcm.right) {
        for sample in [left, right].into_iter().take(usize::from(channels)) {
            writer.write_sample((sample.clamp(-1.0, 1.0) * f32::from(i16::MAX)).round() as i16)?;
        }
    }
    writer.finalize()?;
    Ok(bytes.into_inner())
}
