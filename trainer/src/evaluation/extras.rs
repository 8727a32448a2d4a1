//! What an evaluation may have besides songs and an advisor.

use super::kept::{KeptAnalyses, KeptRecords};
use super::separating::SeparatorMeter;

/// What an evaluation may have besides songs and an advisor.
#[derive(Clone, Copy, Default)]
pub struct Extras<'a> {
    /// Where records are kept.
    pub kept: Option<&'a KeptRecords>,
    /// Where analyses are kept for further runs, and taken from.
    pub heard: Option<&'a KeptAnalyses>,
    /// A separator, whose levels are judged by the norms as a baseline.
    pub separator: Option<&'a dyn SeparatorMeter>,
}

impl<'a> Extras<'a> {
    /// With records that are kept.
    pub fn keeping(kept: &'a KeptRecords) -> Self {
        Extras { kept: Some(kept), ..Extras::default() }
    }
}
