//! Carrying a plan out: power maps, what stems do to each other, and the bus.

use super::{Example, MixPlan, Mixer, StemTreatment, pair_index};
use crate::mixing::augment::envelope_gains;
use crate::mixing::cache::pairs_of;
use mixing_buddy_core::Stem;
use rand::Rng;
use rand::rngs::SmallRng;

impl Mixer<'_> {
    /// Carries a plan out.
    pub fn mix(&self, plan: &MixPlan, rng: &mut SmallRng) -> Example {
        let row = 2 * self.bands;
        let cells = self.frames * row;
        let mut example = Example { mix: vec![0.0; cells], parts: vec![vec![0.0; cells]; Stem::COUNT] };
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

    /// Adds what stems do to each other: exact where they share a window, noise of the right size where they do not.
    /// What layers of one stem do to each other belongs to the stem.
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
        let floor = 1e-9;
        example.mix.iter_mut().for_each(|value| *value = value.max(floor));
    }

    /// Cross term of two sounds that know nothing of each other.
    fn foreign_cross(&self, a: &[f32], b: &[f32], cross: &mut [f32], rng: &mut SmallRng) {
        let mut state: u64 = rng.random::<u64>() | 1;
        let rows = cross.chunks_exact_mut(self.bands).zip(a.chunks_exact(self.bands));
        for ((cross, a), b) in rows.zip(b.chunks_exact(self.bands)) {
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
