//! What has changed since an earlier pass, as the panel shows it: plain values.

use mixing_buddy_core::Stem;
use mixing_buddy_core::passes::{Change, Followed};

/// What has changed between the last pass over a place and the one before.
#[derive(Clone, Debug, PartialEq)]
pub struct Since {
    /// What changed.
    pub change: Change,
    /// At how many places that was found.
    pub places: usize,
    /// What became of the advice of the earlier pass.
    pub followed: Option<Followed>,
    /// Where the stem that moved stands now.
    pub standing: Option<Standing>,
}

/// Where a stem stands against what it is held against.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Standing {
    /// The stem.
    pub stem: Stem,
    /// Distance from the nearest end of the range in dB: 0 within, positive above, negative below.
    pub beyond_db: f32,
    /// Whether the range is that of the user's reference, or else the usual one.
    pub is_reference: bool,
}
