//! The table of a comparison: a row per variant, a cell per figure.

use super::answers::Named;
use super::cell::Cell;
use crate::files;
use anyhow::Result;
use mixing_buddy_core::Stem;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// What is measured of a variant on held-out songs.
#[derive(Clone, Debug, Serialize)]
pub enum Measured {
    /// Of an encoder or a probe: median absolute error of the level against the rest in dB, per stem.
    #[serde(rename = "meter_mad_db")]
    Meter(BTreeMap<Stem, Cell>),
    /// Of an advisor: share of right answers (stem and direction), by what the question names.
    #[serde(rename = "right")]
    Right(BTreeMap<Named, Cell>),
}

/// The figures of one variant.
#[derive(Clone, Debug, Serialize)]
pub struct VariantFigures {
    /// Its name.
    pub name: String,
    /// What was measured.
    #[serde(flatten)]
    pub measured: Measured,
    /// Songs measured on.
    pub songs: usize,
    /// Mixes measured on.
    pub mixes: usize,
}

/// Writes `ablation.json` and `ablation.md` into `out`.
pub(super) fn write(table: &[VariantFigures], out: &Path) -> Result<()> {
    files::replace(&out.join("ablation.json"), serde_json::to_string_pretty(table)? + "\n")?;
    files::replace(&out.join("ablation.md"), markdown(table))
}

fn markdown(table: &[VariantFigures]) -> String {
    let titles: Vec<String> = match table.first().map(|row| &row.measured) {
        Some(Measured::Right(_)) => Named::ALL.iter().map(|named| named.title().into()).collect(),
        _ => Stem::ALL.iter().map(Stem::to_string).collect(),
    };
    let mut text =
        format!("| variant | {} |\n| --- |{}\n", titles.join(" | "), " --- |".repeat(titles.len()));
    for row in table {
        let cells: Vec<String> = match &row.measured {
            Measured::Meter(errors) => Stem::ALL.map(|stem| cell(errors.get(&stem), 1.0, 2)).to_vec(),
            Measured::Right(shares) => Named::ALL.map(|named| cell(shares.get(&named), 100.0, 1)).to_vec(),
        };
        text += &format!("| {} |{} |\n", row.name, cells.join(" |"));
    }
    text
}

fn cell(cell: Option<&Cell>, scale: f64, places: usize) -> String {
    let number = |value: f64| format!("{:.places$}", value * scale);
    match cell {
        Some((value, Some([low, high]))) => {
            format!(" {} ({} to {})", number(*value), number(*low), number(*high))
        }
        Some((value, None)) => format!(" {}", number(*value)),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_have_decibels_of_encoders_and_percent_of_advisors() {
        let row = |measured: Measured| VariantFigures { name: "x".into(), measured, songs: 3, mixes: 9 };
        let meter = Measured::Meter([(Stem::Bass, (1.234, Some([1.0, 2.0])))].into());
        let text = markdown(&[row(meter)]);
        assert!(text.contains("| variant | vocals | drums | bass | other |"), "{text}");
        assert!(text.ends_with("| x | | | 1.23 (1.00 to 2.00) | |\n"), "{text}");
        let right = Measured::Right([(Named::Reference, (0.701, Some([0.6512, 0.75])))].into());
        let text = markdown(&[row(right.clone())]);
        assert!(text.ends_with("| x | | 70.1 (65.1 to 75.0) | |\n"), "{text}");
        let json = serde_json::to_value(row(right)).unwrap();
        assert_eq!(json["right"]["reference"][0], 0.701);
    }
}
