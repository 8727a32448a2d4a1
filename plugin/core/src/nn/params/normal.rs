//! Normal deviates for fresh weights: reproducible on every platform, no dependency in the plugin.

use crate::hash::{fnv1a, mix_bits};

/// A SplitMix64 stream (Steele, Lea and Flood 2014) through the Box-Muller transform.
pub(super) struct SeededNormal {
    state: u64,
}

impl SeededNormal {
    /// A stream of its own for each name, so that weights do not depend on the order in which they are made.
    pub(super) fn new(seed: u64, name: &str) -> Self {
        SeededNormal { state: seed ^ fnv1a(name.bytes()) }
    }

    fn uniform(&mut self) -> f64 {
        self.state = self.state.wrapping_add(1);
        (mix_bits(self.state) >> 11) as f64 / (1u64 << 53) as f64
    }

    pub(super) fn next(&mut self) -> f32 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        (radius * (std::f64::consts::TAU * self.uniform()).cos()) as f32
    }
}
