//! Reads what the study's page wrote.

use super::make::Key;
use anyhow::{Context, Result, bail, ensure};
use mixing_buddy_core::hash::fnv1a;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Version of the ratings' JSON.
pub const RATINGS_FORMAT: u32 = 1;

/// The scales: name in JSON, the question, and what its ends mean.
pub const SCALES: [(&str, &str, &str, &str); 5] = [
    (
        "effectiveness",
        "If you did what the advice says, would the mix be better balanced?",
        "clearly worse",
        "clearly better",
    ),
    (
        "actionability",
        "Is it clear what to change, in which direction and by how much?",
        "not at all",
        "completely",
    ),
    (
        "conventions",
        "Would the result agree with how mixes of this kind are usually balanced?",
        "far from it",
        "completely",
    ),
    ("usefulness", "Would this advice help you in your work?", "not at all", "very much"),
    ("musicality", "Does the advice serve the music?", "not at all", "very much"),
];

/// Lowest and highest rating.
const SCALE: std::ops::RangeInclusive<u8> = 1..=5;

/// A ratings file as the page writes it.
#[derive(Debug, Serialize, Deserialize)]
struct Sealed {
    format: u32,
    study: String,
    /// JSON of [`RatingsFile`], as text.
    body: String,
    /// FNV-1a of study, a line break and `body`, in hexadecimal.
    check: String,
}

/// What a rater says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RatingsFile {
    /// The rater.
    pub rater: Rater,
    /// The ratings, in the order in which they were given.
    pub answers: Vec<AdviceRating>,
}

/// A rater.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rater {
    /// A random number in hexadecimal: no name.
    pub id: String,
    /// Years of mixing.
    pub years: f64,
    /// What the rater does with mixes, in the page's words.
    pub role: String,
    /// Headphones or loudspeakers, in the page's words.
    pub monitoring: String,
}

/// The ratings of one advice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AdviceRating {
    /// The blinded code of the advice.
    pub code: String,
    /// Whether the advice was shown for the second time.
    pub repeated: bool,
    /// Ratings by scale, 1 to 5.
    pub scales: BTreeMap<String, u8>,
    /// "before", "after" or "same": which mix is better; none where the advice changes nothing.
    pub preferred: Option<String>,
    /// The rater's words.
    #[serde(default)]
    pub comment: String,
}

fn check_of(study: &str, body: &str) -> String {
    format!("{:016x}", fnv1a(study.bytes().chain([b'\n']).chain(body.bytes())))
}

/// Seals ratings as the page does.
///
/// # Errors
/// Never in practice: the ratings are plain data.
pub fn seal(study: &str, ratings: &RatingsFile) -> Result<String> {
    let body = serde_json::to_string(ratings)?;
    let check = check_of(study, &body);
    Ok(serde_json::to_string(&Sealed { format: RATINGS_FORMAT, study: study.into(), body, check })?)
}

/// Reads a ratings file of the study of `key`.
///
/// # Errors
/// When it is not one, is one of another study, was edited, or has ratings that the page cannot give.
pub fn read_ratings(path: &Path, key: &Key) -> Result<RatingsFile> {
    let name = path.display();
    let bytes = std::fs::read(path).with_context(|| format!("{name} cannot be read"))?;
    let sealed: Sealed =
        serde_json::from_slice(&bytes).with_context(|| format!("{name} is not a ratings file of a study"))?;
    ensure!(
        sealed.format == RATINGS_FORMAT,
        "{name} has format {}, {RATINGS_FORMAT} is needed",
        sealed.format
    );
    ensure!(
        sealed.study == key.study,
        "{name} is of another study ('{}', and the key is of '{}')",
        sealed.study,
        key.study
    );
    ensure!(
        sealed.check == check_of(&sealed.study, &sealed.body),
        "{name} was edited after the page wrote it: its check sum does not fit"
    );
    let ratings: RatingsFile =
        serde_json::from_str(&sealed.body).with_context(|| format!("{name} is damaged"))?;
    let mut seen = BTreeSet::new();
    for answer in &ratings.answers {
        let code = &answer.code;
        ensure!(key.advice.contains_key(code), "{name}: the study has no advice '{code}'");
        ensure!(seen.insert((code, answer.repeated)), "{name}: the advice '{code}' is rated twice");
        for (scale, ..) in SCALES {
            let rating = answer.scales.get(scale);
            ensure!(
                rating.is_some_and(|rating| SCALE.contains(rating)),
                "{name}: the advice '{code}' has no rating from 1 to 5 for {scale}"
            );
        }
        if let Some(preferred) = &answer.preferred
            && !["before", "after", "same"].contains(&preferred.as_str())
        {
            bail!("{name}: '{preferred}' is none of the answers to which mix is better");
        }
    }
    Ok(ratings)
}
