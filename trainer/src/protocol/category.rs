//! The five kinds of mixes of the published protocol.

use mixing_buddy_core::advice::Verdict;
use mixing_buddy_core::{Direction, GainStep};
use serde::{Deserialize, Serialize};

/// One of the five kinds of mixes in the published protocol.
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
    /// Number of categories.
    pub const COUNT: usize = 5;

    /// All categories, from very quiet to very loud.
    pub const ALL: [Category; Self::COUNT] =
        [Category::VeryQuiet, Category::Quiet, Category::NoError, Category::Loud, Category::VeryLoud];

    /// Prior probability of each category in the published protocol.
    pub const PRIOR: f64 = 1.0 / Self::COUNT as f64;

    /// Position in arrays that hold one value per category.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The verdict that is right for a mix of this category.
    pub const fn verdict(self) -> Verdict {
        match self {
            Category::VeryQuiet => Verdict::VeryQuiet,
            Category::Quiet => Verdict::Quiet,
            Category::NoError => Verdict::NoError,
            Category::Loud => Verdict::Loud,
            Category::VeryLoud => Verdict::VeryLoud,
        }
    }

    /// The category that a verdict names; none for abstentions and silence.
    pub fn of_verdict(verdict: Verdict) -> Option<Self> {
        Category::ALL.into_iter().find(|category| category.verdict() == verdict)
    }

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

    /// In which direction the stem is off; none for a balanced mix.
    pub fn direction(self) -> Option<Direction> {
        self.verdict().direction()
    }

    /// Whether the stem is off by [`GainStep::VERY_DB`] or more.
    pub const fn is_very(self) -> bool {
        matches!(self, Category::VeryQuiet | Category::VeryLoud)
    }

    /// Name as in JSON: that of the verdict.
    pub const fn name(self) -> &'static str {
        self.verdict().name()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn categories_are_the_verdicts_of_their_gains() {
        for (index, category) in Category::ALL.into_iter().enumerate() {
            assert_eq!(category.index(), index);
            assert_eq!(Category::of_verdict(category.verdict()), Some(category));
            assert_eq!(serde_json::to_value(category).unwrap(), category.name());
            if let (Some((low, high)), Some(direction)) = (category.gain_range_db(), category.direction()) {
                let middle_db = 0.5 * (low + high);
                assert_eq!(Verdict::of_error(direction, middle_db as f32), category.verdict());
                assert_eq!(middle_db.is_sign_positive(), direction == Direction::Loud);
            }
        }
        assert_eq!(Category::of_verdict(Verdict::Abstain), None);
        assert_eq!(Category::of_verdict(Verdict::Silence), None);
    }
}
