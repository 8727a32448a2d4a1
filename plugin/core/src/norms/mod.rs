//! The usual balance of released songs: stem-minus-rest levels, and the fitted summary of them that ships.
//!
//! | module | what it does |
//! | --- | --- |
//! | [`levels`] | stem-minus-rest levels, shares of power, and conversions between them |
//! | [`matrix`] | algebra of small matrices, one row and column per target |
//! | [`summary`] | [`NormsSummary`]: the fitted summary that ships, and sampling from it |
//! | [`usual`] | the usual levels in LU, as panel and replies give them |
//!
//! All other levels here are unweighted RMS in dB. Do not compare K-weighted levels with these norms: K-weighting
//! moves vocals by about +1.1 dB and bass by about -1.4 dB.

pub mod levels;
pub mod matrix;
pub mod summary;
pub mod usual;

pub use levels::{Balance, levels_from_rest_levels, rest_levels_from_levels, shares_from_rest_levels};
pub use summary::{Component, NormsSummary, SongDraw, UsualLevel};
