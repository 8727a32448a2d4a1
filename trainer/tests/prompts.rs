//! Questions in wordings that the model was not trained on.

use mixing_buddy_core::bundle::SHIPPED_BUNDLE;
use mixing_buddy_core::encoder::StemReading;
use mixing_buddy_core::{Analysis, CancelFlag, Engine, PerStem, Request};
use mixing_buddy_trainer::text::Templates;
use std::path::Path;

/// At least this share of the held-out wordings is understood.
const LEAST_SHARE: f64 = 0.8;

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
    eprintln!("{right} of {total} held-out wordings understood; missed: {missed:#?}");
    assert!(total >= 50 && right as f64 >= LEAST_SHARE * total as f64, "{right} of {total}: {missed:#?}");
}
