//! What a stem may have gone through before it reached the mix: layers, tuning, reverb, dynamics, rests.
//!
//! All of it works on power maps (`[frames, (mid, side), bands]`), so it costs no transform. Rendered stems are cleaner
//! and more alike than recorded ones; the encoder must not learn that.
//!
//! Its effect: at the ablation's length it costs 0.1 to 0.4 dB on songs like those trained on, and gains 0.6 dB
//! of bass on real songs (`trainer/RUNS.md`). The ranges below were chosen, not tuned.

use mixing_buddy_core::Stem;
use rand::Rng;
use rand::rngs::SmallRng;
use rand_distr::{Distribution, Normal};
use serde::{Deserialize, Serialize};
use std::ops::{Range, RangeInclusive};

/// Power of a reverb against the dry sound in dB: from barely audible to drenched.
const REVERB_DB: Range<f32> = -22.0..-5.0;
/// Reverberation time (to -60 dB) in seconds: from a booth to a church.
const REVERB_S: Range<f32> = 0.2..2.5;
/// Shares of a reverb's power in mid and side: rooms are wide.
const REVERB_MID_SIDE: (f32, f32) = (0.6, 0.4);
/// Of the changes of dynamics, the share that compresses; the others expand.
const COMPRESSED: f64 = 0.75;
/// Ratio of a compressor.
const COMPRESSOR_RATIO: Range<f32> = 1.2..4.0;
/// Ratio of an expander.
const EXPANDER_RATIO: Range<f32> = 0.7..0.95;
/// Shares of old and new power in a compressor's envelope, per frame, where the sound gets louder and quieter: fast up,
/// slow down.
const ATTACK: (f32, f32) = (0.5, 0.5);
const RELEASE: (f32, f32) = (0.93, 0.07);
/// Points of an equaliser curve.
const EQ_POINTS: RangeInclusive<usize> = 2..=5;

/// Chances and sizes of what is done to a single stem.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AugmentSettings {
    /// Chance that a stem of an example across songs is two sources layered.
    pub layered: f64,
    /// Chance of a shift along frequency (tuning, size of a drum or a voice).
    pub shifted: f64,
    /// Largest shift in bands.
    pub shift_bands: f32,
    /// Largest shift of vocals in bands: there are far fewer voices to learn from than instruments.
    pub voice_shift_bands: f32,
    /// Chance that one to three further voices are added: a choir is vocals too.
    pub choir: f64,
    /// Chance of a reverb tail.
    pub reverberant: f64,
    /// Chance of a compressor or an expander.
    pub dynamic: f64,
    /// Chance of a rest of a fifth to three fifths of the window.
    pub resting: f64,
}

impl Default for AugmentSettings {
    fn default() -> Self {
        AugmentSettings {
            layered: 0.3,
            shifted: 0.5,
            shift_bands: 2.0,
            voice_shift_bands: 5.0,
            choir: 0.2,
            reverberant: 0.35,
            dynamic: 0.4,
            resting: 0.12,
        }
    }
}

impl AugmentSettings {
    /// Nothing is done.
    pub fn none() -> Self {
        AugmentSettings {
            layered: 0.0,
            shifted: 0.0,
            shift_bands: 0.0,
            voice_shift_bands: 0.0,
            choir: 0.0,
            reverberant: 0.0,
            dynamic: 0.0,
            resting: 0.0,
        }
    }
}

/// What is done to one stem's map.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StemShape {
    /// Bands by which the spectrum moves up; 0 for none.
    pub shift_bands: f32,
    /// Power of the reverb against the dry sound, and its decay: the power that is left after one frame.
    pub reverb: Option<(f32, f32)>,
    /// Ratio of the compressor (over 1) or the expander (under 1); 0 for none.
    pub ratio: f32,
    /// First frame of a rest, and the first after it.
    pub rest: Option<(usize, usize)>,
}

