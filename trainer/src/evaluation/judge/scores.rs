//! What the judgements say, and how far they may be believed.

use super::candidates::CandidateKind;
use super::rubric::{CRITERIA, Ratings, mean_rating};
use super::run::Judgement;
use crate::evaluation::agreement::krippendorff_alpha;
use crate::evaluation::bootstrap::{Figure, SongResamples, SongTally};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Share of planted bad advice that must score lower than good advice on the same item before the judge's means are worth
/// reading. Chosen, not tuned: nine in ten.
const BELIEVABLE: f64 = 0.9;
/// Agreement over repeats that is usually asked for (Krippendorff: above 0.8; above 0.667 for tentative conclusions).
const TENTATIVE_ALPHA: f64 = 0.667;

/// The ratings of one kind of advice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KindScores {
    /// The kind.
    pub kind: CandidateKind,
    /// Judgements that could be read.
    pub judgements: usize,
    /// Mean rating per criterion, by name.
    pub criteria: BTreeMap<String, Figure>,
    /// Mean over criteria.
    pub mean: Figure,
    /// How often good advice on the same item has a higher mean rating (a tie counts half); for planted advice.
    pub scores_lower: Option<Figure>,
}

/// What a judge says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JudgeReport {
    /// Name of the model.
    pub judge: String,
    /// Number of items.
    pub items: usize,
    /// Number of their songs.
    pub songs: usize,
    /// Judgements that were asked for.
    pub judgements: usize,
    /// Those of which no answer could be read.
    pub unreadable: usize,
    /// Ratings by kind of advice.
    pub kinds: Vec<KindScores>,
    /// Krippendorff's alpha of the mean rating over repeats; none without repeats.
    pub alpha_over_repeats: Option<f64>,
    /// How far the judge may be believed, in a sentence.
    pub verdict: String,
}

/// Evaluates judgements.
pub fn judge_report(judge: &str, judgements: &[Judgement], seed: u64, resamples: usize) -> JudgeReport {
    let mut songs: BTreeMap<&str, usize> = BTreeMap::new();
    for judgement in judgements {
        let next = songs.len();
        songs.entry(&judgement.song).or_insert(next);
    }
    let draws = SongResamples::new(songs.len(), resamples, seed);
    let read = || judgements.iter().filter_map(|judgement| Some((judgement, judgement.ratings?)));
    // Mean over repeats of each advice.
    let mut means: BTreeMap<(&str, CandidateKind), Vec<f64>> = BTreeMap::new();
    for (judgement, ratings) in read() {
        means.entry((&judgement.item, judgement.kind)).or_default().push(mean_rating(&ratings));
    }
    let mean_of = |item: &str, kind| means.get(&(item, kind)).map(|values| mean(values));
    let kinds: Vec<KindScores> = CandidateKind::ALL
        .into_iter()
        .map(|kind| {
            let of_kind: Vec<(usize, Ratings)> = read()
                .filter(|(judgement, _)| judgement.kind == kind)
                .map(|(judgement, ratings)| (songs[judgement.song.as_str()], ratings))
                .collect();
            let figure = |value: &dyn Fn(&Ratings) -> f64| {
                let mut tally = SongTally::new(songs.len());
                of_kind.iter().for_each(|(song, ratings)| tally.add(*song, value(ratings), 1.0));
                tally.figure(&draws)
            };
            let lower = || {
                let mut tally = SongTally::new(songs.len());
                let mut items: Vec<(&str, &str)> = judgements
                    .iter()
                    .map(|judgement| (judgement.item.as_str(), judgement.song.as_str()))
                    .collect();
                items.sort_unstable();
                items.dedup();
                for (item, song) in items {
                    let pair = mean_of(item, kind).zip(mean_of(item, CandidateKind::Written));
                    if let Some((bad, good)) = pair {
                        tally.add(songs[song], lower_share(bad, good), 1.0);
                    }
                }
                tally.figure(&draws)
            };
            KindScores {
                kind,
                judgements: of_kind.len(),
                criteria: (CRITERIA.iter().enumerate())
                    .map(|(at, criterion)| {
                        (criterion.name.to_string(), figure(&|ratings| f64::from(ratings[at])))
                    })
                    .collect(),
                mean: figure(&mean_rating),
                scores_lower: kind.is_planted().then(lower),
            }
        })
        .collect();
    let units: Vec<Vec<f64>> = means.values().cloned().collect();
    let alpha = krippendorff_alpha(&units);
    let mut items: Vec<&str> = judgements.iter().map(|judgement| judgement.item.as_str()).collect();
    items.sort_unstable();
    items.dedup();
    JudgeReport {
        judge: judge.to_string(),
        items: items.len(),
        songs: songs.len(),
        judgements: judgements.len(),
        unreadable: judgements.iter().filter(|judgement| judgement.ratings.is_none()).count(),
        verdict: verdict(&kinds, alpha),
        kinds,
        alpha_over_repeats: alpha,
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

fn lower_share(bad: f64, good: f64) -> f64 {
    if bad < good {
        1.0
    } else if bad == good {
        0.5
    } else {
        0.0
    }
}

fn verdict(kinds: &[KindScores], alpha: Option<f64>) -> String {
    let planted = kinds.iter().filter_map(|scores| Some((scores.kind, scores.scores_lower?.value?)));
    let missed: Vec<String> = planted
        .clone()
        .filter(|(_, share)| *share < BELIEVABLE)
        .map(|(kind, share)| format!("{} ({:.0} %)", kind.name(), 100.0 * share))
        .collect();
    let mut sentence = if planted.count() == 0 {
        "No planted advice was judged: nothing is known of this judge.".to_string()
    } else if missed.is_empty() {
        format!(
            "This judge rates planted bad advice lower in at least {:.0} % of the cases, of every kind.",
            100.0 * BELIEVABLE
        )
    } else {
        format!(
            "This judge must not be believed: it rates bad advice lower in too few cases: {}.",
            missed.join(", ")
        )
    };
    sentence += &match alpha {
        None => " Without repeats, its agreement with itself is not known.".to_string(),
        Some(alpha) if alpha < TENTATIVE_ALPHA => {
            format!(" It does not agree with itself (Krippendorff's alpha {alpha:.2}).")
        }
        Some(alpha) => format!(" Its agreement with itself: Krippendorff's alpha {alpha:.2}."),
    };
    sentence
}

impl fmt::Display for JudgeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "Judge {}: {} items of {} songs, {} judgements, {} unreadable; ratings 1 to 5 [95 % interval over songs]\n",
            self.judge, self.items, self.songs, self.judgements, self.unreadable
        )?;
        write!(f, "{:<34}", "advice")?;
        CRITERIA.iter().try_for_each(|criterion| write!(f, "{:>15}", criterion.name))?;
        writeln!(f, "{:>7}{:>16}", "mean", "scores lower")?;
        for scores in &self.kinds {
            write!(f, "{:<34}", scores.kind.name())?;
            let number = |figure: Option<&Figure>| {
                figure.and_then(|figure| figure.value).map_or("-".to_string(), |value| format!("{value:.2}"))
            };
            for criterion in CRITERIA {
                write!(f, "{:>15}", number(scores.criteria.get(criterion.name)))?;
            }
            let lower = scores.scores_lower.and_then(|figure| figure.value);
            let lower = lower.map_or(String::new(), |share| format!("{:.0} %", 100.0 * share));
            writeln!(f, "{:>7}{lower:>16}", number(Some(&scores.mean)))?;
        }
        writeln!(f, "\n{}", self.verdict)
    }
}
