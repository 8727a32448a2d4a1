//! The vector instructions that our own kernels can use on this processor, and loops that compilers vectorise.

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

/// Plain loops that compilers turn into vector instructions. Implementations mark `run` as `#[inline(always)]`, and all that
/// it calls: only then are they compiled for the processor's instructions.
pub trait Vectorised {
    /// What the work gives.
    type Output;
    /// Does the work.
    fn run(self) -> Self::Output;
}

/// Does the work with eight values at a time where the processor can.
pub fn vectorised<W: Vectorised>(work: W) -> W::Output {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2, which the function is compiled for.
        return unsafe { vectorised_avx2(work) };
    }
    work.run()
}

/// The same code for processors that do eight values at a time.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn vectorised_avx2<W: Vectorised>(work: W) -> W::Output {
    work.run()
}
