//! The grid of error sizes, which decisions, gain tokens and the oracle share.

/// A size on the grid: [`GainStep::MIN_DB`] to [`GainStep::MAX_DB`] in steps of [`GainStep::STEP_DB`].
///
/// The grid is the published protocol's range of injected gains (3 to 12 dB, with 6 dB as the border between an
/// error and a "very" large one). Half a dB is half of what trained listeners can detect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GainStep(u8);

impl GainStep {
    /// Smallest error in dB.
    pub const MIN_DB: f32 = 3.0;
    /// Largest error in dB.
    pub const MAX_DB: f32 = 12.0;
    /// Distance between neighbouring sizes in dB. A power of two, so that every size is exact in `f32` and `f64`.
    pub const STEP_DB: f32 = 0.5;
    /// From this size on (in dB) an error is a "very" large one.
    pub const VERY_DB: f32 = 6.0;
    /// Number of sizes: 3.0, 3.5, … 12.0.
    pub const COUNT: usize = ((Self::MAX_DB - Self::MIN_DB) / Self::STEP_DB) as usize + 1;
    /// The smallest size.
    pub const FIRST: GainStep = GainStep(0);
    /// The first size that is a "very" large error: [`GainStep::VERY_DB`].
    pub const VERY: GainStep = GainStep(((Self::VERY_DB - Self::MIN_DB) / Self::STEP_DB) as u8);
    /// The largest size.
    pub const LAST: GainStep = GainStep(Self::COUNT as u8 - 1);

    /// All sizes, from the smallest.
    pub fn all() -> impl DoubleEndedIterator<Item = GainStep> + ExactSizeIterator + Clone {
        (0..Self::COUNT as u8).map(GainStep)
    }

    /// The size nearest to `size_db` (either sign). Sizes outside the grid go to the nearest end, and what is not a
    /// number to the smallest.
    pub fn nearest(size_db: f32) -> GainStep {
        let size_db = if size_db.is_nan() { Self::MIN_DB } else { size_db.abs() };
        GainStep(((size_db.clamp(Self::MIN_DB, Self::MAX_DB) - Self::MIN_DB) / Self::STEP_DB).round() as u8)
    }

    /// The size in dB, a magnitude.
    pub fn size_db(self) -> f32 {
        Self::MIN_DB + f32::from(self.0) * Self::STEP_DB
    }

    /// Position on the grid, from 0 to [`GainStep::COUNT`] - 1.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grid_runs_from_3_to_12_db_in_half_steps() {
        let sizes: Vec<f32> = GainStep::all().map(GainStep::size_db).collect();
        assert_eq!(sizes.len(), GainStep::COUNT);
        assert_eq!((sizes[0], sizes[1], sizes[GainStep::LAST.index()]), (3.0, 3.5, 12.0));
        assert_eq!(GainStep::VERY.size_db(), GainStep::VERY_DB);
        assert!(GainStep::all().enumerate().all(|(index, step)| step.index() == index));
        assert!(GainStep::all().all(|step| GainStep::nearest(step.size_db()) == step));
    }

    #[test]
    fn any_size_has_a_nearest_step() {
        assert_eq!(GainStep::nearest(-4.3).size_db(), 4.5);
        assert_eq!(GainStep::nearest(0.2), GainStep::FIRST);
        assert_eq!(GainStep::nearest(f32::INFINITY), GainStep::LAST);
        assert_eq!(GainStep::nearest(f32::NAN), GainStep::FIRST);
    }
}
