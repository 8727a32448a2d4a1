//! `report.md` of a run's folder: what was trained, how far it is, and how it went.

use super::run::RunFolder;
use super::runlog::RunLog;
use crate::files;
use anyhow::Result;
use std::fmt::Write;
use std::time::Duration;

/// What a report says of a run.
pub struct RunReport<'a> {
    /// What is trained.
    pub title: &'a str,
    /// Steps done, and steps in all.
    pub steps: (usize, usize),
    /// Whether the run ended before its last step because nothing got better.
    pub has_stopped: bool,
    /// What is measured on held-out examples, in words with its unit.
    pub measured: &'a str,
    /// Step and figure of the best such measurement, if there was any.
    pub best: Option<(usize, f64)>,
}

impl RunReport<'_> {
    /// Writes `report.md` into the run's folder.
    ///
    /// # Errors
    /// When the log cannot be read or the file cannot be written.
    pub fn write(&self, folder: &RunFolder, log: &RunLog) -> Result<()> {
        let (done, steps) = self.steps;
        let end = if self.has_stopped { ", ended early" } else { "" };
        let mut text = format!(
            "# {}\n\n| | |\n| --- | --- |\n| steps | {done} of {steps}{end} |\n| time | {} |\n",
            self.title,
            in_words(folder.spent())
        );
        if let Some((step, figure)) = self.best {
            _ = writeln!(text, "| best {} | {figure:.4} at step {step} |", self.measured);
        }
        for (name, step, figure) in log.last_figures()? {
            _ = writeln!(text, "| {name} | {figure} at step {step} |");
        }
        if folder.dir.join("plot.png").exists() {
            text += "\n![Figures by step](plot.png)\n";
        }
        _ = write!(text, "\n## Configuration\n\n```toml\n{}\n```\n", folder.config.trim());
        files::replace(&folder.dir.join("report.md"), text)
    }
}

fn in_words(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds @ 60..3600 => format!("{} min", seconds / 60),
        seconds => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_as_people_do() {
        let words = |seconds| in_words(Duration::from_secs(seconds));
        assert_eq!([words(7), words(600), words(7500)], ["7 s", "10 min", "2 h 5 min"]);
    }
}
