//! The report of an evaluation, and its JSON.

use super::bootstrap::SongResamples;
use super::judges::REFERENCE_BOUND_SD_DB;
use super::meter::MeterFigures;
use super::score::{CALIBRATION_BINS, CalibrationBin, CoveragePoint, Figure, Figures, Judged};
use crate::protocol::{
    ACTIVE_FRAME_DBFS, ACTIVE_SHARE, Category, MIXTURE_GATE_DBFS, Protocol, STEM_GATE_DBFS,
};
use anyhow::Result;
use mixing_buddy_core::stem::{PerStem, Stem};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::path::Path;

/// Version of the report's JSON.
pub const REPORT_VERSION: u32 = 1;

/// The result of an evaluation.
#[derive(Clone, Debug)]
pub struct Report {
    /// What was named as right in the question.
    pub protocol: Protocol,
    /// Seed of gains and bootstrap.
    pub seed: u64,
    /// Resamples of the bootstrap.
    pub resamples: usize,
    /// "summary", or the path of the table that the bound judged by.
    pub norms: String,
    /// Songs that were read.
    pub songs: usize,
    /// Songs with enough windows.
    pub eligible_songs: usize,
    /// Windows that passed the gate, of eligible songs.
    pub windows: usize,
    /// Songs without enough windows, and why.
    pub left_out: Vec<LeftOut>,
    /// The advisor's scores.
    pub model: Figures,
    /// What the advisor is compared with.
    pub controls: Controls,
    /// The advisor's joint as a part of the bound's, on the same samples.
    pub joint_over_bound: Figure,
    /// Error of the advisor's meter over all distinct mixes, flawed and unflawed.
    pub meter: MeterFigures,
    /// Error of the advisor's meter over the unflawed mixes alone.
    pub unflawed_meter: MeterFigures,
    /// The advisor's accuracy against coverage.
    pub coverage: Vec<CoveragePoint>,
    /// The advisor's confidence against accuracy.
    pub calibration: [CalibrationBin; CALIBRATION_BINS],
}

/// A song that was not used.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LeftOut {
    /// Name of the song.
    pub song: String,
    /// Why, in words that follow "because".
    pub reason: String,
}

/// What the advisor is compared with, on the same samples.
#[derive(Clone, Debug)]
pub struct Controls {
    /// The advisor with the prompt alone.
    pub no_audio: Figures,
    /// The advisor with the sound of another song's window; none with a single song.
    pub shuffled_audio: Option<Figures>,
    /// "No error", whatever is asked.
    pub always_no_error: Figures,
    /// The oracle: the rule with exact levels.
    pub bound: Figures,
    /// The advisor with the exact levels in place of its reading: what its language model could do behind a perfect
    /// meter.
    pub exact_levels: Figures,
    /// The same rule behind the advisor's own meter: what the language model must not be worse than.
    pub meter_rule: Figures,
    /// The rule behind the meter, with the mean error on all other songs subtracted; none with a single song.
    pub unbiased_meter_rule: Option<Figures>,
}

impl Controls {
    /// Name and scores of each control that was run.
    pub fn named(&self) -> Vec<(&'static str, &Figures)> {
        let mut named = vec![("no_audio", &self.no_audio)];
        named.extend(self.shuffled_audio.as_ref().map(|figures| ("shuffled_audio", figures)));
        named.push(("always_no_error", &self.always_no_error));
        named.push(("bound", &self.bound));
        named.push(("exact_levels", &self.exact_levels));
        named.push(("meter_rule", &self.meter_rule));
        named.extend(self.unbiased_meter_rule.as_ref().map(|figures| ("unbiased_meter_rule", figures)));
        named
    }
}

/// Joint of the advisor as a part of the bound's, both on the same songs of each resample.
pub(crate) fn joint_over_bound(model: &[Judged], bound: &[Judged], resamples: &SongResamples) -> Figure {
    let mut right = vec![(0.0, 0.0); resamples.plain().len()];
    for judged in model {
        right[judged.song].0 += f64::from(u8::from(judged.is_right()));
    }
    for judged in bound {
        right[judged.song].1 += f64::from(u8::from(judged.is_right()));
    }
    let ratio = |weights: &[f64]| {
        let (mut advisor, mut oracle) = (0.0, 0.0);
        for ((model, bound), weight) in right.iter().zip(weights) {
            advisor += model * weight;
            oracle += bound * weight;
        }
        (oracle > 0.0).then(|| advisor / oracle)
    };
    Figure { value: ratio(&resamples.plain()), ci95: resamples.interval(ratio) }
}

