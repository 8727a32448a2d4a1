//! The report of an evaluation, and its JSON.

use super::bootstrap::{FEWEST_SONGS, Figure, SongResamples, SongTally};
use super::confusion::{Confusion, outcome_names};
use super::conventions::{Conventions, Moves};
use super::judges::REFERENCE_BOUND_SD_DB;
use super::meter::MeterFigures;
use super::records::rounded;
use super::score::{CALIBRATION_BINS, CalibrationBin, CoveragePoint, Figures, Judged};
use crate::protocol::{
    ACTIVE_FRAME_DBFS, ACTIVE_SHARE, Category, MIXTURE_GATE_DBFS, Protocol, STEM_GATE_DBFS,
};
use anyhow::Result;
use mixing_buddy_core::stem::{Direction, PerStem, Stem};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::path::Path;

/// Version of the report's JSON.
pub const REPORT_VERSION: u32 = 2;

/// The result of an evaluation.
#[derive(Clone, Debug)]
pub struct Report {
    /// Name and version of the advisor.
    pub advisor: String,
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
    /// Which outcome the advisor answered where which was right.
    pub confusion: Confusion,
    /// Whether the advice moves mixes towards what engineers do.
    pub conventions: Conventions,
    /// The advisor's answer to every sample: what a comparison needs.
    pub answers: Vec<AnsweredWindow>,
}

/// The answers about one window, or one song in [`Protocol::Song`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AnsweredWindow {
    /// Name of the song.
    pub song: String,
    /// Number of the window on the song's 10 s grid.
    pub window: usize,
    /// Its samples, in the order of the plan.
    pub samples: Vec<Judged>,
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
    /// Band energies with a ridge regression, judged by the same rule; none unless it was asked for, or with few songs.
    pub ridge: Option<Figures>,
    /// A separator with level measurement, judged by the same rule; none unless it was asked for, or with a single song.
    pub separator: Option<Figures>,
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
        named.extend(self.ridge.as_ref().map(|figures| ("ridge", figures)));
        named.extend(self.separator.as_ref().map(|figures| ("separator", figures)));
        named
    }
}

/// Joint of the advisor as a part of the bound's, both on the same songs of each resample.
pub(crate) fn joint_over_bound(model: &[Judged], bound: &[Judged], resamples: &SongResamples) -> Figure {
    let mut right = SongTally::new(resamples.plain().len());
    let one = |judged: &Judged| f64::from(u8::from(judged.is_right()));
    model.iter().for_each(|judged| right.add(judged.song, one(judged), 0.0));
    bound.iter().for_each(|judged| right.add(judged.song, 0.0, one(judged)));
    right.figure(resamples)
}

impl Report {
    /// The report as JSON: each figure under its name, its interval under `<name>_ci95`.
    pub fn to_json(&self) -> Value {
        let mut json = Map::new();
        let mut put = |name: &str, value: Value| json.insert(name.to_string(), value);
        put("version", json!(REPORT_VERSION));
        put("model", json!(self.advisor));
        put("protocol", json!(self.protocol.name()));
        put("seed", json!(self.seed));
        put("bootstrap_resamples", json!(self.resamples));
        put("norms", json!(self.norms));
        put("songs", json!(self.songs));
        put("eligible_songs", json!(self.eligible_songs));
        put("windows", json!(self.windows));
        put("samples", json!(self.model.samples));
        put("left_out", json!(self.left_out));
        put("intervals", json!(self.why_no_intervals().unwrap_or("95 %, bootstrap over songs")));
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
        json.insert(
            "confusion".to_string(),
            json!({"outcomes": outcome_names(), "counts": self.confusion.counts}),
        );
        put_moves(&mut json, "usual_levels", &self.conventions.usual_levels);
        put_moves(&mut json, "usual_levels_of_spoken", &self.conventions.usual_levels_of_spoken);
        put_moves(&mut json, "vocal_convention", &self.conventions.vocals);
        json.insert("coverage_curve".to_string(), json!(self.coverage));
        json.insert("calibration".to_string(), json!(self.calibration));
        Value::Object(json)
    }

    /// Why the figures have no intervals, in a sentence; none where they have.
    pub fn why_no_intervals(&self) -> Option<&'static str> {
        (self.eligible_songs < FEWEST_SONGS)
            .then_some("refused: an interval over songs needs at least two songs, and here is one")
    }

    /// Writes the JSON to a file, with the answer to every sample, a line per window.
    pub fn write_json(&self, path: &Path) -> Result<()> {
        let figures = serde_json::to_string_pretty(&self.to_json())?;
        let lines: Vec<String> =
            self.answers.iter().map(serde_json::to_string).collect::<serde_json::Result<_>>()?;
        let figures = figures.trim_end().trim_end_matches('}').trim_end();
        let answers = lines.join(",\n    ");
        crate::files::replace(path, format!("{figures},\n  \"answers\": [\n    {answers}\n  ]\n}}\n"))
    }
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
    let directions = Direction::ALL.map(|direction| match direction {
        Direction::Quiet => "quiet",
        Direction::Loud => "loud",
    });
    put_object(json, "joint_by_direction", directions.into_iter().zip(figures.joint_by_direction));
}

fn put_moves(json: &mut Map<String, Value>, name: &str, moves: &Moves) {
    put_figure(json, &format!("{name}_towards"), moves.towards);
    put_figure(json, &format!("{name}_away"), moves.away);
    put_figure(json, &format!("{name}_before_db"), moves.before_db);
    put_figure(json, &format!("{name}_after_db"), moves.after_db);
}

fn put_meter(json: &mut Map<String, Value>, name: &str, meter: &MeterFigures) {
    let by_stem = |figures: &PerStem<Figure>| Stem::ALL.map(|stem| (stem.name(), figures[stem]));
    put_object(json, &format!("{name}_mad_db"), by_stem(&meter.mad_db).into_iter());
    put_object(json, &format!("{name}_p90_db"), by_stem(&meter.p90_db).into_iter());
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