impl StemShape {
    /// Draws a shape for a stem; `seconds_per_frame` turns reverberation times into decays.
    pub fn draw(
        settings: &AugmentSettings,
        stem: Stem,
        frames: usize,
        seconds_per_frame: f32,
        rng: &mut SmallRng,
    ) -> Self {
        let mut shape = StemShape::default();
        let most = if stem == Stem::Vocals { settings.voice_shift_bands } else { settings.shift_bands };
        if most > 0.0 && rng.random_bool(settings.shifted) {
            shape.shift_bands = rng.random_range(-most..most);
        }
        if rng.random_bool(settings.reverberant) {
            let (level_db, rt60_s) = (rng.random_range(REVERB_DB), rng.random_range(REVERB_S));
            // Power falls by 60 dB in the reverberation time.
            shape.reverb = Some((10f32.powf(level_db / 10.0), 10f32.powf(-6.0 * seconds_per_frame / rt60_s)));
        }
        if rng.random_bool(settings.dynamic) {
            shape.ratio = if rng.random_bool(COMPRESSED) {
                rng.random_range(COMPRESSOR_RATIO)
            } else {
                rng.random_range(EXPANDER_RATIO)
            };
        }
        if rng.random_bool(settings.resting) {
            let length = rng.random_range(frames / 5..frames * 3 / 5);
            let start = rng.random_range(0..frames - length);
            shape.rest = Some((start, start + length));
        }
        shape
    }

    /// Whether anything is done.
    pub fn is_plain(&self) -> bool {
        *self == StemShape::default()
    }

    /// Applies the shape to a power map of `bands` bands in place.
    pub fn apply(&self, map: &mut [f32], bands: usize) {
        if let Some((start, end)) = self.rest {
            map[start * 2 * bands..end * 2 * bands].fill(0.0);
        }
        if self.shift_bands != 0.0 {
            let mut room = Vec::with_capacity(bands);
            map.chunks_exact_mut(bands).for_each(|row| shift(row, self.shift_bands, &mut room));
        }
        if self.ratio > 0.0 {
            follow(map, 2 * bands, self.ratio);
        }
        if let Some((level, decay)) = self.reverb {
            reverberate(map, bands, level, decay);
        }
    }
}

/// Moves a row of bands up by `by` (down where negative): what leaves the range is lost.
/// `from` is room for a copy of the row.
fn shift(row: &mut [f32], by: f32, from: &mut Vec<f32>) {
    let whole = by.floor();
    let (part, whole) = (by - whole, whole as isize);
    from.clear();
    from.extend_from_slice(row);
    let at = |index: isize| usize::try_from(index).ok().and_then(|i| from.get(i)).copied().unwrap_or(0.0);
    for (band, value) in row.iter_mut().enumerate() {
        let source = band as isize - whole;
        *value = (1.0 - part) * at(source) + part * at(source - 1);
    }
}

/// A compressor or expander around the stem's own mean level: above it, every dB comes out as `1 / ratio` dB.
pub(super) fn follow(map: &mut [f32], row: usize, ratio: f32) {
    let gains = envelope_gains(map, row, ratio);
    for (frame, gain) in map.chunks_exact_mut(row).zip(gains) {
        frame.iter_mut().for_each(|value| *value *= gain);
    }
}

/// Power gain of each frame that [`follow`] applies: fast up, slow down.
pub(super) fn envelope_gains(map: &[f32], row: usize, ratio: f32) -> Vec<f32> {
    let mean = map.iter().sum::<f32>() / (map.len() / row).max(1) as f32;
    let mut envelope = mean;
    map.chunks_exact(row)
        .map(|frame| {
            let power: f32 = frame.iter().sum();
            let (old, new) = if power > envelope { ATTACK } else { RELEASE };
            envelope = old * envelope + new * power;
            (envelope / mean.max(1e-20)).max(1.0).powf(1.0 / ratio - 1.0)
        })
        .collect()
}

