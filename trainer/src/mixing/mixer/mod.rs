//! Mixes training examples out of stem maps: exact for stems of one window, and a fair imitation across songs.

mod plan;
mod sum;

use super::augment::{AugmentSettings, StemShape};
use super::cache::MapCache;
use mixing_buddy_core::Stem;
use mixing_buddy_core::norms::NormsSummary;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// What a stem goes through before the sum: an amplitude a cell of one frame, `[(mid, side), bands]`.
#[derive(Clone, Debug)]
pub struct StemTreatment {
    /// Song in the cache.
    pub song: usize,
    /// Window in the song.
    pub window: usize,
    /// Stem class.
    pub stem: Stem,
    /// Amplitude factors: gain, width and equaliser in one.
    pub amplitude: Vec<f32>,
    /// Frames by which the stem is rolled in time; only for stems that are alone in their window.
    pub roll: usize,
    /// What else is done to it.
    pub shape: StemShape,
}

impl StemTreatment {
    /// Whether the cross terms of two treatments are those of the recording.
    fn shares_time_with(&self, other: &StemTreatment) -> bool {
        (self.song, self.window, self.roll) == (other.song, other.window, other.roll)
            && self.shape.is_plain()
            && other.shape.is_plain()
    }
}

/// A mix to be made.
#[derive(Clone, Debug, Default)]
pub struct MixPlan {
    /// What is mixed; a stem of two entries is layered.
    pub stems: Vec<StemTreatment>,
    /// Bus equaliser, an amplitude a mel band.
    pub bus_eq: Vec<f32>,
    /// Ratio of the bus compressor, 1 for none.
    pub bus_ratio: f32,
}

/// One window, in the encoder's patch layout (`[frames, (mid, side), bands]`).
pub struct Example {
    /// Power of the mix.
    pub mix: Vec<f32>,
    /// Power of each stem on its own, `[stems][cells]`; zeros where absent.
    pub parts: Vec<Vec<f32>>,
}

impl Example {
    /// Level of each stem against the rest in dB, the sum of powers as the norms have it; none where absent.
    pub fn rest_levels_db(&self) -> [Option<f32>; Stem::COUNT] {
        // All stems in one pass: four sums that do not wait for each other take the time of one.
        let mut powers = [0.0f64; Stem::COUNT];
        if let [a, b, c, d] = self.parts.as_slice() {
            for (((a, b), c), d) in a.iter().zip(b).zip(c).zip(d) {
                for (sum, power) in powers.iter_mut().zip([a, b, c, d]) {
                    *sum += f64::from(*power);
                }
            }
        }
        let total: f64 = powers.iter().sum();
        std::array::from_fn(|c| {
            let rest = total - powers[c];
            (powers[c] > total * 1e-5 && rest > 0.0)
                .then(|| (10.0 * (powers[c] / rest.max(total * 1e-5)).log10()) as f32)
        })
    }
}

/// Chances and spreads of the random mixes.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MixSettings {
    /// Share of examples whose stems come from one window of one song.
    pub coherent: f64,
    /// Share of coherent examples that get another song's voice.
    pub foreign_voice: f64,
    /// Chance that a stem of an example across songs is left out.
    pub absent: f64,
    /// Share of examples levelled after the norms and then flawed; the rest are spread widely.
    pub after_norms: f64,
    /// Spread of the wide ones around equal levels in dB.
    pub wide_sd_db: f32,
    /// Spread of each stem's equaliser curve in dB.
    pub stem_eq_sd_db: f32,
    /// Spread of the bus equaliser curve in dB.
    pub bus_eq_sd_db: f32,
    /// What is done to stems on their own.
    pub augment: AugmentSettings,
    /// Weight of each source when songs are drawn, by source name; 1 where not named.
    pub source_weights: std::collections::BTreeMap<String, f64>,
}

impl Default for MixSettings {
    fn default() -> Self {
        MixSettings {
            coherent: 0.5,
            foreign_voice: 0.35,
            absent: 0.12,
            after_norms: 0.6,
            wide_sd_db: 5.0,
            stem_eq_sd_db: 3.0,
            bus_eq_sd_db: 2.5,
            augment: AugmentSettings::default(),
            source_weights: [("real".to_string(), 4.0)].into(),
        }
    }
}

