//! The advice to judge. Planted bad advice shows whether the judge can be believed: it must score lower.

use crate::evaluation::words::{Item, Truth, written_advice};
use mixing_buddy_core::stem::Stem;
use serde::{Deserialize, Serialize};

/// Where an advice comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CandidateKind {
    /// The model under test.
    Model,
    /// Good advice that we wrote.
    Written,
    /// The same about another stem.
    WrongStem,
    /// The same in the opposite direction.
    WrongDirection,
    /// Advice that says nothing.
    Vague,
    /// Advice that states levels which were not measured.
    ContradictsLevels,
}

impl CandidateKind {
    /// All kinds.
    pub const ALL: [CandidateKind; 6] = [
        CandidateKind::Model,
        CandidateKind::Written,
        CandidateKind::WrongStem,
        CandidateKind::WrongDirection,
        CandidateKind::Vague,
        CandidateKind::ContradictsLevels,
    ];

    /// Whether it is planted bad advice.
    pub const fn is_planted(self) -> bool {
        !matches!(self, CandidateKind::Model | CandidateKind::Written)
    }

    /// Name for a table.
    pub const fn name(self) -> &'static str {
        match self {
            CandidateKind::Model => "the model",
            CandidateKind::Written => "good advice that we wrote",
            CandidateKind::WrongStem => "planted: wrong stem",
            CandidateKind::WrongDirection => "planted: wrong direction",
            CandidateKind::Vague => "planted: vague",
            CandidateKind::ContradictsLevels => "planted: contradicts the levels",
        }
    }
}

/// An advice to judge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Where it comes from.
    pub kind: CandidateKind,
    /// The advice.
    pub text: String,
}

/// The advice to judge on an item. A balanced mix has no direction to be wrong about, so it gets an error in place of
/// "leave it".
pub fn candidates(item: &Item) -> Vec<Candidate> {
    let of = |kind, text: &str| Candidate { kind, text: text.to_string() };
    let first = |truth: Option<Truth>| written_advice(truth).swap_remove(1);
    let mut all = vec![of(CandidateKind::Model, &item.text), of(CandidateKind::Written, &first(item.truth))];
    let not_anchor = |stem: &Stem| Some(*stem) != item.anchor;
    match item.truth {
        Some(truth) => {
            let other = Stem::TARGETS.into_iter().filter(not_anchor).find(|stem| *stem != truth.stem);
            let stem = other.unwrap_or(truth.stem);
            all.push(of(CandidateKind::WrongStem, &first(Some(Truth { stem, ..truth }))));
            let direction = truth.direction.opposite();
            all.push(of(CandidateKind::WrongDirection, &first(Some(Truth { direction, ..truth }))));
        }
        None => {
            let stem = Stem::TARGETS.into_iter().find(not_anchor).unwrap_or(Stem::Vocals);
            let direction = mixing_buddy_core::Direction::Loud;
            let wrong = Truth { stem, direction, gain_db: 9.0 };
            all.push(of(CandidateKind::WrongStem, &first(Some(wrong))));
        }
    }
    all.push(of(CandidateKind::Vague, "It depends on taste. Some parts could perhaps be adjusted a little."));
    let (stem, level) = loudest(item);
    all.push(of(
        CandidateKind::ContradictsLevels,
        &format!(
            "The {stem} measures {:.0} dB under the rest of the mix and can't be heard at all, so raise it by 10 dB.",
            (20.0 - level).max(15.0)
        ),
    ));
    all
}

/// The loudest stem that is no anchor, and its level.
fn loudest(item: &Item) -> (Stem, f64) {
    let stems = item.levels_db.iter().filter(|(stem, _)| stem.is_target() && Some(*stem) != item.anchor);
    stems
        .map(|(stem, level)| (stem, *level))
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .unwrap_or((Stem::Vocals, 0.0))
}
