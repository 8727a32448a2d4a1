//! What the page is made of.

use super::listen::Example;
use crate::evaluation::judge::JudgeReport;
use crate::evaluation::report::REPORT_VERSION;
use crate::evaluation::score::{CalibrationBin, CoveragePoint};
use crate::evaluation::study::StudyReport;
use crate::evaluation::words::{Item, SimilarityReport};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::path::Path;

/// The JSON of an evaluation, with the name that the page gives it.
#[derive(Clone, Debug)]
pub struct EvaluationJson {
    /// Name in the page, such as "real songs, anchor".
    pub label: String,
    /// The JSON.
    pub json: Value,
}

impl EvaluationJson {
    /// Reads a file of `evaluate --out`.
    ///
    /// # Errors
    /// When it cannot be read, or is not the JSON of an evaluation of this version.
    pub fn read(label: &str, path: &Path) -> Result<EvaluationJson> {
        let name = path.display();
        let bytes = std::fs::read(path).with_context(|| format!("{name} cannot be read"))?;
        let json: Value = serde_json::from_slice(&bytes)
            .with_context(|| format!("{name} is not a report of `evaluate`"))?;
        ensure!(
            json["version"] == REPORT_VERSION && json["joint"].is_number(),
            "{name} is not a report of this version of `evaluate`: run `evaluate --out` again"
        );
        Ok(EvaluationJson { label: label.to_string(), json })
    }

    /// A figure, and its interval.
    pub fn figure(&self, name: &str) -> (Option<f64>, Option<[f64; 2]>) {
        figure_in(&self.json, name)
    }

    /// A figure of a control.
    pub fn control(&self, control: &str, name: &str) -> (Option<f64>, Option<[f64; 2]>) {
        figure_in(&self.json["controls"][control], name)
    }

    /// The curve of accuracy against coverage.
    pub fn coverage(&self) -> Vec<CoveragePoint> {
        serde_json::from_value(self.json["coverage_curve"].clone()).unwrap_or_default()
    }

    /// Confidence against accuracy.
    pub fn calibration(&self) -> Vec<CalibrationBin> {
        serde_json::from_value(self.json["calibration"].clone()).unwrap_or_default()
    }

    /// A text or number as text.
    pub fn text(&self, name: &str) -> String {
        match &self.json[name] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }
    }

    /// The command that makes these figures.
    pub fn command(&self) -> String {
        let baselines = if self.json["controls"]["ridge"].is_object() { " --baselines" } else { "" };
        let separator = if self.json["controls"]["separator"].is_object() {
            " --separator assets/separator/vocals.safetensors"
        } else {
            ""
        };
        format!(
            "mixing-buddy-trainer evaluate --songs SONGS --protocol {} --seed {}{baselines}{separator} --out REPORT.json",
            self.text("protocol"),
            self.text("seed")
        )
    }
}

/// A figure and its interval in an object.
pub(super) fn figure_in(json: &Value, name: &str) -> (Option<f64>, Option<[f64; 2]>) {
    let ends = &json[format!("{name}_ci95")];
    let interval = ends[0].as_f64().zip(ends[1].as_f64()).map(|(low, high)| [low, high]);
    (json[name].as_f64(), interval)
}

/// Everything that the page shows.
#[derive(Clone, Debug, Default)]
pub struct PageInputs {
    /// Evaluations, the most important first.
    pub evaluations: Vec<EvaluationJson>,
    /// Items with the advice in words, for the failures.
    pub items: Vec<Item>,
    /// Listening examples.
    pub examples: Vec<Example>,
    /// Result of `similarity`.
    pub similarity: Option<SimilarityReport>,
    /// Result of `judge`.
    pub judge: Option<JudgeReport>,
    /// Result of `study score`.
    pub study: Option<StudyReport>,
}
