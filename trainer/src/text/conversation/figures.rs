//! Levels, gains and probabilities as answers write them. The facts that a model gets have the same figures, so that it copies
//! them.

use mixing_buddy_core::GainStep;

/// The size of a level, difference or gain to half a unit: "6.5".
pub fn size(value: f32) -> String {
    let rounded = (value.abs() / GainStep::STEP_DB).round() * GainStep::STEP_DB;
    format!("{rounded}")
}

/// Whether a level or difference is written as zero.
pub fn is_nothing(value: f32) -> bool {
    value.abs() < GainStep::STEP_DB / 2.0
}

/// A gain: "4.5 dB".
pub fn gain(gain_db: f32) -> String {
    format!("{} dB", size(gain_db))
}

/// A probability: "74 %".
pub fn percent(probability: f32) -> String {
    format!("{:.0} %", probability * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_written_to_half_a_unit() {
        assert_eq!((size(-6.3), size(6.8), size(0.1)), ("6.5".into(), "7".into(), "0".into()));
        assert_eq!((gain(-4.0), percent(0.736)), ("4 dB".into(), "74 %".into()));
        assert!(is_nothing(-0.2) && !is_nothing(0.25));
    }
}
