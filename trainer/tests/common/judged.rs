//! Items with advice to be judged.

use mixing_buddy_core::advice::{BestAnswer, Verdict};
use mixing_buddy_core::stem::{Direction, PerStem, Stem};
use mixing_buddy_trainer::evaluation::words::{Item, Truth};

fn item(number: usize, truth: Option<Truth>) -> Item {
    let best = BestAnswer { verdict: Verdict::Loud, stem: Some(Stem::Bass), gain_db: Some(-4.0) };
    Item {
        id: format!("song {number}/0/1/drums"),
        song: format!("song {number}"),
        window: 0,
        question: "How is the balance of this mix?".into(),
        anchor: Some(Stem::Drums),
        truth,
        // Of each song others, so that no two questions are the same.
        levels_db: PerStem::from_array([-4.0 - number as f64, -6.0, -3.0, -5.0]),
        best: Some(best),
        confidence: 0.7,
        spoken: true,
        right: truth.is_some(),
        wrong_direction: false,
        text: "The bass is a little loud. Lower it by 4 dB.".into(),
    }
}

/// Two flawed mixes and a balanced one.
pub fn items() -> Vec<Item> {
    let truth = Truth { stem: Stem::Bass, direction: Direction::Loud, gain_db: 4.0 };
    vec![item(1, Some(truth)), item(2, Some(Truth { stem: Stem::Vocals, ..truth })), item(3, None)]
}
