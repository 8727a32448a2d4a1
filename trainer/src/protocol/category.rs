//! The five kinds of mixes of the published protocol.

use mixing_buddy_core::{Direction, GainStep};
use serde::{Deserialize, Serialize};

/// One of the five kinds of mixes in the published protocol; each has 20 % of the prior.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// A stem is 6 to 12 dB too quiet.
    VeryQuiet,
    /// A stem is 3 to 6 dB too quiet.
    Quiet,
    /// Nothing was changed.
    NoError,
    /// A stem is 3 to 6 dB too loud.
    Loud,
    /// A stem is 6 to 12 dB too loud.
    VeryLoud,
}

impl Category {
    /// All five, from very quiet to very loud.
    pub const ALL: [Category; 5] =
        [Category::VeryQuiet, Category::Quiet, Category::NoError, Category::Loud, Category::VeryLoud];

    /// Injected gain in dB, lowest and highest; none for a balanced mix.
    pub const fn gain_range_db(self) -> Option<(f64, f64)> {
        const SMALLEST_DB: f64 = GainStep::MIN_DB as f64;
        const VERY_DB: f64 = GainStep::VERY_DB as f64;
        const LARGEST_DB: f64 = GainStep::MAX_DB as f64;
        match self {
            Category::VeryQuiet => Some((-LARGEST_DB, -VERY_DB)),
            Category::Quiet => Some((-VERY_DB, -SMALLEST_DB)),
            Category::NoError => None,
            Category::Loud => Some((SMALLEST_DB, VERY_DB)),
            Category::VeryLoud => Some((VERY_DB, LARGEST_DB)),
        }
    }

    /// Which way the stem is off; none for a balanced mix.
    pub const fn direction(self) -> Option<Direction> {
        match self {
            Category::VeryQuiet | Category::Quiet => Some(Direction::Quiet),
            Category::NoError => None,
            Category::Loud | Category::VeryLoud => Some(Direction::Loud),
        }
    }

    /// Name as in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Category::VeryQuiet => "very_quiet",
            Category::Quiet => "quiet",
            Category::NoError => "no_error",
            Category::Loud => "loud",
            Category::VeryLoud => "very_loud",
        }
    }
}
