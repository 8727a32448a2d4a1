//! The tables of the model card, from the same JSON as the page, so that they cannot disagree.

use super::inputs::{EvaluationJson, figure_in};
use anyhow::{Context, Result};
use mixing_buddy_core::stem::Stem;
use serde_json::Value;

/// The line before the tables in a model card.
pub const BEGIN: &str = "<!-- figures: written by `mixing-buddy-trainer report --card`, do not edit -->";
/// The line after them.
pub const END: &str = "<!-- end of figures -->";

/// How a figure is written.
#[derive(Clone, Copy)]
enum Unit {
    Percent,
    Decibels,
    Ratio,
}

impl Unit {
    fn write(self, (value, interval): (Option<f64>, Option<[f64; 2]>), with_interval: bool) -> String {
        let Some(value) = value else { return "-".into() };
        let number = |value: f64| match self {
            Unit::Percent => format!("{:.1}", 100.0 * value),
            Unit::Decibels | Unit::Ratio => format!("{value:.2}"),
        };
        let sign = match self {
            Unit::Percent => " %",
            Unit::Decibels => " dB",
            Unit::Ratio => "",
        };
        match interval.filter(|_| with_interval) {
            Some([low, high]) => format!("{}{sign} ({} to {})", number(value), number(low), number(high)),
            None => format!("{}{sign}", number(value)),
        }
    }
}

/// Rows of figures of the model: label, name in JSON, unit.
const FIGURES: [(&str, &str, Unit); 12] = [
    ("joint: stem and direction", "joint", Unit::Percent),
    ("bound, same windows", "joint_bound", Unit::Percent),
    ("share of the bound", "joint_over_bound", Unit::Ratio),
    ("joint of flawed mixes", "joint_of_flawed", Unit::Percent),
    ("balanced left alone", "balanced_left_alone", Unit::Percent),
    ("wrong direction", "wrong_direction", Unit::Percent),
    ("gain error", "gain_mae_db", Unit::Decibels),
    ("coverage at 90 % precision", "coverage_at_90", Unit::Percent),
    ("windows spoken on", "spoken_on", Unit::Percent),
    ("of these right", "joint_of_spoken", Unit::Percent),
    ("calibration error", "ece", Unit::Percent),
    ("answers that parse", "parse_rate", Unit::Percent),
];

/// Rows of controls: label and name in JSON.
const CONTROLS: [(&str, &str); 8] = [
    ("control: rule, with the same meter", "meter_rule"),
    ("control: language model, given the exact levels", "exact_levels"),
    ("control: rule, with the meter less its bias", "unbiased_meter_rule"),
    ("control: band energies and a ridge regression", "ridge"),
    ("control: separated vocals, judged by the norms", "separator"),
    ("control: no audio", "no_audio"),
    ("control: shuffled audio", "shuffled_audio"),
    ("control: always \"no error\"", "always_no_error"),
];

/// Rows of the meter: label and name in JSON.
const METER: [(&str, &str); 5] = [
    ("median absolute error", "meter_mad_db"),
    ("90th percentile of it", "meter_p90_db"),
    ("bias", "meter_bias_db"),
    ("standard deviation", "meter_sd_db"),
    ("median absolute error, unflawed mixes", "unflawed_meter_mad_db"),
];

/// The tables in Markdown, a column per evaluation.
pub fn card_tables(evaluations: &[EvaluationJson]) -> String {
    let row = |label: &str, cell: &dyn Fn(&EvaluationJson) -> String| {
        let cells: Vec<String> = evaluations.iter().map(cell).collect();
        format!("| {label} | {} |\n", cells.join(" | "))
    };
    let rule = format!("| --- |{}\n", " --- |".repeat(evaluations.len()));
    let mut text = row("", &|of| of.label.clone());
    text += &rule;
    text += &row("model", &|of| of.text("model"));
    text += &row("songs, windows, samples", &|of| {
        format!("{}, {}, {}", of.text("eligible_songs"), of.text("windows"), of.text("samples"))
    });
    for (label, name, unit) in FIGURES {
        let with_interval = name != "parse_rate";
        text += &row(label, &|of| unit.write(of.figure(name), with_interval));
    }
    for (label, control) in CONTROLS {
        if evaluations.iter().any(|of| of.json["controls"][control].is_object()) {
            text += &row(label, &|of| Unit::Percent.write(of.control(control, "joint"), false));
        }
    }
    text += "\n";
    text += &row("meter, flawed mixes included (dB: vocals, drums, bass, other)", &|of| of.label.clone());
    text += &rule;
    // Reports of earlier versions lack some.
    for (label, name) in
        METER.iter().filter(|(_, name)| evaluations.iter().any(|of| !of.json[*name].is_null()))
    {
        text += &row(label, &|of| stems(&of.json[*name], name.contains("bias")));
    }
    text
}

fn stems(json: &Value, signed: bool) -> String {
    let number = |stem: Stem| match figure_in(json, stem.name()).0 {
        Some(value) if signed => format!("{value:+.2}"),
        Some(value) => format!("{value:.2}"),
        None => "-".into(),
    };
    Stem::ALL.map(number).join(", ")
}

/// A model card with these tables between its markers.
///
/// # Errors
/// When the card lacks a marker.
pub fn with_card_tables(card: &str, tables: &str) -> Result<String> {
    let missing = |marker: &str| format!("the model card has no line '{marker}'");
    let begin = card.find(BEGIN).with_context(|| missing(BEGIN))? + BEGIN.len();
    let end = card[begin..].find(END).with_context(|| missing(END))? + begin;
    Ok(format!("{}\n{}\n{}", &card[..begin], tables.trim_end(), &card[end..]))
}
