//! `report.md` in the folder of a run: what was trained, how far, and with which figures.

use super::run::RunFolder;
use super::runlog::RunLog;
use crate::files;
use anyhow::Result;
use std::fmt::Write;
use std::time::Duration;

/// The content of a report.
pub struct RunReport<'a> {
    /// What is trained.
    pub title: &'a str,
    /// Steps done, and steps in total.
    pub steps: (usize, usize),
    /// Whether the run ended before its last step because nothing improved.
    pub has_stopped: bool,
    /// What is measured on held-out examples, with its unit.
    pub measured: &'a str,
    /// Step and figure of the best measurement, if there is one.
    pub best: Option<(usize, f64)>,
}

impl RunReport<'_> {
    /// Writes `report.md` into the folder of the run.
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

/// A duration as people write it: `7 s`, `10 min`, `2 h 5 min`.
pub fn in_words(time: Duration) -> String {
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
    fn durations_are_written_as_people_write_them() {
        let words = |seconds| in_words(Duration::from_secs(seconds));
        assert_eq!([words(7), words(600), words(7500)], ["7 s", "10 min", "2 h 5 min"]);
    }
}
