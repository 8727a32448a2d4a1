//! Carrying a plan out: power maps, the cross terms of stems, and the bus.

use super::example::{Example, MixPlan, StemTreatment};
use super::pools::Mixer;
use crate::mixing::augment::envelope_gains;
use crate::mixing::cache::{pair_index, pairs_of};
use crate::mixing::shares::{simulated_shares, true_shares};
use mixing_buddy_core::Stem;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// Least power of a cell of a mix, so that its logarithm is finite.
const LEAST_CELL_POWER: f32 = 1e-9;
/// A cross term cannot exceed twice the geometric mean of the two powers; a little less, so that no cell is empty.
const LARGEST_CROSS: f32 = 1.9;

impl Mixer<'_> {
    /// The example with this number of a run. It depends on the seed and the number alone, so that a resumed run goes
    /// on with the examples that an unbroken one would have had.
    pub fn example(&self, seed: u64, number: u64) -> Example {
        // 0x9e37_79b9 is 2^32 over the golden ratio: it spreads consecutive seeds.
        let mut rng = SmallRng::seed_from_u64(seed.wrapping_mul(0x9e37_79b9).wrapping_add(number));
        let plan = self.plan(&mut rng);
        self.mix(&plan, &mut rng)
    }

    /// Carries a plan out.
    pub fn mix(&self, plan: &MixPlan, rng: &mut SmallRng) -> Example {
        let row = 2 * self.bands;
        let cells = self.frames * row;
        let mut example =
            Example { mix: vec![0.0; cells], parts: vec![vec![0.0; cells]; Stem::COUNT], shares: Vec::new() };
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
        for (index, (stem, source)) in self.separated.iter().zip(&plan.share_errors).enumerate() {
            example.shares.push(match source {
                Some(source) => {
                    simulated_shares(&self.cache.songs[source.song], *source, index, *stem, &example)
                }
                None => true_shares(&example.parts[stem.index()], &example.mix, self.bands),
            });
        }
        example
    }

    /// Power map of a stem after its treatment.
    fn treated(&self, treatment: &StemTreatment) -> Vec<f32> {
        let row = 2 * self.bands;
        let mut map = vec![0.0; self.frames * row];
        let song = &self.cache.songs[treatment.song];
        let position = song.header.position(treatment.stem).unwrap_or(0);
        song.read(treatment.window, pair_index(song.header.stems.len(), position, position), &mut map);
        map.rotate_left(treatment.roll * row);
        let factor: Vec<f32> = treatment.amplitude.iter().map(|a| a * a).collect();
        for frame in map.chunks_exact_mut(row) {
            frame.iter_mut().zip(&factor).for_each(|(value, factor)| *value = value.max(0.0) * factor);
        }
        treatment.shape.apply(&mut map, self.bands);
        map
    }

    /// Adds the cross terms of all pairs: exact where they share a window, noise of the right size where they do not.
    /// Those of two layers of one stem belong to the stem.
    fn cross_terms(&self, plan: &MixPlan, maps: &[Vec<f32>], example: &mut Example, rng: &mut SmallRng) {
        let row = 2 * self.bands;
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
        example.mix.iter_mut().for_each(|value| *value = value.max(LEAST_CELL_POWER));
    }

    /// Cross term of two independent sounds.
    fn foreign_cross(&self, a: &[f32], b: &[f32], cross: &mut [f32], rng: &mut SmallRng) {
        let mut state: u64 = rng.random::<u64>() | 1;
        let rows = cross.chunks_exact_mut(self.bands).zip(a.chunks_exact(self.bands));
        for ((cross, a), b) in rows.zip(b.chunks_exact(self.bands)) {
            // Each draw depends on the last. In a loop of their own, the other operations go several at a time.
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
                *cell = (a * b).sqrt() * (2.0 * bell * spread).clamp(-LARGEST_CROSS, LARGEST_CROSS);
            }
        }
    }

    /// The bus: an equaliser and a compressor, the same for the mix and each part.
    fn bus(&self, plan: &MixPlan, example: &mut Example) {
        let row = 2 * self.bands;
        let gains = envelope_gains(&example.mix, row, plan.bus_ratio);
        let eq: Vec<f32> = plan.bus_eq.iter().chain(&plan.bus_eq).map(|a| a * a).collect();
        for map in std::iter::once(&mut example.mix).chain(&mut example.parts) {
            for (frame, gain) in map.chunks_exact_mut(row).zip(&gains) {
                frame.iter_mut().zip(&eq).for_each(|(value, eq)| *value *= gain * eq);
            }
        }
    }
}
