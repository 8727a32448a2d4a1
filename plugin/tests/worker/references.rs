//! References, and the other settings that the model gets with each window.

use crate::common::{Bench, Fake};
use crate::{LOUD, SOFT, errors, write_wav};
use mixing_buddy::params::DEFAULT_CONFIDENCE_THRESHOLD;
use mixing_buddy::view::{Command, Undoable};
use mixing_buddy_core::{PerStem, Stem};
use std::time::{Duration, Instant};

#[test]
fn a_reference_can_be_pinned_cleared_and_restored() {
    let mut bench = Bench::new([Fake::new([])]);
    bench.session.command(Command::PinReference);
    assert!(bench.settle().reference.is_none(), "there is no window to pin yet");
    bench.seek(80.0);
    bench.play_and_step(10, LOUD);
    bench.session.command(Command::PinReference);
    let view = bench.settle();
    let pinned = view.reference.clone().unwrap();
    assert_eq!((pinned.name.as_str(), pinned.windows), ("Pinned at 1:20", 1));
    bench.session.command(Command::ClearReference);
    let view = bench.settle();
    assert!(view.reference.is_none() && view.undo == Some(Undoable::Reference));
    bench.session.command(Command::Undo);
    assert_eq!(bench.settle().reference, Some(pinned));
    bench.session.command(Command::Undo);
    let view = bench.settle();
    assert!(view.reference.is_none() && view.undo.is_none());
}

#[test]
fn a_changed_request_reaches_the_model_and_the_newest_window_gets_new_advice() {
    let fake = Fake::new([]);
    let mut bench = Bench::new([fake.clone()]);
    bench.play_and_step(10, LOUD);
    let before = fake.analyzed();
    bench.session.command(Command::SetAnchor(Some(Stem::Drums)));
    bench.session.command(Command::SetStems(Some(PerStem::all(true).with(Stem::Bass, false))));
    bench.session.command(Command::PinReference);
    bench.settle();
    let last = fake.requests.lock().unwrap().last().cloned().unwrap();
    assert_eq!(last.anchor, Some(Stem::Drums));
    assert_eq!(last.stems.map(|stems| stems.bass), Some(false));
    assert!(last.reference.is_some());
    assert_eq!(last.min_confidence, Some(DEFAULT_CONFIDENCE_THRESHOLD));
    assert_eq!(fake.analyzed(), before, "no window is analyzed again");
    bench.session.command(Command::SetAnchor(Some(Stem::Other)));
    assert_eq!(bench.settle().choices.anchor, None, "advice never names other, so it cannot be an anchor");
}

#[test]
fn a_reference_file_is_measured_while_the_song_plays() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("my reference.wav");
    write_wav(&path, 40.0);
    let mut bench = Bench::new([Fake::new([])]);
    bench.settle();
    bench.session.command(Command::LoadReference(path));
    assert_eq!(bench.session.view().reference_progress, Some(0.0));
    let view = bench.play_and_step(10, SOFT);
    let reference = view.reference.as_ref().unwrap();
    assert_eq!((reference.name.as_str(), reference.windows), ("my reference.wav", 4));
    assert!(view.reference_progress.is_none() && view.undo == Some(Undoable::Reference));
    assert!(view.newest.is_some());
}

#[test]
fn what_a_reference_file_lacks_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cut.wav");
    write_wav(&path, 20.0);
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    // Less than a packet, so that the file is read.
    file.set_len(file.metadata().unwrap().len() - 1000).unwrap();
    let mut bench = Bench::new([Fake::new([])]);
    bench.settle();
    bench.session.command(Command::LoadReference(path));
    let view = bench.settle();
    assert!(view.reference.is_some());
    let [notice] = &view.notices[..] else { panic!("{:?}", view.notices) };
    assert!(!notice.is_error);
    assert!(
        notice.text.contains("cut.wav ends 0.0") && notice.text.contains("is missing"),
        "{}",
        notice.text
    );
}

#[test]
fn files_that_are_not_songs_give_an_error_with_their_name() {
    let dir = tempfile::tempdir().unwrap();
    let text = dir.path().join("lyrics.txt");
    std::fs::write(&text, "la la la").unwrap();
    let short = dir.path().join("short.wav");
    write_wav(&short, 1.0);
    let mut bench = Bench::new([Fake::new([])]);
    bench.settle();
    for path in [text, short, dir.path().to_path_buf(), dir.path().join("gone.flac")] {
        bench.session.command(Command::LoadReference(path.clone()));
        let view = bench.settle();
        let last = view.notices.last().unwrap();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        assert!(last.is_error && last.text.contains(&name), "{last:?}");
        assert!(view.reference.is_none() && view.reference_progress.is_none());
    }
}

#[test]
fn a_file_of_three_hours_is_refused_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tape.wav");
    // A sparse file: a header for three hours of mono at 8 kHz, and as many zeros.
    let bytes = 3 * 3600 * 8_000 * 2u32;
    let mut header = b"RIFF".to_vec();
    header.extend((36 + bytes).to_le_bytes());
    header.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    header.extend(8_000u32.to_le_bytes());
    header.extend(16_000u32.to_le_bytes());
    header.extend(b"\x02\0\x10\0data");
    header.extend(bytes.to_le_bytes());
    std::fs::write(&path, &header).unwrap();
    std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(44 + u64::from(bytes)).unwrap();
    let mut bench = Bench::new([Fake::new([])]);
    bench.settle();
    let started = Instant::now();
    bench.session.command(Command::LoadReference(path));
    assert!(started.elapsed() < Duration::from_millis(200), "{:?}", started.elapsed());
    assert!(errors(&bench)[0].contains("longer than an hour"), "{:?}", errors(&bench));
}

#[test]
fn a_cancelled_reference_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("song.wav");
    write_wav(&path, 30.0);
    let mut bench = Bench::new([Fake::new([])]);
    bench.settle();
    bench.session.command(Command::LoadReference(path));
    bench.session.step();
    bench.session.command(Command::CancelReference);
    let view = bench.settle();
    assert!(view.reference.is_none() && view.reference_progress.is_none() && view.notices.is_empty());
}
