//! Texts that a project can contain, and what the plugin makes of them.
#![allow(clippy::unwrap_used)]

use mixing_buddy::settings::{Look, PanelSettings, Theme};
use mixing_buddy::state::{Loaded, ProjectState, STATE_VERSION, Saved};
use mixing_buddy::view::{Choices, Mark, Reference};
use mixing_buddy_core::decoder::ReferenceBalance;
use mixing_buddy_core::{Advice, AdviceKind, BestAnswer, PerStem, Stem, Verdict};
use nice_plug::prelude::Params;
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
        levels_lu: PerStem::all(Some(-4.0))
            .with(Stem::Vocals, Some(-1.0))
            .with(Stem::Drums, None)
            .with(Stem::Bass, Some(-9.5)),
        text: "The vocals are \"too\" loud.\nLower them.".into(),
    };
    Saved {
        choices: Choices {
            anchor: Some(Stem::Drums),
            stems: Some(PerStem::all(true).with(Stem::Bass, false)),
            model_path: Some("/models/mine.mixbuddy".into()),
        },
        reference: Some(Reference {
            name: "Pinned at 1:20".into(),
            balance: ReferenceBalance::of_levels(PerStem { vocals: Some(-5.0), ..PerStem::default() }),
            levels_lu: PerStem { vocals: Some(-4.0), ..PerStem::default() },
            windows: 3,
            songs: 0,
            choices: Vec::new(),
        }),
        history: vec![Mark {
            start_s: 2.5,
            end_s: 12.5,
            order: 7,
            current: true,
            pass: 2,
            followed: None,
            advice,
        }],
        ..Saved::default()
    }
}

fn loaded(project: &ProjectState) -> Result<Saved, String> {
    match project.take_loaded() {
        Some(Loaded::Saved(saved)) => Ok((*saved).clone()),
        Some(Loaded::Unusable(sentence)) => Err(sentence),
        None => panic!("nothing was loaded"),
    }
}

#[test]
fn everything_saved_is_restored() {
    let project = ProjectState::default();
    project.publish(saved());
    project.set_panel(PanelSettings { size_pt: (1000.0, 700.0), ..PanelSettings::default() });
    let other = ProjectState::default();
    other.load_text(&project.to_text());
    assert_eq!(loaded(&other), Ok(saved()));
    assert_eq!(other.panel().size_pt, (1000.0, 700.0));
    assert_eq!(other.to_text(), project.to_text());
}

#[test]
fn a_loaded_state_is_not_overwritten_before_the_worker_has_taken_it() {
    let project = ProjectState::default();
    let donor = ProjectState::default();
    donor.publish(saved());
    project.load_text(&donor.to_text());
    project.publish(Saved::default());
    assert_eq!(*project.current(), saved());
    assert_eq!(loaded(&project), Ok(saved()));
    project.publish(Saved::default());
    assert_eq!(*project.current(), Saved::default());
}

