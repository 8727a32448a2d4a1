//! What is judged and on which scale, as a prompt, and the numbers of the answer.

use crate::evaluation::words::Item;
use mixing_buddy_core::norms::NormsSummary;
use serde::{Deserialize, Serialize};
use std::fmt::Write;

/// A criterion, with its name in JSON and what the ends and the middle of its scale mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Criterion {
    /// Name in JSON.
    pub name: &'static str,
    /// What it asks.
    pub question: &'static str,
    /// What 1, 3 and 5 mean.
    pub anchors: [&'static str; 3],
}

/// The criteria, in the order of [`Ratings`].
pub const CRITERIA: [Criterion; 4] = [
    Criterion {
        name: "effectiveness",
        question: "Would the mix be better balanced if the engineer did what the advice says?",
        anchors: ["clearly worse", "no difference", "clearly better"],
    },
    Criterion {
        name: "actionability",
        question: "Does the advice name what to change, in which direction and by how much?",
        anchors: [
            "nothing to act on",
            "one of the three is missing",
            "stem, direction and amount are named, or a clear 'change nothing'",
        ],
    },
    Criterion {
        name: "conventions",
        question: "Does the result agree with how mixes of this kind are usually balanced?",
        anchors: ["far from usual", "unusual, but possible", "usual"],
    },
    Criterion {
        name: "faithfulness",
        question: "Does the advice agree with the measured levels?",
        anchors: ["contradicts them", "neither supported nor contradicted", "follows from them"],
    },
];

/// The ratings of one advice, 1 to 5 each, in the order of [`CRITERIA`].
pub type Ratings = [u8; CRITERIA.len()];

/// The mean of the ratings.
pub fn mean_rating(ratings: &Ratings) -> f64 {
    ratings.iter().map(|rating| f64::from(*rating)).sum::<f64>() / ratings.len() as f64
}

/// Lowest and highest rating.
pub const SCALE: std::ops::RangeInclusive<u8> = 1..=5;

/// A prompt in the two parts of a chat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prompt {
    /// Who the judge is, the rubric, and the form of the answer.
    pub system: String,
    /// The case.
    pub user: String,
}

/// The prompt for one advice on an item.
pub fn prompt(item: &Item, advice: &str) -> Prompt {
    let mut system = String::from(
        "You are an experienced mixing engineer who judges advice on the balance of a mix. Rate the advice on four \
         scales from 1 to 5.\n",
    );
    for Criterion { name, question, anchors: [low, middle, high] } in CRITERIA {
        // Writing to a string cannot fail.
        _ = writeln!(system, "- {name}: {question} 1 = {low}; 3 = {middle}; 5 = {high}.");
    }
    let names: Vec<String> = CRITERIA.iter().map(|criterion| format!("\"{}\": n", criterion.name)).collect();
    _ = write!(
        system,
        "Judge only what the advice says, not how it is worded. Answer with one line of JSON and nothing else: {{{}}}",
        names.join(", ")
    );
    let usual = &NormsSummary::shipped().usual;
    let mut user = String::from("Ten seconds of a song. Level of each stem against the rest of the mix:\n");
    for (stem, level) in item.levels_db.iter() {
        let usual = usual[stem];
        _ = writeln!(
            user,
            "- {stem}: {level:+.1} dB (in released songs usually {:+.1} dB, four in five between {:+.1} and {:+.1})",
            usual.mean_db, usual.p10_db, usual.p90_db
        );
    }
    if let Some(anchor) = item.anchor {
        _ = writeln!(user, "The engineer says that the level of the {} is right.", anchor.name());
    }
    _ = write!(user, "The engineer asks: {}\nThe advice: {}", item.question, advice.trim());
    Prompt { system, user }
}

/// The ratings in an answer: the last JSON object in it that has all four as whole numbers from 1 to 5.
///
/// # Errors
/// A sentence, when there is none.
pub fn parse_ratings(answer: &str) -> Result<Ratings, String> {
    let mut fault = "it holds no JSON object".to_string();
    for (start, _) in answer.match_indices('{').collect::<Vec<_>>().into_iter().rev() {
        let mut values =
            serde_json::Deserializer::from_str(&answer[start..]).into_iter::<serde_json::Value>();
        let Some(Ok(serde_json::Value::Object(object))) = values.next() else { continue };
        match ratings_of(&object) {
            Ok(ratings) => return Ok(ratings),
            Err(reason) => fault = reason,
        }
    }
    Err(fault)
}

fn ratings_of(object: &serde_json::Map<String, serde_json::Value>) -> Result<Ratings, String> {
    let mut ratings = [0; CRITERIA.len()];
    for (rating, Criterion { name, .. }) in ratings.iter_mut().zip(CRITERIA) {
        let value = object.get(name).ok_or_else(|| format!("'{name}' is missing"))?;
        let number = value.as_f64().filter(|number| number.fract() == 0.0).map(|number| number as i64);
        *rating = number
            .and_then(|number| u8::try_from(number).ok())
            .filter(|number| SCALE.contains(number))
            .ok_or_else(|| format!("'{name}' is {value}, not a whole number from 1 to 5"))?;
    }
    Ok(ratings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratings_are_found_in_what_judges_write_around_them_and_nonsense_is_refused() {
        let good = r#"{"effectiveness": 4, "actionability": 5, "conventions": 3, "faithfulness": 2}"#;
        assert_eq!(parse_ratings(good), Ok([4, 5, 3, 2]));
        assert_eq!(
            parse_ratings(&format!("Let me think {{hm}}.\n```json\n{good}\n```\nDone.")),
            Ok([4, 5, 3, 2])
        );
        assert_eq!(parse_ratings(&good.replace("2}", "2.0}")), Ok([4, 5, 3, 2]));
        assert_eq!(parse_ratings(&format!(r#"{{"ratings": {good}}}"#)), Ok([4, 5, 3, 2]));
        for bad in [
            "",
            "five",
            "{",
            &good.replace("4,", "6,"),
            &good.replace("4,", "0,"),
            &good.replace("4,", "3.5,"),
            &good.replace("4,", "\"good\","),
            &good.replace("conventions", "convention"),
        ] {
            assert!(parse_ratings(bad).is_err(), "{bad}");
        }
    }
}
