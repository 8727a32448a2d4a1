//! Advice as lines: JSON for programs, text for a terminal.

use crate::advice::{Advice, Verdict};
use crate::clock;
use crate::stem::Stem;
use serde_json::{Value, json};

/// What a line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One window of a song.
    Window,
    /// The whole song: the last line of a file.
    Song,
}

impl Kind {
    /// Name as in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Window => "window",
            Kind::Song => "song",
        }
    }
}

/// Rounds to two decimals: the model is not more precise.
fn round(value: f32) -> f64 {
    (f64::from(value) * 100.0).round() / 100.0
}

/// The JSON object of `advise --json`, for `file` from `start_s` to `end_s` seconds.
pub fn json_line(file: &str, kind: Kind, start_s: f64, end_s: f64, advice: &Advice) -> Value {
    let levels: serde_json::Map<String, Value> = advice
        .levels_lu
        .iter()
        .map(|(stem, level)| (stem.name().to_string(), json!(level.map(round))))
        .collect();
    json!({
        "file": file,
        "kind": kind.name(),
        "start_s": (start_s * 1000.0).round() / 1000.0,
        "end_s": (end_s * 1000.0).round() / 1000.0,
        "verdict": advice.verdict.name(),
        "stem": advice.stem.map(Stem::name),
        "gain_db": advice.gain_db.map(round),
        "gain_db_sd": advice.gain_db_sd.map(round),
        "confidence": round(advice.confidence),
        "best": {
            "verdict": advice.best.verdict.name(),
            "stem": advice.best.stem.map(Stem::name),
            "gain_db": advice.best.gain_db.map(round),
        },
        "levels_lu": levels,
        "text": advice.text,
    })
}

/// A window's advice in a line, from `start_s` to `end_s` seconds.
pub fn window_text(start_s: f64, end_s: f64, advice: &Advice) -> String {
    let sure = if advice.verdict == Verdict::Silence {
        String::new()
    } else {
        format!(" ({:.0} % sure)", 100.0 * advice.confidence)
    };
    format!("{:>5} to {:<5} {}{sure}", clock::text(start_s), clock::text(end_s), advice.text)
}

/// A song's advice and levels, after an empty line.
pub fn song_text(name: &str, advice: &Advice) -> String {
    let levels: Vec<String> = advice
        .levels_lu
        .iter()
        .map(|(stem, level)| level.map_or(format!("{stem} absent"), |level| format!("{stem} {level:+.1} LU")))
        .collect();
    format!(
        "\n{name}: {}\n({:.0} % sure; against the rest: {})",
        advice.text,
        100.0 * advice.confidence,
        levels.join(", ")
    )
}