#[test]
fn an_older_state_is_migrated_and_unknown_fields_are_ignored() {
    let project = ProjectState::default();
    project.load_text(r#"{"choices": {"anchor": "bass"}, "colour": "mauve"}"#);
    let saved = loaded(&project).unwrap();
    assert_eq!((saved.version, saved.choices.anchor), (STATE_VERSION, Some(Stem::Bass)));
    assert_eq!(project.panel(), PanelSettings::default());
}

#[test]
fn a_newer_state_is_kept_until_something_changes() {
    let text = r#"{"version": 99, "choices": {"anchor": ["several", "now"]}}"#;
    let project = ProjectState::default();
    project.load_text(text);
    assert!(loaded(&project).unwrap_err().contains("newer version of MixingBuddy"));
    assert_eq!(project.to_text(), text);
    project.publish(Saved::default());
    assert_eq!(project.to_text(), text, "the defaults are not a change");
    project.publish(saved());
    assert_ne!(project.to_text(), text);
}

#[test]
fn garbage_leads_to_defaults_and_a_message() {
    let mut cut = String::new();
    let donor = ProjectState::default();
    donor.publish(saved());
    let whole = donor.to_text();
    cut.push_str(&whole[..whole.len() / 2]);
    let huge = format!("{{\"choices\": \"{}\"}}", "x".repeat(100 << 20));
    let deep = "[".repeat(1_000_000);
    let not_finite = whole.replace("-5.0", "1e999");
    for text in ["", "null", "7", "\u{0}\u{1}", "{\"version\": -1}", &cut, &huge, &deep, &not_finite] {
        let project = ProjectState::default();
        project.load_text(text);
        let sentence = loaded(&project).unwrap_err();
        assert!(sentence.contains("Defaults are in use"), "{sentence}");
        assert_eq!(*project.current(), Saved::default());
    }
}

#[test]
fn an_impossible_panel_size_is_corrected() {
    let project = ProjectState::default();
    project.load_text(
        r#"{"panel": {"size_pt": [1e9, -5.0], "look": {"theme": "light", "scale_percent": 9000}}}"#,
    );
    assert!(loaded(&project).is_ok());
    assert_eq!(project.panel().size_pt, (8000.0, 320.0));
    assert_eq!(project.panel().look.scale(), 2.0);
}

/// The state of a project that version 0.5.0 saved through CLAP, without the length in front. It has two windows, a
/// song, a reference, an anchor, stems, and a light panel.
const STATE_0_5_0: &str = include_str!("fixtures/state_0_5_0.json");

#[test]
fn a_project_saved_with_0_5_0_is_restored() {
    let state: serde_json::Value = serde_json::from_str(STATE_0_5_0).unwrap();
    let fields = state["fields"].as_object().unwrap();
    let fields = fields.iter().map(|(key, text)| (key.clone(), text.as_str().unwrap().to_string())).collect();
    let project = ProjectState::default();
    project.deserialize_fields(&fields);
    let saved = loaded(&project).unwrap();
    assert_eq!(saved.choices.anchor, Some(Stem::Drums));
    assert_eq!(saved.choices.stems, Some(PerStem::all(true).with(Stem::Other, false)));
    let reference = saved.reference.unwrap();
    assert_eq!((reference.name.as_str(), reference.windows), ("Pinned at 1:20", 3));
    assert_eq!(reference.balance.level_db[Stem::Bass], Some(-7.0));
    assert_eq!(reference.levels_lu[Stem::Bass], Some(-9.75));
    let windows: Vec<_> =
        saved.history.iter().map(|mark| (mark.start_s, mark.advice.stem, mark.advice.gain_db)).collect();
    assert_eq!(windows, [(60.0, Some(Stem::Bass), Some(-5.0)), (70.0, Some(Stem::Vocals), Some(4.5))]);
    assert_eq!(saved.history[0].advice.kind, AdviceKind::Balance);
    let song = saved.song.unwrap();
    assert_eq!((song.windows, song.advice.stem, song.advice.gain_db), (2, Some(Stem::Bass), Some(-4.5)));
    assert!(song.advice.text.starts_with("The bass leaves a touch less room"));
    assert_eq!(song.reading[Stem::Bass].level_db, -3.635_323_3);
    let look = Look { theme: Theme::Light, scale_percent: 125 };
    assert_eq!(project.panel(), PanelSettings { look, size_pt: (900.0, 640.0) });
}

proptest! {
    #[test]
    fn a_damaged_text_never_panics_and_can_be_saved_again(at in 0usize..2000, byte in any::<u8>()) {
        let donor = ProjectState::default();
        donor.publish(saved());
        let mut bytes = donor.to_text().into_bytes();
        let index = at % bytes.len();
        bytes[index] = byte;
        let project = ProjectState::default();
        project.load_text(&String::from_utf8_lossy(&bytes));
        let _ = loaded(&project);
        prop_assert!(!project.to_text().is_empty());
    }
}

#[test]
fn what_the_user_changes_is_counted_and_advice_is_not() {
    let project = ProjectState::default();
    project.publish(Saved { history: saved().history, ..Saved::default() });
    assert_eq!(project.changes(), 0);
    project.publish(saved());
    assert_eq!(project.changes(), 1);
    project.publish(Saved { history: Vec::new(), ..saved() });
    assert_eq!(project.changes(), 1);
    project.publish(Saved { reference: None, ..saved() });
    assert_eq!(project.changes(), 2);
    project.load_text(&project.to_text());
    assert_eq!(project.changes(), 2, "what the host loads is no change of the user's");
}
