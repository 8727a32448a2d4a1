//! Which windows count: levels and activity that every stem must have.

use super::samples::Flaw;
use mixing_buddy_core::audio::StereoPcm;
use mixing_buddy_core::stem::{PerStem, Stem};

/// A stem under this RMS level (dBFS, over both channels) does not pass the gate (published protocol).
pub const STEM_GATE_DBFS: f64 = -45.0;

/// A mixture under this RMS level (dBFS, over both channels) does not pass the gate (published protocol).
pub const MIXTURE_GATE_DBFS: f64 = -35.0;

/// The quietest stem whose measured level is judged, in dB against the rest of the mix.
///
/// A stem that adds less than a third of a per cent to the rest's power (0.014 dB) is practically absent: its level
/// cannot be measured, and its error would only blur the figures. Every measurement of the meter's error (ablation,
/// training, calibration) leaves quieter stems out. The value was chosen, not tuned.
pub const QUIETEST_MEASURED_DB: f64 = -25.0;

/// Length of a window in seconds (published protocol).
pub const WINDOW_S: usize = 10;
/// Share of a stem's frames that must be active (published protocol).
pub const ACTIVE_SHARE: f64 = 0.2;
/// Frames per second: one lasts 50 ms (published protocol).
pub const FRAMES_PER_SECOND: u32 = 20;
/// A frame of a stem over this RMS level is active. The preprint does not state it; its table of levels
/// counts as silence what is under -60 dBFS, so that is used here.
pub const ACTIVE_FRAME_DBFS: f64 = -60.0;

/// A song to test with: one recording per stem class, all from the same start and at the same rate.
#[derive(Clone, Debug)]
pub struct SongAudio {
    /// Name of the song: seeds its gains and names it in the report.
    pub name: String,
    /// The stems; none where the song has no such stem.
    pub stems: PerStem<Option<StereoPcm>>,
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
    let Some(stems) = song.stems.if_complete() else { return Vec::new() };
    let sample_rate_hz = stems[Stem::ALL[0]].sample_rate_hz;
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
            let mut sum = vec![0.0_f32; self.stems[flaw.stem][channel].len()];
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

    /// One of the stems.
    pub fn stem(&self, stem: Stem) -> StereoPcm {
        let [left, right] = self.stems[stem].map(<[f32]>::to_vec);
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
