//! Ends a run when a figure on held-out examples stops improving.

use serde::{Deserialize, Serialize};

/// When a run ends early.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EarlyStop {
    /// Consecutive measurements without a better one after which the run ends; 0 for never.
    pub patience: usize,
    /// How much lower than the best a figure must be to count as better.
    pub least_gain: f64,
}

/// The meaning of a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The best so far.
    Best,
    /// Not better than the best.
    Worse,
    /// Not better, and the patience is used up.
    Stop,
}

/// Follows a figure; lower is better.
#[derive(Clone, Debug)]
pub struct Watch {
    settings: EarlyStop,
    best: Option<(usize, f64)>,
    worse: usize,
}

impl Watch {
    /// Follows a figure; `past` are the steps and figures of a resumed run.
    pub fn new(settings: &EarlyStop, past: &[(usize, f64)]) -> Self {
        let mut watch = Watch { settings: settings.clone(), best: None, worse: 0 };
        for (step, figure) in past {
            watch.observe(*step, *figure);
        }
        watch
    }

    /// Adds a measurement. One that is not a number is never better.
    pub fn observe(&mut self, step: usize, figure: f64) -> Progress {
        let is_better = match self.best {
            None => figure.is_finite(),
            Some((_, best)) => figure < best - self.settings.least_gain,
        };
        if is_better {
            self.best = Some((step, figure));
            self.worse = 0;
            return Progress::Best;
        }
        self.worse += 1;
        if self.has_stopped() { Progress::Stop } else { Progress::Worse }
    }

    /// Whether the run should end.
    pub fn has_stopped(&self) -> bool {
        self.settings.patience > 0 && self.worse >= self.settings.patience
    }

    /// Step and figure of the best measurement.
    pub fn best(&self) -> Option<(usize, f64)> {
        self.best
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_for_the_configured_patience_and_resumes_where_it_was() {
        let settings = EarlyStop { patience: 2, least_gain: 0.1 };
        let figures = [3.0, 2.0, 1.95, f64::NAN];
        let expected = [Progress::Best, Progress::Best, Progress::Worse, Progress::Stop];
        let mut watch = Watch::new(&settings, &[]);
        for (step, (figure, progress)) in figures.into_iter().zip(expected).enumerate() {
            assert_eq!(watch.observe(step, figure), progress, "{figure}");
        }
        assert_eq!(watch.best(), Some((1, 2.0)));
        let mut resumed = Watch::new(&settings, &[(0, 3.0), (1, 2.0), (2, 1.95)]);
        assert!(!resumed.has_stopped());
        assert_eq!(resumed.observe(3, 1.9), Progress::Stop);
        let mut patient = Watch::new(&EarlyStop::default(), &[]);
        assert!((0..100).all(|step| patient.observe(step, 5.0) != Progress::Stop));
    }
}
