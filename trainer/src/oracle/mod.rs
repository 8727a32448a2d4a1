//! The oracle: it knows the exact levels and judges them by the norms of released songs. Its score is the benchmark's
//! bound.
//!
//! | part | what it does |
//! | --- | --- |
//! | [`ChunkNorms`] | the exact table of MUSDB18's levels, for those who have it |
//! | [`BalanceDensity`] | how usual a balance is, prepared for many evaluations |
//! | [`Rule`] | which stem is off, given the levels of all four |
//! | [`fit`] | fits the shipped summary of norms |
//!
//! All levels here are unweighted RMS in dB. K-weighted levels must not be judged by these norms: K-weighting
//! moves vocals by about +1.1 dB and bass by about -1.4 dB.

pub mod chunks;
pub mod density;
pub mod fit;
pub mod rule;

pub use chunks::{ChunkNorms, LevelRow};
pub use density::BalanceDensity;
pub use rule::{AllowedStems, Hypotheses, Posterior, Rule, RuleAnswer};