/// Adds an exponential tail of the mid channel to both channels. `level` is its power against the dry sound.
fn reverberate(map: &mut [f32], bands: usize, level: f32, decay: f32) {
    let mut tail = vec![0.0; bands];
    // A tail's powers sum to 1 / (1 - decay).
    let scale = level * (1.0 - decay);
    for frame in map.chunks_exact_mut(2 * bands) {
        let (mid, side) = frame.split_at_mut(bands);
        for ((tail, mid), side) in tail.iter_mut().zip(mid).zip(side) {
            let wet = *tail * scale;
            *tail = decay * (*tail + *mid);
            *mid += REVERB_MID_SIDE.0 * wet;
            *side += REVERB_MID_SIDE.1 * wet;
        }
    }
}

/// A smooth random equaliser curve as amplitudes: straight lines between two to five points.
pub(super) fn eq_curve(bands: usize, sd_db: f32, rng: &mut SmallRng) -> Vec<f32> {
    let points = rng.random_range(EQ_POINTS);
    let normal = Normal::new(0.0, sd_db).expect("the configuration has a finite spread");
    let values: Vec<f32> = (0..points).map(|_| normal.sample(rng)).collect();
    (0..bands)
        .map(|m| {
            let position = m as f32 / (bands - 1) as f32 * (points - 1) as f32;
            let below = (position as usize).min(points - 2);
            let share = position - below as f32;
            10f32.powf((values[below] * (1.0 - share) + values[below + 1] * share) / 20.0)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn a_shift_moves_power_and_keeps_it() {
        let mut row = vec![0.0; 10];
        row[4] = 1.0;
        let mut room = Vec::new();
        shift(&mut row, 1.25, &mut room);
        assert!((row[5] - 0.75).abs() < 1e-6 && (row[6] - 0.25).abs() < 1e-6, "{row:?}");
        shift(&mut row, -1.0, &mut room);
        assert!((row[4] - 0.75).abs() < 1e-6 && (row[5] - 0.25).abs() < 1e-6, "{row:?}");
        shift(&mut row, -9.0, &mut room);
        assert!(row.iter().all(|v| *v == 0.0), "what leaves the range is lost: {row:?}");
    }

    #[test]
    fn a_reverb_has_the_power_that_was_set() {
        let (bands, frames) = (4, 600);
        let mut map = vec![0.0; frames * 2 * bands];
        map[..bands].fill(1.0); // one frame of sound, mid only
        reverberate(&mut map, bands, 0.1, 0.9);
        let added = map.iter().sum::<f32>() - bands as f32;
        assert!((added / bands as f32 / 0.1 - 0.9).abs() < 0.01, "{added}");
    }

    #[test]
    fn a_compressor_reduces_the_range() {
        let row = 2;
        let mut map: Vec<f32> = (0..400).map(|i| if (i / row) % 100 < 20 { 10.0 } else { 1.0 }).collect();
        let range = |map: &[f32]| map[30] / map[150];
        let before = range(&map);
        follow(&mut map, row, 4.0);
        assert!(range(&map) < 0.7 * before, "{} after {before}", range(&map));
    }

    #[test]
    fn shapes_stay_within_the_window_and_finite() {
        let mut rng = SmallRng::seed_from_u64(5);
        let settings = AugmentSettings {
            shifted: 1.0,
            reverberant: 1.0,
            dynamic: 1.0,
            resting: 1.0,
            ..AugmentSettings::default()
        };
        for _ in 0..50 {
            let shape = StemShape::draw(&settings, Stem::Drums, 100, 0.02, &mut rng);
            let mut map: Vec<f32> = (0..100 * 2 * 8).map(|_| rng.random_range(0.0..2.0)).collect();
            shape.apply(&mut map, 8);
            assert!(map.iter().all(|v| v.is_finite() && *v >= 0.0));
        }
        assert!(StemShape::draw(&AugmentSettings::none(), Stem::Vocals, 100, 0.02, &mut rng).is_plain());
    }
}
