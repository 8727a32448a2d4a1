//! All advice on a song as Markdown, for people.

use crate::advice::Advice;
use crate::clock;
use crate::stem::{PerStem, Stem};
use std::fmt::Write as _;

/// A window's row in the report.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// Start in the song, in seconds.
    pub start_s: f64,
    /// End in the song, in seconds.
    pub end_s: f64,
    /// The advice.
    pub advice: &'a Advice,
    /// A remark behind the advice; may be empty.
    pub remark: &'a str,
}

/// What a report tells.
#[derive(Clone, Debug)]
pub struct Report<'a> {
    /// Name of the song, where there is one.
    pub name: Option<&'a str>,
    /// The advice on the song, and from how many windows; none before it was analyzed.
    pub song: Option<(&'a Advice, usize)>,
    /// Name of the reference.
    pub reference: Option<&'a str>,
    /// Name of the model.
    pub model: &'a str,
    /// Where it ran; may be empty.
    pub device: &'a str,
    /// K-weighted level of each stem against the rest in LU; none for an absent stem.
    pub levels_lu: PerStem<Option<f32>>,
    /// The usual range of each stem in LU.
    pub usual_lu: PerStem<(f32, f32)>,
    /// The windows, by position.
    pub rows: Vec<Row<'a>>,
}

impl Report<'_> {
    /// The report as Markdown.
    pub fn markdown(&self) -> String {
        let mut text = String::from("# MixingBuddy: mix balance\n\n");
        // Writing into a string cannot fail.
        if let Some(name) = self.name {
            let _ = writeln!(text, "File: {}.\n", cell(name));
        }
        let _ = match self.song {
            Some((advice, windows)) => {
                writeln!(text, "**The song** ({windows} windows): {}\n", one_line(&advice.text))
            }
            None => writeln!(text, "The song has not been analyzed yet.\n"),
        };
        if let Some(reference) = self.reference {
            let _ = writeln!(text, "Reference: {}.\n", one_line(reference));
        }
        let _ = writeln!(text, "Model: {} on {}.\n", self.model, self.device);
        text.push_str("| stem | level against the rest (LU) | usual range (LU) |\n| --- | --- | --- |\n");
        for stem in Stem::ALL {
            let level = self.levels_lu[stem].map_or("absent".to_string(), |level| format!("{level:+.1}"));
            let (low, high) = self.usual_lu[stem];
            let _ = writeln!(text, "| {stem} | {level} | {low:+.1} to {high:+.1} |");
        }
        text.push_str("\n## Timeline\n\n| from | to | confidence | advice |\n| --- | --- | --- | --- |\n");
        for row in &self.rows {
            let _ = writeln!(
                text,
                "| {} | {} | {:.0} % | {}{} |",
                clock::text(row.start_s),
                clock::text(row.end_s),
                100.0 * row.advice.confidence,
                cell(&row.advice.text),
                row.remark,
            );
        }
        text
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Text that stays within its cell.
fn cell(text: &str) -> String {
    one_line(text).replace('|', "\\|")
}
