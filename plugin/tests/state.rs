//! What comes of texts that a project may hold.
#![allow(clippy::unwrap_used)]

use mixing_buddy::state::{Loaded, Panel, STATE_VERSION, Saved, Session};
use mixing_buddy::view::{Choices, Mark, Reference};
use mixing_buddy_core::decoder::ReferenceBalance;
use mixing_buddy_core::{Advice, AdviceKind, BestAnswer, PerStem, Stem, Verdict};
use proptest::prelude::*;

fn saved() -> Saved {
    let advice = Advice {
        kind: AdviceKind::Balance,
        verdict: Verdict::Loud,
        stem: Some(Stem::Vocals),
        gain_db: Some(-4.0),
        gain_db_sd: Some(1.5),
        confidence: 0.7,
        best: BestAnswer { verdict: Verdict::Loud, stem: Some(Stem::Vocals), gain_db: Some(-4.0) },
        levels_lu: PerStem { vocals: Some(-1.0), drums: None, bass: Some(-9.5), other: Some(-4.0) },
        text: "The vocals are \"too\" loud.\nLower them.".into(),
    };
    Saved {
        choices: Choices {
            anchor: Some(Stem::Drums),
            stems: Some(PerStem { vocals: true, drums: true, bass: false, other: true }),
            model_path: Some("/models/mine.mixbuddy".into()),
        },
        reference: Some(Reference {
            name: "Pinned at 1:20".into(),
            balance: ReferenceBalance { level_db: PerStem { vocals: Some(-5.0), ..PerStem::default() } },
            levels_lu: PerStem { vocals: Some(-4.0), ..PerStem::default() },
            windows: 3,
        }),
        history: vec![Mark { start_s: 2.5, end_s: 12.5, order: 7, current: true, advice }],
        ..Saved::default()
    }
}

fn loaded(session: &Session) -> Result<Saved, String> {
    match session.take_loaded() {
        Some(Loaded::Saved(saved)) => Ok((*saved).clone()),
        Some(Loaded::Unusable(sentence)) => Err(sentence),
        None => panic!("nothing was loaded"),
    }
}

#[test]
fn everything_comes_back() {
    let session = Session::default();
    session.publish(saved());
    session.set_panel(Panel { size_pt: (1000.0, 700.0), ..Panel::default() });
    let other = Session::default();
    other.load_text(&session.to_text());
    assert_eq!(loaded(&other), Ok(saved()));
    assert_eq!(other.panel().size_pt, (1000.0, 700.0));
    assert_eq!(other.to_text(), session.to_text());
}

#[test]
fn a_state_that_waits_to_be_taken_up_is_not_overwritten() {
    let session = Session::default();
    let donor = Session::default();
    donor.publish(saved());
    session.load_text(&donor.to_text());
    session.publish(Saved::default());
    assert_eq!(*session.current(), saved());
    assert_eq!(loaded(&session), Ok(saved()));
    session.publish(Saved::default());
    assert_eq!(*session.current(), Saved::default());
}

#[test]
fn an_older_state_is_migrated_and_unknown_fields_are_ignored() {
    let session = Session::default();
    session.load_text(r#"{"choices": {"anchor": "bass"}, "colour": "mauve"}"#);
    let saved = loaded(&session).unwrap();
    assert_eq!((saved.version, saved.choices.anchor), (STATE_VERSION, Some(Stem::Bass)));
    assert_eq!(session.panel(), Panel::default());
}

#[test]
fn a_newer_state_is_kept_until_something_changes() {
    let text = r#"{"version": 99, "choices": {"anchor": ["several", "now"]}}"#;
    let session = Session::default();
    session.load_text(text);
    assert!(loaded(&session).unwrap_err().contains("newer MixingBuddy"));
    assert_eq!(session.to_text(), text);
    session.publish(Saved::default());
    assert_eq!(session.to_text(), text, "defaults are no change");
    session.publish(saved());
    assert_ne!(session.to_text(), text);
}

#[test]
fn garbage_ends_in_defaults_and_a_sentence() {
    let mut cut = String::new();
    let donor = Session::default();
    donor.publish(saved());
    let whole = donor.to_text();
    cut.push_str(&whole[..whole.len() / 2]);
    let huge = format!("{{\"choices\": \"{}\"}}", "x".repeat(100 << 20));
    let deep = "[".repeat(1_000_000);
    let not_finite = whole.replace("-5.0", "1e999");
    for text in ["", "null", "7", "\u{0}\u{1}", "{\"version\": -1}", &cut, &huge, &deep, &not_finite] {
        let session = Session::default();
        session.load_text(text);
        let sentence = loaded(&session).unwrap_err();
        assert!(sentence.contains("Defaults are in place"), "{sentence}");
        assert_eq!(*session.current(), Saved::default());
    }
}

#[test]
fn an_impossible_panel_is_made_possible() {
    let session = Session::default();
    session.load_text(
        r#"{"panel": {"size_pt": [1e9, -5.0], "look": {"theme": "light", "scale_percent": 9000}}}"#,
    );
    assert!(loaded(&session).is_ok());
    assert_eq!(session.panel().size_pt, (8000.0, 320.0));
    assert_eq!(session.panel().look.scale(), 2.0);
}

proptest! {
    #[test]
    fn no_damage_to_a_text_is_worse_than_a_sentence(at in 0usize..2000, byte in any::<u8>()) {
        let donor = Session::default();
        donor.publish(saved());
        let mut bytes = donor.to_text().into_bytes();
        let index = at % bytes.len();
        bytes[index] = byte;
        let session = Session::default();
        session.load_text(&String::from_utf8_lossy(&bytes));
        let _ = loaded(&session);
        prop_assert!(!session.to_text().is_empty());
    }
}
