//! The facts as the lines that a large language model gets, so that it copies its figures.

use super::facts::Facts;
use super::phrases::{is_nothing, outcome, percent, size};
use crate::stem::Stem;

impl Facts {
    /// What was measured, a line per stem: the same in every language.
    ///
    /// ```text
    /// vocals: 9 LU under, reference 5 LU under, 4 LU quieter
    /// drums: 2 LU under, reference 6 LU under, 4 LU louder
    /// bass: absent
    /// other: 3 LU over, reference unknown
    /// anchor: vocals
    /// ```
    ///
    /// Without a reference, the usual range stands in its place: "usual 8.5 LU under to 1 LU over".
    pub fn measured_sheet(&self) -> String {
        let mut lines: Vec<String> = Stem::ALL.map(|stem| self.measured_line(stem)).to_vec();
        if let Some(anchor) = self.anchor {
            lines.push(format!("anchor: {anchor}"));
        }
        lines.join("\n")
    }

    fn measured_line(&self, stem: Stem) -> String {
        let Some(level) = self.levels_lu[stem] else { return format!("{stem}: absent") };
        let expected = match &self.reference_lu {
            None => {
                let (low, high) = self.usual_lu[stem];
                format!("usual {} to {}", side(low), side(high))
            }
            Some(reference) => match reference[stem] {
                None => "reference unknown".into(),
                Some(reference) => {
                    let difference = level - reference;
                    let distance = match difference {
                        difference if is_nothing(difference) => "equal".into(),
                        difference if difference < 0.0 => format!("{} LU quieter", size(difference)),
                        difference => format!("{} LU louder", size(difference)),
                    };
                    format!("reference {}, {distance}", side(reference))
                }
            },
        };
        format!("{stem}: {}, {expected}", side(level))
    }

    /// What was decided, once it is: the decision, its confidence and limit, and the second guess.
    ///
    /// ```text
    /// decision: the drums are too loud, lower by 4 dB, 74 %, limit 60 %
    /// next: the vocals are too quiet, 21 %
    /// ```
    pub fn decision_sheet(&self) -> String {
        let gain = self.best.gain_db.map_or_else(String::new, |gain_db| {
            format!(", {} by {} dB", if gain_db < 0.0 { "lower" } else { "raise" }, size(gain_db))
        });
        let (sure, limit) = (percent(self.confidence), percent(self.threshold));
        let decision = format!("decision: {}{gain}, {sure}, limit {limit}", outcome(self.error()));
        match self.runner_up {
            None => decision,
            Some(guess) => {
                format!("{decision}\nnext: {}, {}", outcome(guess.error), percent(guess.probability))
            }
        }
    }
}

/// A level against the rest: "9 LU under".
fn side(level_lu: f32) -> String {
    match level_lu {
        level if is_nothing(level) => "level".into(),
        level if level < 0.0 => format!("{} LU under", size(level)),
        level => format!("{} LU over", size(level)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::facts::Guess;
    use super::*;
    use crate::advice::{BestAnswer, Verdict};
    use crate::stem::{Direction, PerStem};

    #[test]
    fn the_sheet_holds_every_figure() {
        let mut facts = Facts {
            levels_lu: PerStem::from_array([Some(-9.0), Some(-2.1), None, Some(3.0)]),
            reference_lu: Some(PerStem::from_array([Some(-5.0), Some(-2.0), Some(-1.0), None])),
            usual_lu: PerStem::all((-8.5, 1.0)),
            anchor: Some(Stem::Vocals),
            best: BestAnswer { verdict: Verdict::Loud, stem: Some(Stem::Drums), gain_db: Some(-4.0) },
            confidence: 0.74,
            threshold: 0.6,
            runner_up: Some(Guess { error: Some((Stem::Vocals, Direction::Quiet)), probability: 0.21 }),
        };
        assert_eq!(
            facts.measured_sheet(),
            "vocals: 9 LU under, reference 5 LU under, 4 LU quieter\ndrums: 2 LU under, reference 2 LU under, equal\n\
             bass: absent\nother: 3 LU over, reference unknown\nanchor: vocals"
        );
        assert_eq!(
            facts.decision_sheet(),
            "decision: the drums are too loud, lower by 4 dB, 74 %, limit 60 %\nnext: the vocals are too quiet, 21 %"
        );
        facts.reference_lu = None;
        assert!(facts.measured_sheet().starts_with("vocals: 9 LU under, usual 8.5 LU under to 1 LU over\n"));
        facts.best = BestAnswer { verdict: Verdict::NoError, stem: None, gain_db: None };
        assert!(facts.decision_sheet().starts_with("decision: nothing is off, 74 %"));
    }
}
