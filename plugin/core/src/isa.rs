//! The vector instructions that our own kernels can use on this processor.

/// Instructions that a processor has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isa {
    /// No vector instructions of our own.
    Plain,
    /// AVX2, FMA and F16C.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// The same, and AVX-512 with VNNI.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// NEON.
    #[cfg(target_arch = "aarch64")]
    Neon,
}

impl Isa {
    /// What this processor has, the best last.
    pub fn available() -> Vec<Isa> {
        #[allow(unused_mut, reason = "nothing is added on other processors")]
        let mut list = vec![Isa::Plain];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("fma")
                && is_x86_feature_detected!("f16c")
            {
                list.push(Isa::Avx2);
                if is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512vnni")
                {
                    list.push(Isa::Avx512);
                }
            }
        }
        // Every 64-bit ARM processor has it.
        #[cfg(target_arch = "aarch64")]
        list.push(Isa::Neon);
        list
    }

    /// The best that this processor has.
    pub fn best() -> Isa {
        Self::available().pop().unwrap_or(Isa::Plain)
    }
}
