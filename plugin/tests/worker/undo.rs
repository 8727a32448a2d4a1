//! Undo of what the user changes in the panel.

use crate::common::{Bench, Fake};
use crate::{LOUD, SOFT};
use mixing_buddy::view::{Command, Undoable};
use mixing_buddy_core::{PerStem, Stem};

#[test]
fn anchor_stems_and_reference_are_undone_in_turn() {
    let mut bench = Bench::new([Fake::new([])]);
    bench.play_and_step(10, LOUD);
    assert_eq!(bench.view.load().undo, None);
    let stems = PerStem::all(true).with(Stem::Bass, false);
    bench.session.command(Command::SetAnchor(Some(Stem::Drums)));
    bench.session.command(Command::SetStems(Some(stems)));
    bench.session.command(Command::PinReference);
    // What changes nothing is no step.
    bench.session.command(Command::SetAnchor(Some(Stem::Drums)));
    let view = bench.settle();
    assert!(view.reference.is_some() && view.undo == Some(Undoable::Reference));
    bench.session.command(Command::Undo);
    let view = bench.settle();
    assert!(view.reference.is_none() && view.undo == Some(Undoable::Stems));
    assert_eq!(view.choices.stems, Some(stems));
    bench.session.command(Command::Undo);
    let view = bench.settle();
    assert_eq!((view.choices.stems, view.choices.anchor), (None, Some(Stem::Drums)));
    assert_eq!(view.undo, Some(Undoable::Anchor));
    bench.session.command(Command::Undo);
    bench.session.command(Command::Undo);
    let view = bench.settle();
    assert_eq!((view.choices.anchor, view.undo), (None, None));
}

#[test]
fn what_is_undone_is_what_the_project_keeps() {
    let mut bench = Bench::new([Fake::new([])]);
    bench.settle();
    bench.session.command(Command::SetAnchor(Some(Stem::Bass)));
    bench.settle();
    assert_eq!(bench.params.project.current().choices.anchor, Some(Stem::Bass));
    let changes = bench.params.project.changes();
    bench.session.command(Command::Undo);
    bench.settle();
    assert_eq!(bench.params.project.current().choices.anchor, None);
    assert!(bench.params.project.changes() > changes, "the host is told of it");
}

#[test]
fn the_threshold_is_a_step_that_the_panel_takes_back() {
    let mut bench = Bench::new([Fake::new([])]);
    bench.settle();
    bench.session.command(Command::ThresholdWas(0.55));
    assert_eq!(bench.settle().undo, Some(Undoable::Threshold(0.55)));
    bench.session.command(Command::Undo);
    assert_eq!(bench.settle().undo, None);
}

#[test]
fn start_over_is_undone_with_what_was_heard_since() {
    let mut bench = Bench::new([Fake::new([])]);
    let before = bench.play_and_step(20, LOUD);
    let (windows, song) = (before.history.len(), before.song.clone());
    assert!(windows >= 3 && song.is_some());
    bench.session.command(Command::StartOver);
    let view = bench.settle();
    assert!(view.song.is_none() && view.history.iter().all(|mark| !mark.current));
    assert_eq!(view.undo, Some(Undoable::StartOver));
    bench.seek(60.0);
    let since = bench.play_and_step(10, SOFT).history.len() - windows;
    assert!(since >= 1);
    bench.session.command(Command::Undo);
    let view = bench.settle();
    assert_eq!(view.history.len(), windows + since);
    assert!(view.history.iter().all(|mark| mark.current), "all windows count again");
    let song = view.song.as_ref().expect("the song has advice again");
    assert_eq!(song.windows, windows + since, "with what was heard since");
    let orders: Vec<u64> = view.history.iter().map(|mark| mark.order).collect();
    let mut unique = orders.clone();
    unique.dedup();
    assert_eq!(orders, unique, "no number twice");
}

#[test]
fn undo_goes_back_sixteen_steps_and_one_start_over() {
    let mut bench = Bench::new([Fake::new([])]);
    bench.play_and_step(10, LOUD);
    for _ in 0..3 {
        bench.session.command(Command::StartOver);
    }
    for step in 0..20 {
        bench.session.command(Command::ThresholdWas(step as f32 / 20.0));
    }
    for _ in 0..16 {
        assert!(matches!(bench.settle().undo, Some(Undoable::Threshold(_))));
        bench.session.command(Command::Undo);
    }
    assert_eq!(bench.settle().undo, None);
    bench.session.command(Command::StartOver);
    bench.session.command(Command::StartOver);
    bench.session.command(Command::Undo);
    assert_eq!(bench.settle().undo, None);
}
