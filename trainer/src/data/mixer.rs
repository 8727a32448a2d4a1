//! Mixes training examples out of stem maps: exact for stems of one window, and a fair imitation across songs.

use super::augment::{AugmentSettings, StemShape, envelope_gains, eq_curve};
use super::cache::{MapCache, pairs_of};
use mixing_buddy_core::Stem;
use mixing_buddy_core::encoder::STEMS;
use mixing_buddy_core::norms::NormsSummary;
use mixing_buddy_core::norms::levels_from_rest_levels;
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_distr::{Distribution, Normal};

/// What a stem goes through before the sum: an amplitude a cell of one frame, `[(mid, side), mels]`.
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

/// One window, in the encoder's patch layout (`[frames, (mid, side), mels]`).
pub struct Example {
    /// Power of the mix.
    pub mix: Vec<f32>,
    /// Power of each stem on its own, `[stems][cells]`; zeros where absent.
    pub parts: Vec<Vec<f32>>,
}

impl Example {
    /// Level of each stem against the rest in dB, the sum of powers as the norms have it; none where absent.
    pub fn rest_levels_db(&self) -> [Option<f32>; STEMS] {
        // All stems in one pass: four sums that do not wait for each other take the time of one.
        let mut powers = [0.0f64; STEMS];
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
    mels: usize,
    frames: usize,
    seconds_a_frame: f32,
}

impl<'a> Mixer<'a> {
    /// Indexes the cache's windows.
    pub fn new(cache: &'a MapCache, settings: &'a MixSettings, norms: &'a NormsSummary) -> Self {
        let features = &cache.songs[0].header.features;
        let pools = Stem::ALL.map(|stem| pool_of(cache, settings, stem)).to_vec();
        let bank = mixing_buddy_core::features::MelBank::new(features);
        let bin_hz = features.sample_rate_hz as f32 / features.fft_samples as f32;
        let centres = bank.centres_hz();
        let cross_spread = (0..features.mels)
            .map(|m| {
                let (below, above) = (centres[m.saturating_sub(1)], centres[(m + 1).min(features.mels - 1)]);
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
            mels: features.mels,
            frames: cache.songs[0].header.frames,
            seconds_a_frame: features.hop_samples as f32 / features.sample_rate_hz as f32,
        }
    }

    /// The example with this number of a run: the seed and the number say all, so that a resumed run goes on with what
    /// an unbroken one would have had.
    pub fn example(&self, seed: u64, number: u64) -> Example {
        let mut rng = SmallRng::seed_from_u64(seed.wrapping_mul(0x9e37_79b9).wrapping_add(number));
        let plan = self.plan(&mut rng);
        self.mix(&plan, &mut rng)
    }

    /// Draws what to mix.
    pub fn plan(&self, rng: &mut SmallRng) -> MixPlan {
        let mut plan = MixPlan::default();
        if rng.random_bool(self.settings.coherent) {
            let (song, window) = self.coherent_window(rng);
            let header = &self.cache.songs[song].header;
            for (position, &stem) in header.stems.iter().enumerate() {
                if header.windows[window].active[position] {
                    plan.stems.push(self.treatment(song, window, stem, 0));
                }
            }
            let without_voice = !plan.stems.iter().any(|t| t.stem == Stem::Vocals);
            if !self.pools[0].0.is_empty() && (without_voice || rng.random_bool(self.settings.foreign_voice))
            {
                plan.stems.retain(|t| t.stem != Stem::Vocals);
                if rng.random_bool(0.9) {
                    plan.stems.push(self.drawn(Stem::Vocals, rng));
                }
            }
            if plan.stems.len() > 2 && rng.random_bool(0.1) {
                let out = rng.random_range(0..plan.stems.len());
                plan.stems.remove(out);
            }
        } else {
            for stem in Stem::ALL {
                if !rng.random_bool(self.settings.absent) && !self.pools[stem.index()].0.is_empty() {
                    plan.stems.push(self.drawn(stem, rng));
                    if rng.random_bool(self.settings.augment.layered) {
                        plan.stems.push(self.layer(stem, rng));
                    }
                }
            }
        }
        if plan.stems.iter().all(|t| t.stem == plan.stems[0].stem) {
            return self.plan(rng);
        }
        let sings = plan.stems.iter().any(|treatment| treatment.stem == Stem::Vocals);
        if sings && rng.random_bool(self.settings.augment.choir) {
            for _ in 0..rng.random_range(1..=3) {
                plan.stems.push(self.layer(Stem::Vocals, rng));
            }
        }
        // Half of the examples from one window keep the recording's own cross terms.
        let plain = plan.stems.iter().all(|t| t.roll == 0) && rng.random_bool(0.5);
        if !plain {
            for treatment in &mut plan.stems {
                let (augment, stem) = (&self.settings.augment, treatment.stem);
                treatment.shape = StemShape::draw(augment, stem, self.frames, self.seconds_a_frame, rng);
            }
        }
        self.set_levels(&mut plan, rng);
        self.colour(&mut plan, rng);
        plan
    }

    fn coherent_window(&self, rng: &mut SmallRng) -> (usize, usize) {
        loop {
            let class = rng.random_range(0..STEMS);
            if let Some((song, window)) = draw(&self.pools[class], rng)
                && self.cache.songs[song].header.windows[window].active.iter().filter(|a| **a).count() >= 2
            {
                return (song, window);
            }
        }
    }

    /// A window in which all four stems play, of a song that has others: song, window, and up to `most` of the others.
    pub fn full_window(&self, most: usize, rng: &mut SmallRng) -> Option<(usize, usize, Vec<usize>)> {
        for _ in 0..10_000 {
            let (song, window) = draw(&self.pools[0], rng)?;
            let full = self.full_windows_of(song);
            if full.len() > 1 && full.contains(&window) {
                let mut others: Vec<usize> = full.into_iter().filter(|w| *w != window).collect();
                others.shuffle(rng);
                others.truncate(most);
                return Some((song, window, others));
            }
        }
        None
    }

    /// The windows of a song in which all four stems play.
    pub fn full_windows_of(&self, song: usize) -> Vec<usize> {
        let windows = &self.cache.songs[song].header.windows;
        let is_full = |w: &usize| windows[*w].active.len() == STEMS && windows[*w].active.iter().all(|a| *a);
        (0..windows.len()).filter(is_full).collect()
    }

    /// A window as it is, its stems at these levels (relative, dB).
    pub fn levelled(
        &self,
        song: usize,
        window: usize,
        levels_db: &mixing_buddy_core::PerStem<f64>,
    ) -> MixPlan {
        let header = &self.cache.songs[song].header;
        let stems = header.stems.iter().map(|stem| {
            let mut treatment = self.treatment(song, window, *stem, 0);
            let gain = (10f32.powf(levels_db[*stem] as f32 / 10.0) / self.power(&treatment)).sqrt();
            treatment.amplitude.fill(gain);
            treatment
        });
        MixPlan { stems: stems.collect(), bus_eq: vec![1.0; self.mels], bus_ratio: 1.0 }
    }

    fn drawn(&self, stem: Stem, rng: &mut SmallRng) -> StemTreatment {
        let (song, window) = draw(&self.pools[stem.index()], rng).expect("the pool is not empty");
        self.treatment(song, window, stem, rng.random_range(0..self.frames))
    }

    /// Another source of a stem, somewhat softer, to be laid over it.
    fn layer(&self, stem: Stem, rng: &mut SmallRng) -> StemTreatment {
        let mut layer = self.drawn(stem, rng);
        layer.amplitude.fill(10f32.powf(rng.random_range(-12.0..0.0) / 20.0));
        layer
    }

    /// A stem as it is.
    pub fn treatment(&self, song: usize, window: usize, stem: Stem, roll: usize) -> StemTreatment {
        let shape = StemShape::default();
        StemTreatment { song, window, stem, amplitude: vec![1.0; 2 * self.mels], roll, shape }
    }

    /// Power of a plan's stem before treatment.
    fn power(&self, treatment: &StemTreatment) -> f32 {
        let header = &self.cache.songs[treatment.song].header;
        let position = header.position(treatment.stem).unwrap_or(0);
        header.windows[treatment.window].power[position].max(1e-9)
    }

    /// Sets each stem's level: after the norms with a flaw, or spread widely.
    fn set_levels(&self, plan: &mut MixPlan, rng: &mut SmallRng) {
        let wide = Normal::new(0.0, self.settings.wide_sd_db).expect("a finite spread");
        let mut levels_db: [f32; STEMS] = std::array::from_fn(|_| wide.sample(rng));
        if rng.random_bool(self.settings.after_norms) {
            let balance = self.norms.sample_window(2.0, &mut || rng.random());
            if let Some(levels) = levels_from_rest_levels(balance) {
                levels_db = levels.map(|level| *level as f32).to_array();
                let flawed = rng.random_range(0..STEMS);
                levels_db[flawed] += rng.random_range(-12.0..12.0);
            }
        }
        for treatment in &mut plan.stems {
            let gain = (10f32.powf(levels_db[treatment.stem.index()] / 10.0) / self.power(treatment)).sqrt();
            treatment.amplitude.iter_mut().for_each(|a| *a *= gain);
        }
    }

    /// Equalisers, stereo width, bus processing.
    pub fn colour(&self, plan: &mut MixPlan, rng: &mut SmallRng) {
        for treatment in &mut plan.stems {
            if self.settings.stem_eq_sd_db > 0.0 && rng.random_bool(0.7) {
                let curve = eq_curve(self.mels, self.settings.stem_eq_sd_db, rng);
                for (amplitude, eq) in treatment.amplitude.iter_mut().zip(curve.iter().chain(&curve)) {
                    *amplitude *= eq;
                }
            }
            if rng.random_bool(0.5) {
                let width = if rng.random_bool(0.15) { 0.0 } else { rng.random_range(0.3..1.7) };
                treatment.amplitude[self.mels..].iter_mut().for_each(|a| *a *= width);
            }
        }
        plan.bus_eq = if self.settings.bus_eq_sd_db > 0.0 && rng.random_bool(0.6) {
            eq_curve(self.mels, self.settings.bus_eq_sd_db, rng)
        } else {
            vec![1.0; self.mels]
        };
        if rng.random_bool(0.08) {
            // A mono bus, or one that a codec narrowed.
            plan.stems.iter_mut().for_each(|t| t.amplitude[self.mels..].fill(0.0));
        }
        plan.bus_ratio = if rng.random_bool(0.4) { rng.random_range(1.2..4.0) } else { 1.0 };
    }

    /// Carries a plan out.
    pub fn mix(&self, plan: &MixPlan, rng: &mut SmallRng) -> Example {
        let row = 2 * self.mels;
        let cells = self.frames * row;
        let mut example = Example { mix: vec![0.0; cells], parts: vec![vec![0.0; cells]; STEMS] };
        let maps: Vec<Vec<f32>> = plan.stems.iter().map(|treatment| self.treated(treatment)).collect();
        for (treatment, map) in plan.stems.iter().zip(&maps) {
            let part = &mut example.parts[treatment.stem.index()];
            for ((mix, part), power) in example.mix.iter_mut().zip(part).zip(map) {
                *mix += power;
                *part += power;
            }
        }
        self.cross_terms(plan, &maps, &mut example, rng);
        self.bus(plan, &mut example);
        example
    }

    /// Power map of a stem after its treatment.
    fn treated(&self, treatment: &StemTreatment) -> Vec<f32> {
        let row = 2 * self.mels;
        let mut map = vec![0.0; self.frames * row];
        let song = &self.cache.songs[treatment.song];
        let position = song.header.position(treatment.stem).unwrap_or(0);
        song.read(treatment.window, pair_index(song.header.stems.len(), position, position), &mut map);
        map.rotate_left(treatment.roll * row);
        let factor: Vec<f32> = treatment.amplitude.iter().map(|a| a * a).collect();
        for frame in map.chunks_exact_mut(row) {
            frame.iter_mut().zip(&factor).for_each(|(value, factor)| *value = value.max(0.0) * factor);
        }
        treatment.shape.apply(&mut map, self.mels);
        map
    }

    /// Adds what stems do to each other: exact where they share a window, noise of the right size where they do not.
    /// What layers of one stem do to each other belongs to the stem.
    fn cross_terms(&self, plan: &MixPlan, maps: &[Vec<f32>], example: &mut Example, rng: &mut SmallRng) {
        let row = 2 * self.mels;
        let mut cross = vec![0.0; self.frames * row];
        for (i, j) in pairs_of(plan.stems.len()).filter(|(i, j)| i != j) {
            let (a, b) = (&plan.stems[i], &plan.stems[j]);
            if a.shares_time_with(b) && a.stem != b.stem {
                let song = &self.cache.songs[a.song];
                let positions = (song.header.position(a.stem), song.header.position(b.stem));
                let (Some(i), Some(j)) = positions else { continue };
                song.read(a.window, pair_index(song.header.stems.len(), i.min(j), i.max(j)), &mut cross);
                for frame in cross.chunks_exact_mut(row) {
                    for ((cross, a), b) in frame.iter_mut().zip(&a.amplitude).zip(&b.amplitude) {
                        *cross *= a * b;
                    }
                }
            } else {
                self.foreign_cross(&maps[i], &maps[j], &mut cross, rng);
            }
            example.mix.iter_mut().zip(&cross).for_each(|(mix, cross)| *mix += cross);
            if a.stem == b.stem {
                let part = &mut example.parts[a.stem.index()];
                part.iter_mut().zip(&cross).for_each(|(part, cross)| *part = (*part + cross).max(0.0));
            }
        }
        let floor = 1e-9;
        example.mix.iter_mut().for_each(|value| *value = value.max(floor));
    }

    /// Cross term of two sounds that know nothing of each other.
    fn foreign_cross(&self, a: &[f32], b: &[f32], cross: &mut [f32], rng: &mut SmallRng) {
        let mut state: u64 = rng.random::<u64>() | 1;
        let rows = cross.chunks_exact_mut(self.mels).zip(a.chunks_exact(self.mels));
        for ((cross, a), b) in rows.zip(b.chunks_exact(self.mels)) {
            // Drawing goes one by one, each draw from the last; on its own, the rest goes several at a time.
            for cell in cross.iter_mut() {
                // xorshift64: three 16-bit uniforms make a bell of standard deviation 0.5.
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                let sum = (state & 0xffff) + ((state >> 16) & 0xffff) + ((state >> 32) & 0xffff);
                *cell = sum as u32 as f32;
            }
            for (((cell, a), b), spread) in cross.iter_mut().zip(a).zip(b).zip(&self.cross_spread) {
                let bell = *cell / 65_536.0 - 1.5;
                *cell = (a * b).sqrt() * (2.0 * bell * spread).clamp(-1.9, 1.9);
            }
        }
    }

    /// The bus: an equaliser and a compressor, the same for the mix and each part.
    fn bus(&self, plan: &MixPlan, example: &mut Example) {
        let row = 2 * self.mels;
        let gains = envelope_gains(&example.mix, row, plan.bus_ratio);
        let eq: Vec<f32> = plan.bus_eq.iter().chain(&plan.bus_eq).map(|a| a * a).collect();
        for map in std::iter::once(&mut example.mix).chain(&mut example.parts) {
            for (frame, gain) in map.chunks_exact_mut(row).zip(&gains) {
                frame.iter_mut().zip(&eq).for_each(|(value, eq)| *value *= gain * eq);
            }
        }
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
    use super::*;

    #[test]
    fn pair_index_is_file_order() {
        for count in 1..=4 {
            for (at, (i, j)) in pairs_of(count).enumerate() {
                assert_eq!(pair_index(count, i, j), at, "{count} stems, pair {i} {j}");
            }
        }
    }
}
