//! Questions in wordings that the model was not trained on.

use mixing_buddy_core::bundle::SHIPPED_BUNDLE;
use mixing_buddy_core::encoder::StemReading;
use mixing_buddy_core::language::Intent;
use mixing_buddy_core::{Analysis, CancelFlag, Engine, PerStem, Request};
use mixing_buddy_trainer::text::Templates;
use std::path::Path;

/// At least this share of the held-out wordings is understood.
const LEAST_SHARE: f64 = 0.8;
/// The same of questions about a stem that are answered about that stem, and of those out of reach that get a no.
const LEAST_SHARE_OF_STEMS: f64 = 0.95;
const LEAST_SHARE_OF_NOES: f64 = 0.9;

#[test]
fn held_out_wordings_are_understood() {
    let engine = Engine::from_bytes(Path::new("compact"), SHIPPED_BUNDLE, &CancelFlag::new()).unwrap();
    let stem = |level_db: f32| StemReading {
        level_db,
        error_db: 1.5,
        presence: 0.98,
        summary: vec![0.0; engine.info().projector.summary],
    };
    let reading = PerStem { vocals: stem(-5.0), drums: stem(-6.0), bass: stem(-6.0), other: stem(-5.0) };
    let analysis = Analysis { silent: false, reading, levels_lu: PerStem::default() };
    let reference = engine.reference_of(std::slice::from_ref(&analysis));
    let templates = Templates::shipped().unwrap();
    let (mut right, mut total, mut missed) = (0, 0, Vec::new());
    for (intent, wordings) in templates.heldout() {
        for wording in wordings {
            assert!(templates.is_heldout(wording));
            let request = Request { question: wording.clone(), reference, ..Request::default() };
            let generated = engine.generate(&analysis, &request, &CancelFlag::new()).unwrap();
            total += 1;
            if generated.intent() == *intent {
                right += 1;
            } else {
                missed.push(format!("'{wording}' taken for {}", generated.intent().name()));
            }
        }
    }
    // A reply that is about the wrong thing is worse than one that is about everything: most names are found by rule.
    let mut replies = std::collections::BTreeMap::from([("stem", (0, 0)), ("no", (0, 0))]);
    for (intent, wordings) in templates.heldout() {
        for wording in wordings {
            let request = Request { question: wording.clone(), reference, ..Request::default() };
            let topic = engine.reply(&analysis, &request, &CancelFlag::new()).unwrap().topic;
            let (kind, is_right) = match intent {
                Intent::About(stem) => ("stem", topic.asked_stem() == Some(*stem)),
                Intent::Unclear => ("no", topic.is_out_of_reach()),
                Intent::Balance | Intent::Compare => continue,
            };
            eprintln!("{}'{wording}' taken for {topic:?}", if is_right { "" } else { "WRONG: " });
            let count: &mut (i32, i32) = replies.get_mut(kind).unwrap();
            *count = (count.0 + i32::from(is_right), count.1 + 1);
        }
    }
    eprintln!("right replies: {replies:?}");
    for (kind, share) in [("stem", LEAST_SHARE_OF_STEMS), ("no", LEAST_SHARE_OF_NOES)] {
        let (right, total) = replies[kind];
        assert!(f64::from(right) >= share * f64::from(total), "{kind}: {right} of {total}");
    }
    eprintln!("{right} of {total} held-out wordings understood; missed: {missed:#?}");
    assert!(total >= 50 && right as f64 >= LEAST_SHARE * total as f64, "{right} of {total}: {missed:#?}");
}
