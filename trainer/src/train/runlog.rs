//! The log of a run: figures in a CSV file and for TensorBoard, and a plot of them.

use super::tensorboard::EventLog;
use anyhow::{Context, Result};
use plotters::prelude::*;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The file of the log in the folder of a run.
const LOG_FILE: &str = "losses.csv";

/// Step and value of the last figure in a column of the log in `dir`; none if there is no such log, column or figure.
pub fn last_figure(dir: &Path, column: &str) -> Option<(usize, f64)> {
    let text = std::fs::read_to_string(dir.join(LOG_FILE)).ok()?;
    let at = text.lines().next()?.split(',').position(|name| name == column)?;
    text.lines().skip(1).filter_map(|line| cells(line, at)).last()
}

/// The step of a row, and its figure in the cell number `at`, if it has one.
fn cells(line: &str, at: usize) -> Option<(usize, f64)> {
    Some((line.split(',').next()?.parse().ok()?, line.split(',').nth(at)?.parse().ok()?))
}

/// Appends rows of figures to `losses.csv`: one row per call, one column per name.
pub struct RunLog {
    path: PathBuf,
    columns: Vec<String>,
    events: EventLog,
}

impl RunLog {
    /// Opens the log in the folder of a run. Rows after step `resume_at`, left by a killed run, are removed.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn open(dir: &Path, columns: &[&str], resume_at: usize) -> Result<Self> {
        let path = dir.join(LOG_FILE);
        let columns: Vec<String> = columns.iter().map(|c| c.to_string()).collect();
        let mut kept = vec![format!("step,{}", columns.join(","))];
        if resume_at > 0
            && let Ok(text) = std::fs::read_to_string(&path)
        {
            let is_before = |line: &&str| {
                line.split(',').next().and_then(|s| s.parse::<usize>().ok()).is_some_and(|s| s <= resume_at)
            };
            kept.extend(text.lines().skip(1).filter(is_before).map(String::from));
        }
        std::fs::write(&path, kept.join("\n") + "\n")
            .with_context(|| format!("{} cannot be written", path.display()))?;
        Ok(RunLog { path, columns, events: EventLog::create(dir, resume_at)? })
    }

    /// Adds a row. Columns without a figure stay empty.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn row(&self, step: usize, figures: &BTreeMap<String, f64>) -> Result<()> {
        let cells = self.columns.iter().map(|c| figures.get(c).map_or(String::new(), |v| format!("{v:.6}")));
        let line = format!("{step},{}\n", cells.collect::<Vec<_>>().join(","));
        let mut file = std::fs::OpenOptions::new().append(true).open(&self.path)?;
        file.write_all(line.as_bytes())
            .with_context(|| format!("{} cannot be written", self.path.display()))?;
        self.events.scalars(step, figures)
    }

    /// Step and figure of every row with a figure in this column.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn figures(&self, column: &str) -> Result<Vec<(usize, f64)>> {
        let Some(at) = self.columns.iter().position(|name| name == column) else { return Ok(Vec::new()) };
        let text = std::fs::read_to_string(&self.path)
            .with_context(|| format!("{} cannot be read", self.path.display()))?;
        // The first cell is the step.
        Ok(text.lines().skip(1).filter_map(|line| cells(line, at + 1)).collect())
    }

    /// The last figure of every column: name, step and figure.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn last_figures(&self) -> Result<Vec<(&str, usize, f64)>> {
        let mut last = Vec::new();
        for name in &self.columns {
            last.extend(self.figures(name)?.pop().map(|(step, figure)| (name.as_str(), step, figure)));
        }
        Ok(last)
    }

    /// Draws the named columns into `plot.png` next to the log; nothing if there are no figures yet.
    ///
    /// # Errors
    /// When the log cannot be read or the picture cannot be written.
    pub fn plot(&self, title: &str, columns: &[&str]) -> Result<()> {
        let text = std::fs::read_to_string(&self.path)?;
        let rows: Vec<Vec<Option<f64>>> =
            text.lines().skip(1).map(|l| l.split(',').map(|c| c.parse().ok()).collect()).collect();
        let series: Vec<(&str, Vec<(f64, f64)>)> = columns
            .iter()
            .filter_map(|name| {
                let at = self.columns.iter().position(|c| c == name)? + 1;
                let points: Vec<_> =
                    rows.iter().filter_map(|r| Some(((*r.first()?)?, (*r.get(at)?)?))).collect();
                (points.len() > 1).then_some((*name, points))
            })
            .collect();
        let all = || series.iter().flat_map(|(_, points)| points.iter());
        let (Some(last), Some(top)) =
            (all().map(|p| p.0).max_by(f64::total_cmp), all().map(|p| p.1).max_by(f64::total_cmp))
        else {
            return Ok(());
        };
        let bottom = all().map(|p| p.1).min_by(f64::total_cmp).unwrap_or(0.0).min(0.0);
        let path = self.path.with_file_name("plot.png");
        crate::plotfont::register();
        let area = BitMapBackend::new(&path, (1000, 520)).into_drawing_area();
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&area)
            .caption(title, ("sans-serif", 22))
            .margin(12)
            .x_label_area_size(36)
            .y_label_area_size(56)
            .build_cartesian_2d(0.0..last, bottom..top * 1.05)?;
        chart.configure_mesh().x_desc("step").draw()?;
        for (index, (name, points)) in series.into_iter().enumerate() {
            let colour = Palette99::pick(index).to_rgba();
            chart
                .draw_series(LineSeries::new(points, colour.stroke_width(2)))?
                .label(name)
                .legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 18, y)], colour.stroke_width(2)));
        }
        chart.configure_series_labels().background_style(WHITE.mix(0.8)).border_style(BLACK).draw()?;
        area.present().with_context(|| format!("{} cannot be written", path.display()))
    }
}
