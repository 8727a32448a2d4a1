//! Normal deviates for fresh weights: reproducible on every platform, no dependency in the plugin.

/// SplitMix64's finaliser: well-spread bits of a counter.
pub(crate) fn mix_bits(counter: u64) -> u64 {
    let mut z = counter.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A SplitMix64 stream (Steele, Lea and Flood 2014) through the Box-Muller transform.
pub(super) struct SeededNormal {
    state: u64,
}

impl SeededNormal {
    /// A stream of its own for each name, so that weights do not depend on the order in which they are made.
    pub(super) fn new(seed: u64, name: &str) -> Self {
        // FNV-1a of the name.
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        SeededNormal { state: seed ^ hash }
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
