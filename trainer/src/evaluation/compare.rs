//! Two reports on the same samples: differences with paired intervals over songs.

use super::bootstrap::{FEWEST_SONGS, Figure, SongResamples, percentiles};
use super::report::{AnsweredWindow, REPORT_VERSION};
use super::score::{Figures, Judged, score_once};
use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

/// What a comparison reads of a report.
#[derive(Clone, Debug, Deserialize)]
pub struct ReadReport {
    version: u32,
    protocol: String,
    seed: u64,
    answers: Vec<AnsweredWindow>,
}

impl ReadReport {
    /// Reads a report's file.
    ///
    /// # Errors
    /// When it cannot be read, is not a report, or is one of an earlier version.
    pub fn read(path: &Path) -> Result<ReadReport> {
        let name = path.display();
        let bytes = std::fs::read(path).with_context(|| format!("{name} cannot be read"))?;
        let json: serde_json::Value = serde_json::from_slice(&bytes)
            .with_context(|| format!("{name} is not a report of `evaluate`"))?;
        let version = json["version"].as_u64();
        if version != Some(u64::from(REPORT_VERSION)) {
            let version = version.map_or("no".to_string(), |version| version.to_string());
            bail!(
                "{name} has {version} version of the report, {REPORT_VERSION} is needed: run `evaluate --out` again"
            );
        }
        serde_json::from_value(json).with_context(|| format!("{name} is not a report of `evaluate`"))
    }
}

/// One figure of two reports.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Name of the figure, as in the reports.
    pub name: &'static str,
    /// Its value in the first report.
    pub first: Option<f64>,
    /// Its value in the second report.
    pub second: Option<f64>,
    /// Second minus first, with a 95 % interval over songs that both have.
    pub difference: Figure,
}

/// The comparison of two reports.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// Songs that are in both.
    pub songs: usize,
    /// Samples that are in both.
    pub samples: usize,
    /// Songs that are in one of them only, and were not compared.
    pub songs_left_out: Vec<String>,
    /// All figures.
    pub figures: Vec<Difference>,
}

/// Compares two reports on the songs that both have.
///
/// # Errors
/// When their samples differ: other protocols, seeds or gains; or when no song is in both.
pub fn compare(first: &ReadReport, second: &ReadReport, resamples: usize) -> Result<Comparison> {
    ensure!(
        first.version == second.version && first.protocol == second.protocol,
        "the reports have different protocols ({} and {})",
        first.protocol,
        second.protocol
    );
    ensure!(
        first.seed == second.seed,
        "the reports have different seeds ({} and {}): their samples differ",
        first.seed,
        second.seed
    );
    let [a, b] = [first, second].map(by_song);
    let mut left_out: Vec<String> = a.keys().filter(|song| !b.contains_key(*song)).cloned().collect();
    left_out.extend(b.keys().filter(|song| !a.contains_key(*song)).cloned());
    let (mut in_first, mut in_second, mut songs) = (Vec::new(), Vec::new(), 0);
    for (song, answers) in &a {
        let Some(others) = b.get(song) else { continue };
        let same =
            answers.len() == others.len() && answers.iter().zip(others).all(|(a, b)| same_sample(a, b));
        ensure!(
            same,
            "the reports have different windows or gains of {song}: its sound or the gate has changed"
        );
        let numbered = |judged: &&Judged| Judged { song: songs, ..(**judged).clone() };
        in_first.extend(answers.iter().map(numbered));
        in_second.extend(others.iter().map(numbered));
        songs += 1;
    }
    ensure!(songs > 0, "no song is in both reports");
    let draws = SongResamples::new(songs, resamples, first.seed);
    Ok(Comparison {
        songs,
        samples: in_first.len(),
        songs_left_out: left_out,
        figures: differences(&in_first, &in_second, &draws),
    })
}

fn by_song(report: &ReadReport) -> BTreeMap<String, Vec<&Judged>> {
    let mut songs: BTreeMap<String, Vec<&Judged>> = BTreeMap::new();
    for window in &report.answers {
        songs.entry(window.song.clone()).or_default().extend(&window.samples);
    }
    songs
}

fn same_sample(a: &Judged, b: &Judged) -> bool {
    (a.target, a.category, a.gain_db) == (b.target, b.category, b.gain_db)
}

/// Each figure's difference. Both reports get the same songs in each resample, so that what makes a song hard cancels.
fn differences(first: &[Judged], second: &[Judged], draws: &SongResamples) -> Vec<Difference> {
    let values = |judged: &[Judged]| -> Vec<Vec<(&'static str, Option<f64>)>> {
        let plain = [draws.plain()];
        let weights = plain.iter().chain(draws.draws());
        score_once(judged, weights)
            .map(|figures: Figures| {
                figures.named().into_iter().map(|(name, figure)| (name, figure.value)).collect()
            })
            .collect()
    };
    let [a, b] = [values(first), values(second)];
    let difference = |a: Option<f64>, b: Option<f64>| Some(b? - a?);
    (a[0].iter().enumerate())
        .map(|(at, (name, first))| {
            let second = b[0][at].1;
            let drawn =
                a[1..].iter().zip(&b[1..]).filter_map(|(a, b)| difference(a[at].1, b[at].1)).collect();
            let ci95 = percentiles(drawn, a.len() - 1);
            Difference {
                name,
                first: *first,
                second,
                difference: Figure { value: difference(*first, second), ci95 },
            }
        })
        .collect()
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} songs, {} samples in both; second minus first, [95 % interval, paired over songs]\n",
            self.songs, self.samples
        )?;
        writeln!(f, "{:<24}{:>9}{:>9}{:>12}", "figure", "first", "second", "difference")?;
        let number = |value: Option<f64>| value.map_or("-".to_string(), |value| format!("{value:.3}"));
        for figure in &self.figures {
            let interval = match figure.difference.ci95 {
                Some([low, high]) => format!("  [{low:+.3}, {high:+.3}]"),
                None => String::new(),
            };
            let difference = figure.difference.value.map_or("-".to_string(), |value| format!("{value:+.3}"));
            let (first, second) = (number(figure.first), number(figure.second));
            writeln!(f, "{:<24}{first:>9}{second:>9}{difference:>12}{interval}", figure.name)?;
        }
        if self.songs < FEWEST_SONGS {
            writeln!(f, "\nNo intervals: an interval over songs needs at least two songs, and here is one.")?;
        }
        if !self.songs_left_out.is_empty() {
            writeln!(f, "\nIn one report only, and left out: {}", self.songs_left_out.join(", "))?;
        }
        Ok(())
    }
}
