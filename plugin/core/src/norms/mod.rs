//! The usual balance of released songs, and the rule of perfect ears that the benchmark calls the bound.
//!
//! | module | what it does |
//! | --- | --- |
//! | [`levels`] | stem-minus-rest levels, shares of power, and the way between them |
//! | [`matrix3`] | the little 3×3 algebra that the rest needs |
//! | [`summary`] | [`NormsSummary`]: the fitted summary that ships, and sampling from it |
//! | [`chunks`] | [`ChunkNorms`]: the exact table of levels, for those who have it |
//! | [`density`] | [`BalanceDensity`]: how usual a balance is, ready for many questions |
//! | [`rule`] | [`Rule`]: which stem is off, given the levels of all four |
//!
//! All levels here are unweighted RMS in dB. K-weighted levels must not be judged by these norms: K-weighting
//! moves vocals by about +1.1 dB and bass by about -1.4 dB.

pub mod chunks;
pub mod density;
pub mod levels;
pub mod matrix3;
pub mod rule;
pub mod summary;

pub use chunks::{ChunkNorms, LevelRow, Split};
pub use density::BalanceDensity;
pub use levels::{Balance, levels_from_rest_levels, rest_levels_from_levels, shares_from_rest_levels};
pub use rule::{AllowedStems, Category, Hypotheses, Posterior, Rule, RuleAnswer};
pub use summary::{Band, Component, NormsSummary, SongDraw};