impl Report {
    /// The report as JSON: each figure under its name, its interval under `<name>_ci95`.
    pub fn to_json(&self) -> Value {
        let mut json = Map::new();
        let mut put = |name: &str, value: Value| json.insert(name.to_string(), value);
        put("version", json!(REPORT_VERSION));
        put("protocol", json!(self.protocol.name()));
        put("seed", json!(self.seed));
        put("bootstrap_resamples", json!(self.resamples));
        put("norms", json!(self.norms));
        put("songs", json!(self.songs));
        put("eligible_songs", json!(self.eligible_songs));
        put("windows", json!(self.windows));
        put("samples", json!(self.model.samples));
        put("left_out", json!(self.left_out));
        put(
            "gate",
            json!({
                "mixture_dbfs": MIXTURE_GATE_DBFS,
                "stem_dbfs": STEM_GATE_DBFS,
                "active_share": ACTIVE_SHARE,
                "active_frame_dbfs": ACTIVE_FRAME_DBFS,
            }),
        );
        if self.protocol == Protocol::Reference {
            put("reference_bound_sd_db", json!(REFERENCE_BOUND_SD_DB));
        }
        put_figures(&mut json, &self.model, true);
        put_figure(&mut json, "joint_bound", self.controls.bound.joint);
        put_figure(&mut json, "joint_over_bound", self.joint_over_bound);
        put_meter(&mut json, "meter", &self.meter);
        put_meter(&mut json, "unflawed_meter", &self.unflawed_meter);
        let controls: Map<String, Value> = (self.controls.named().into_iter())
            .map(|(name, figures)| {
                let mut control = Map::new();
                put_figures(&mut control, figures, false);
                (name.to_string(), Value::Object(control))
            })
            .collect();
        json.insert("controls".to_string(), Value::Object(controls));
        json.insert("coverage_curve".to_string(), json!(self.coverage));
        json.insert("calibration".to_string(), json!(self.calibration));
        Value::Object(json)
    }

    /// Writes the JSON to a file.
    pub fn write_json(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(&self.to_json())? + "\n";
        crate::files::replace(path, text)
    }
}

/// Rounds to six decimals, which is finer than any figure here.
fn rounded(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

fn put_figure(json: &mut Map<String, Value>, name: &str, figure: Figure) {
    json.insert(name.to_string(), json!(figure.value.map(rounded)));
    json.insert(format!("{name}_ci95"), json!(figure.ci95.map(|interval| interval.map(rounded))));
}

fn put_figures(json: &mut Map<String, Value>, figures: &Figures, of_model: bool) {
    for (name, figure) in figures.named() {
        // A control's answers are not all generated text: whether they parse has no meaning.
        if of_model || name != "parse_rate" {
            put_figure(json, name, figure);
        }
    }
    let categories = Category::ALL.map(Category::name);
    put_object(json, "joint_by_category", categories.into_iter().zip(figures.joint_by_category));
    let stems = Stem::TARGETS.map(Stem::name);
    put_object(json, "joint_by_stem", stems.into_iter().zip(figures.joint_by_stem));
}

fn put_meter(json: &mut Map<String, Value>, name: &str, meter: &MeterFigures) {
    let by_stem = |figures: &PerStem<Figure>| Stem::ALL.map(|stem| (stem.name(), figures[stem]));
    put_object(json, &format!("{name}_mad_db"), by_stem(&meter.mad_db).into_iter());
    put_object(json, &format!("{name}_bias_db"), by_stem(&meter.bias_db).into_iter());
    put_object(json, &format!("{name}_sd_db"), by_stem(&meter.sd_db).into_iter());
}

fn put_object(
    json: &mut Map<String, Value>,
    name: &str,
    figures: impl Iterator<Item = (&'static str, Figure)> + Clone,
) {
    let values: Map<String, Value> =
        figures.clone().map(|(key, f)| (key.to_string(), json!(f.value.map(rounded)))).collect();
    let intervals: Map<String, Value> =
        figures.map(|(key, f)| (key.to_string(), json!(f.ci95.map(|ends| ends.map(rounded))))).collect();
    json.insert(name.to_string(), Value::Object(values));
    json.insert(format!("{name}_ci95"), Value::Object(intervals));
}
