//! Steps that run one after another, and the table at the end that says how each of them went.

use crate::Result;
use crate::output::note;
use std::time::{Duration, Instant};

/// How a step ended.
enum Outcome {
    Passed,
    Failed(String),
    /// With the reason.
    Skipped(String),
}

/// A step that has ended.
struct Step {
    name: &'static str,
    outcome: Outcome,
    time: Duration,
}

/// The steps so far.
#[derive(Default)]
pub(crate) struct Report {
    steps: Vec<Step>,
}

impl Report {
    /// Runs a step and keeps its result. A failure is printed at once and does not stop the steps after it.
    pub(crate) fn run(&mut self, name: &'static str, step: impl FnOnce() -> Result<()>) {
        note(&format!("== {name}"));
        let start = Instant::now();
        let outcome = match step() {
            Ok(()) => Outcome::Passed,
            Err(message) => {
                note(&format!("{name}: {message}"));
                Outcome::Failed(message)
            }
        };
        self.steps.push(Step { name, outcome, time: start.elapsed() });
    }

    /// Notes a step that does not run.
    pub(crate) fn skip(&mut self, name: &'static str, reason: String) {
        self.steps.push(Step { name, outcome: Outcome::Skipped(reason), time: Duration::ZERO });
    }

    /// Whether a step has failed so far.
    pub(crate) fn has_failed(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.outcome, Outcome::Failed(_)))
    }

    /// Prints the table.
    ///
    /// # Errors
    /// When a step failed; the message names all that did.
    pub(crate) fn finish(&self) -> Result<()> {
        note(&format!("\n{}", self.table().trim_end()));
        let failed: Vec<&str> = self
            .steps
            .iter()
            .filter(|step| matches!(step.outcome, Outcome::Failed(_)))
            .map(|step| step.name)
            .collect();
        if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}.", failed.join(", "))) }
    }

    fn table(&self) -> String {
        let width = self.steps.iter().map(|step| step.name.len()).max().unwrap_or(0);
        self.steps
            .iter()
            .map(|step| {
                let (word, reason) = match &step.outcome {
                    Outcome::Passed => ("passed", ""),
                    Outcome::Failed(message) => ("FAILED", message.as_str()),
                    Outcome::Skipped(reason) => ("skipped", reason.as_str()),
                };
                let row =
                    format!("{word:<7}  {:<width$}  {:>5.0} s  {reason}", step.name, step.time.as_secs_f64());
                format!("{}\n", row.trim_end())
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_one_line_per_step_and_a_failure_does_not_stop_the_next_step() {
        let mut report = Report::default();
        report.run("fmt", || Ok(()));
        assert!(!report.has_failed());
        report.run("clippy", || Err("two warnings.".into()));
        report.run("unused", || Ok(()));
        report.skip("tests", "a check failed".into());
        assert!(report.has_failed());
        assert_eq!(
            report.table(),
            "passed   fmt         0 s\n\
             FAILED   clippy      0 s  two warnings.\n\
             passed   unused      0 s\n\
             skipped  tests       0 s  a check failed\n"
        );
        assert_eq!(report.finish(), Err("failed: clippy.".to_string()));
    }
}
