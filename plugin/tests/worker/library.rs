//! The library of references, and the comparison of passes.

use crate::common::{Bench, Fake};
use crate::{LOUD, SOFT, errors, write_wav};
use mixing_buddy::library::LibraryCommand;
use mixing_buddy::view::{Command, Undoable};
use mixing_buddy_core::Stem;
use mixing_buddy_core::passes::{Change, Outcome};
use mixing_buddy_core::profile::{Choice, Part};

fn send(bench: &mut Bench, command: LibraryCommand) {
    bench.session.command(Command::Library(command));
}

#[test]
fn a_folder_becomes_a_group_that_is_aimed_at_and_measured_once() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("Favourites");
    std::fs::create_dir(&folder).unwrap();
    for (name, seconds) in [("a.wav", 11.0), ("b.wav", 21.0), ("short.wav", 1.0)] {
        write_wav(&folder.join(name), seconds);
    }
    let fake = Fake::new([]);
    let mut bench = Bench::new([fake.clone()]);
    bench.settle();
    send(&mut bench, LibraryCommand::Measure(vec![folder.clone()]));
    assert_eq!(bench.session.view().library.measuring.as_ref().unwrap().of, 3);
    let view = bench.settle();
    assert!(view.library.measuring.is_none());
    assert!(errors(&bench)[0].contains("short.wav"), "{:?}", errors(&bench));
    let listing = view.library.listing.clone().unwrap();
    assert_eq!(listing.songs.iter().map(|song| song.name.as_str()).collect::<Vec<_>>(), ["a.wav", "b.wav"]);
    let reference = view.reference.clone().unwrap();
    assert_eq!((reference.name.as_str(), reference.songs), ("Favourites", 2));
    assert_eq!(reference.choices, [Choice { part: Part::Group("Favourites".into()), weight: 1.0 }]);
    assert_eq!(view.undo, Some(Undoable::Reference));

    let analyzed = fake.analyzed();
    send(&mut bench, LibraryCommand::Measure(vec![folder.join("a.wav"), folder.join("b.wav")]));
    bench.settle();
    assert_eq!(fake.analyzed(), analyzed, "the same model measures a song once");

    // Another instance has no library, and the project brings what it uses.
    let text = bench.params.project.to_text();
    let mut other = Bench::new([Fake::new([])]);
    other.settle();
    other.params.project.load_text(&text);
    assert_eq!(other.settle().reference, Some(reference));
    send(&mut other, LibraryCommand::Read);
    assert_eq!(other.settle().library.listing.as_ref().unwrap().songs.len(), 0);
}

#[test]
fn songs_are_aimed_at_undone_and_missed() {
    let dir = tempfile::tempdir().unwrap();
    let song = dir.path().join("song.wav");
    write_wav(&song, 11.0);
    let mut bench = Bench::new([Fake::new([])]);
    bench.settle();
    send(&mut bench, LibraryCommand::Measure(vec![song]));
    let view = bench.settle();
    assert_eq!(view.reference.as_ref().unwrap().name, "song.wav");
    assert!(view.library.listing.as_ref().unwrap().groups.is_empty(), "one song is no group");
    send(&mut bench, LibraryCommand::Aim(Vec::new()));
    assert!(bench.settle().reference.is_none());
    bench.session.command(Command::Undo);
    assert!(bench.settle().reference.is_some());
    send(&mut bench, LibraryCommand::Aim(vec![Choice { part: Part::Group("gone".into()), weight: 1.0 }]));
    assert!(bench.settle().notices.last().unwrap().text.contains("not in the library any more"));
}

#[test]
fn measuring_can_be_stopped_and_keeps_what_is_measured() {
    let dir = tempfile::tempdir().unwrap();
    let songs: Vec<_> = (0..4).map(|n| dir.path().join(format!("{n}.wav"))).collect();
    for (n, song) in songs.iter().enumerate() {
        write_wav(song, 11.0 + n as f64);
    }
    let mut bench = Bench::new([Fake::new([])]);
    bench.settle();
    send(&mut bench, LibraryCommand::Measure(songs));
    while bench.session.view().library.measuring.as_ref().is_some_and(|measuring| measuring.number < 3) {
        bench.session.step();
    }
    send(&mut bench, LibraryCommand::Cancel);
    let view = bench.settle();
    assert!(view.library.measuring.is_none() && view.reference.is_none());
    assert!(view.library.listing.as_ref().unwrap().songs.len() >= 2);
}

#[test]
fn a_change_between_passes_is_told_and_older_windows_no_longer_count() {
    let mut bench = Bench::new([Fake::new([])]);
    bench.play_and_step(20, LOUD);
    assert!(bench.settle().since.is_none());
    bench.seek(0.0);
    let view = bench.play_and_step(20, LOUD);
    assert!(matches!(view.since.as_ref().unwrap().change, Change::Nothing { .. }), "{:?}", view.since);
    assert!(view.history.iter().all(|mark| mark.current && mark.pass == 2));
    // The fake model reads all stems louder by as much, which no single fader explains.
    bench.seek(0.0);
    let view = bench.play_and_step(10, SOFT);
    let since = view.since.clone().unwrap();
    assert!(!matches!(since.change, Change::Nothing { .. } | Change::Moved(_)), "{since:?}");
    assert!(view.history.iter().all(|mark| mark.followed.is_none_or(|f| f.outcome != Outcome::Done)));
    bench.session.command(Command::StartOver);
    assert!(bench.settle().since.is_none());
}

#[test]
fn a_move_that_the_advice_asked_for_is_confirmed() {
    let fake = Fake::new([]);
    let mut bench = Bench::new([fake.clone()]);
    // The fake model asks for vocals 4 dB lower.
    bench.play_and_step(30, LOUD);
    bench.tap.stop();
    bench.settle();
    *fake.vocals_db.lock().unwrap() = -3.5;
    bench.seek(0.0);
    bench.play_and_step(20, LOUD);
    bench.tap.stop();
    let view = bench.settle();
    let since = view.since.clone().unwrap();
    let Change::Moved(moved) = since.change else { panic!("{since:?}") };
    assert_eq!(moved.stem, Stem::Vocals);
    assert!((moved.gain_db + 3.5).abs() < 0.15, "{moved:?}");
    assert_eq!(since.followed.unwrap().outcome, Outcome::Done);
    assert!(since.places >= 3 && since.standing.is_some(), "{since:?}");
    let (new, old): (Vec<_>, Vec<_>) = view.history.iter().partition(|mark| mark.pass == 2);
    assert!(new.iter().all(|mark| mark.current));
    assert!(!old.is_empty() && old.iter().all(|mark| !mark.current), "they are from before the move");
    assert!(view.history.iter().all(|mark| mark.followed.unwrap().outcome == Outcome::Done));
    assert_eq!(view.song.as_ref().unwrap().windows, new.len(), "only windows since the move count");
}