/// Windows (song, window) and their cumulative weights.
type WindowPool = (Vec<(usize, usize)>, Vec<f64>);

/// Draws mixes from a cache.
pub struct Mixer<'a> {
    cache: &'a MapCache,
    settings: &'a MixSettings,
    norms: &'a NormsSummary,
    /// For each stem: windows where it is active, with cumulative weights.
    pools: Vec<WindowPool>,
    /// Spread of a foreign stem's cross term in each mel band: the more bins behind it, the more averages out.
    cross_spread: Vec<f32>,
    bands: usize,
    frames: usize,
    seconds_per_frame: f32,
}

impl<'a> Mixer<'a> {
    /// Indexes the cache's windows.
    pub fn new(cache: &'a MapCache, settings: &'a MixSettings, norms: &'a NormsSummary) -> Self {
        let features = &cache.songs[0].header.features;
        let pools = Stem::ALL.map(|stem| pool_of(cache, settings, stem)).to_vec();
        let bank = mixing_buddy_core::features::BandBank::new(features);
        let bin_hz = features.sample_rate_hz as f32 / features.fft_samples as f32;
        let centres = bank.centres_hz();
        let cross_spread = (0..features.bands)
            .map(|m| {
                let (below, above) = (centres[m.saturating_sub(1)], centres[(m + 1).min(features.bands - 1)]);
                // Neighbouring bins of a Hann window are correlated: about 1.5 bins carry one value.
                1.4 / ((above - below) / 2.0 / bin_hz / 1.5).max(1.0).sqrt()
            })
            .collect();
        Mixer {
            cache,
            settings,
            norms,
            pools,
            cross_spread,
            bands: features.bands,
            frames: cache.songs[0].header.frames,
            seconds_per_frame: features.hop_samples as f32 / features.sample_rate_hz as f32,
        }
    }

    /// The example with this number of a run: the seed and the number say all, so that a resumed run goes on with what
    /// an unbroken one would have had.
    pub fn example(&self, seed: u64, number: u64) -> Example {
        let mut rng = SmallRng::seed_from_u64(seed.wrapping_mul(0x9e37_79b9).wrapping_add(number));
        let plan = self.plan(&mut rng);
        self.mix(&plan, &mut rng)
    }
}

/// Position of pair `(i, j)`, `i <= j`, in file order.
pub fn pair_index(count: usize, i: usize, j: usize) -> usize {
    // Rows before i hold count, count - 1, … pairs.
    i * (2 * count - i + 1) / 2 + j - i
}

fn pool_of(cache: &MapCache, settings: &MixSettings, stem: Stem) -> WindowPool {
    let (mut windows, mut cumulative, mut total) = (Vec::new(), Vec::new(), 0.0);
    for (index, song) in cache.songs.iter().enumerate() {
        let Some(position) = song.header.position(stem) else { continue };
        let active: Vec<usize> =
            (0..song.header.windows.len()).filter(|w| song.header.windows[*w].active[position]).collect();
        let source = settings.source_weights.get(&song.header.source).copied().unwrap_or(1.0);
        // Long songs count for more, but not in proportion: variety matters.
        let each = source * (active.len() as f64).powf(-0.7);
        for window in active {
            total += each;
            windows.push((index, window));
            cumulative.push(total);
        }
    }
    (windows, cumulative)
}

fn draw((windows, cumulative): &WindowPool, rng: &mut SmallRng) -> Option<(usize, usize)> {
    let at = rng.random::<f64>() * cumulative.last()?;
    let index = cumulative.partition_point(|c| *c <= at).min(windows.len() - 1);
    Some(windows[index])
}

#[cfg(test)]
mod tests {
    use super::pair_index;
    use crate::mixing::cache::pairs_of;

    #[test]
    fn pair_index_is_file_order() {
        for count in 1..=4 {
            for (at, (i, j)) in pairs_of(count).enumerate() {
                assert_eq!(pair_index(count, i, j), at, "{count} stems, pair {i} {j}");
            }
        }
    }
}
