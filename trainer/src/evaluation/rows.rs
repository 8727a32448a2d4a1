//! A judged sample as a row of numbers in JSON, so that a report can hold all of them.

use super::score::Judged;
use crate::protocol::Category;
use mixing_buddy_core::advice::{BestAnswer, Verdict};
use mixing_buddy_core::stem::Stem;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The number of the verdict "silence", after those of the categories.
const SILENCE: usize = Category::COUNT;

/// Target, category, gain in dB; stem, verdict and gain of the answer; confidence, whether it is spoken (0 or 1).
///
/// Stems are numbered as vocals, drums, bass, other; categories and verdicts from very quiet to very loud. An answer that
/// cannot be read has no verdict.
type Row = (usize, usize, f64, Option<usize>, Option<usize>, Option<f64>, f64, u8);

/// Rounds a gain to ten thousandths of a dB.
fn rounded(gain_db: f64) -> f64 {
    (gain_db * 1e4).round() / 1e4
}

impl Serialize for Judged {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let verdict =
            |answer: BestAnswer| Category::of_verdict(answer.verdict).map_or(SILENCE, Category::index);
        let row: Row = (
            self.target.index(),
            self.category.index(),
            rounded(self.gain_db),
            self.answer.and_then(|answer| answer.stem).map(Stem::index),
            self.answer.map(verdict),
            self.answer.and_then(|answer| answer.gain_db).map(|gain_db| rounded(f64::from(gain_db))),
            self.confidence,
            u8::from(self.spoken),
        );
        row.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Judged {
    /// The number of its song is not in a row: it is 0.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (target, category, gain_db, stem, verdict, answer_gain_db, confidence, spoken) =
            Row::deserialize(deserializer)?;
        let unknown = |what: &str, number: usize| {
            serde::de::Error::custom(format!("there is no {what} number {number}"))
        };
        let stem_of = |number: usize| Stem::ALL.get(number).copied().ok_or_else(|| unknown("stem", number));
        let category_of =
            |number: usize| Category::ALL.get(number).copied().ok_or_else(|| unknown("category", number));
        let verdict = match verdict {
            None => None,
            Some(SILENCE) => Some(Verdict::Silence),
            Some(number) => Some(category_of(number)?.verdict()),
        };
        let stem = stem.map(stem_of).transpose()?;
        let gain_db = (gain_db, answer_gain_db.map(|gain_db| gain_db as f32));
        Ok(Judged {
            song: 0,
            target: stem_of(target)?,
            category: category_of(category)?,
            gain_db: gain_db.0,
            answer: verdict.map(|verdict| BestAnswer { verdict, stem, gain_db: gain_db.1 }),
            confidence,
            spoken: spoken != 0,
        })
    }
}
