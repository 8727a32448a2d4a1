//! The song so far: questions, starting over, saving, the report.

use crate::common::{Bench, Fake};
use crate::{LOUD, SOFT};
use mixing_buddy::view::Command;
use mixing_buddy_core::Stem;
use std::sync::atomic::Ordering;

#[test]
fn a_question_is_answered_from_the_last_windows() {
    let mut bench = Bench::new([Fake::new([])]);
    bench.session.command(Command::Ask("How is my vocal?".into()));
    let view = bench.settle();
    assert!(view.answer.is_none() && view.notices[0].text.contains("Play part of the song"));
    bench.play_and_step(10, LOUD);
    bench.session.command(Command::Ask("How is my vocal?".into()));
    let answered = bench.settle().answer.clone().unwrap();
    assert!(answered.advice.unwrap().text.contains("How is my vocal?"));
}

#[test]
fn a_conversation_begins_while_the_question_is_typed() {
    let fake = Fake::new([]);
    let mut bench = Bench::new([fake.clone()]);
    let begun = || fake.begun.load(Ordering::SeqCst);
    bench.session.command(Command::WillAsk);
    assert!(bench.settle().notices.is_empty(), "nobody has asked yet");
    assert_eq!(begun(), 0, "there is nothing to answer from");
    bench.play_and_step(10, LOUD);
    bench.session.command(Command::WillAsk);
    assert!(bench.settle().answer.is_none());
    assert_eq!(begun(), 1);
    bench.session.command(Command::Ask("How is my vocal?".into()));
    assert!(bench.settle().answer.clone().unwrap().advice.is_some());
    assert_eq!(begun(), 1);
}

#[test]
fn starting_over_keeps_the_marks_and_drops_the_song() {
    let mut bench = Bench::new([Fake::new([])]);
    bench.play_and_step(20, LOUD);
    bench.session.command(Command::StartOver);
    let view = bench.settle();
    assert!(view.history.iter().all(|mark| !mark.current) && view.history.len() == 3);
    assert!(view.song.is_none() && !view.can_pin);
    assert_eq!(view.agreement, (0, 0));
    bench.seek(60.0);
    let view = bench.play_and_step(10, SOFT);
    assert_eq!(view.song.as_ref().unwrap().windows, 1);
    assert_eq!(view.agreement, (1, 1));
}

#[test]
fn a_saved_project_is_restored_and_continues() {
    let mut bench = Bench::new([Fake::new([])]);
    bench.play_and_step(20, LOUD);
    bench.session.command(Command::PinReference);
    bench.session.command(Command::SetAnchor(Some(Stem::Bass)));
    let before = bench.settle();
    let text = bench.params.project.to_text();

    let mut other = Bench::new([Fake::new([])]);
    other.settle();
    other.params.project.load_text(&text);
    assert_eq!(other.params.project.to_text(), text, "a save right after a load gives the same");
    let after = other.settle();
    assert_eq!(after.history, before.history);
    assert_eq!(after.reference, before.reference);
    assert_eq!(after.choices, before.choices);
    assert_eq!(after.song, before.song);
    other.seek(60.0);
    other.play_and_step(10, LOUD);
    other.tap.stop();
    let view = other.settle();
    assert_eq!(view.song.as_ref().unwrap().windows, 4, "the song continues from three windows");
    assert_eq!(view.history.len(), 4);
    assert!(view.history[3].order > view.history[2].order);
}

#[test]
fn a_report_contains_the_timeline() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = Bench::new([Fake::new([])]);
    bench.play_and_step(20, LOUD);
    bench.session.command(Command::SaveReport(dir.path().join("mix.md")));
    let view = bench.settle();
    assert!(view.notices[0].text.contains("mix.html"), "{:?}", view.notices);
    let page = std::fs::read_to_string(dir.path().join("mix.html")).unwrap();
    assert!(page.contains("<h1>mix</h1>") && page.contains("0:05–0:15: Vocals too loud, −4 dB"), "{page}");
    assert!(page.contains("MixingBuddy 0.") && page.contains("fake 1.0 · CPU"), "{page}");
    let markdown = std::fs::read_to_string(dir.path().join("mix.md")).unwrap();
    assert!(markdown.contains("| 0:05 | 0:15 | 80 % | Measured"), "{markdown}");
    let json: serde_json::Value =
        serde_json::from_slice(&std::fs::read(dir.path().join("mix.json")).unwrap()).unwrap();
    assert_eq!(json["timeline"].as_array().unwrap().len(), 3);
    assert_eq!(json["timeline"][1]["start_s"], 5.0);
    assert_eq!(json["song"]["windows"], 3);
    bench.session.command(Command::SaveReport(dir.path().join("no/such/folder/mix")));
    assert!(bench.settle().notices.last().unwrap().is_error);
    let files: Vec<_> = std::fs::read_dir(dir.path()).unwrap().collect();
    assert_eq!(files.len(), 3, "no temporary file is left");
}
