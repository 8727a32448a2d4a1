//! The worker's logic, driven step by step with a model that follows a script.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Act, Bench, Fake, RATE_HZ};
use mixing_buddy::capture::Flow;
use mixing_buddy::params::DEFAULT_SENSITIVITY;
use mixing_buddy::view::{Activity, Command};
use mixing_buddy::worker::advisor::{Advisor, ModelSource, Wanted};
use mixing_buddy_core::{CancelFlag, DeviceKind, PerStem, Stem, Verdict};
use std::sync::Arc;
use std::time::{Duration, Instant};

const LOUD: f32 = 0.5;
const SOFT: f32 = 0.01;

fn errors(bench: &Bench) -> Vec<String> {
    bench.session.view().notices.iter().filter(|n| n.is_error).map(|n| n.text.clone()).collect()
}

#[test]
fn windows_are_judged_as_they_fill() {
    let fake = Fake::new([]);
    let mut bench = Bench::new([fake.clone()]);
    assert_eq!(bench.settle().activity, Activity::Waiting);
    let view = bench.listen(6, LOUD);
    let Activity::Listening { buffered_s } = view.activity else { panic!("{:?}", view.activity) };
    assert!((buffered_s - 6.05).abs() < 0.1, "{buffered_s}");
    assert!(view.newest.is_none());
    let view = bench.listen(15, LOUD);
    assert_eq!(bench.starts(), [0.0, 5.0, 10.0]);
    let newest = view.newest.as_ref().unwrap();
    assert_eq!((newest.start_s, newest.end_s), (10.0, 20.0));
    assert_eq!(newest.advice.verdict, Verdict::Loud);
    assert_eq!(view.agreement, (3, 3));
    assert_eq!(view.song.as_ref().unwrap().windows, 3);
    assert!(view.can_pin && view.model.window_ms.is_some());
    assert!(view.levels_lu.vocals.is_some());
    assert_eq!(view.model.name, "fake 1.0");
}

#[test]
fn no_window_spans_a_stop_a_seek_a_loop_or_a_bypass() {
    let fake = Fake::new([]);
    let mut bench = Bench::new([fake.clone()]);
    bench.listen(8, LOUD);
    bench.turn(Flow::Paused);
    assert_eq!(bench.settle().activity, Activity::Paused);
    bench.listen(8, LOUD);
    bench.seek(100.0);
    bench.listen(8, LOUD);
    bench.turn(Flow::Bypassed);
    assert_eq!(bench.settle().activity, Activity::Bypassed);
    bench.listen(8, LOUD);
    bench.seek(0.0);
    for _ in 0..3 {
        // A loop of eight seconds.
        bench.seek(0.0);
        bench.listen(8, LOUD);
    }
    assert_eq!((fake.analysis(), bench.starts()), (0, vec![]));
    bench.seek(40.0);
    bench.listen(10, LOUD);
    assert_eq!(bench.starts(), [40.0]);
}

#[test]
fn a_place_keeps_its_newest_verdict() {
    let mut bench = Bench::new([Fake::new([])]);
    bench.listen(15, LOUD);
    bench.seek(0.0);
    let view = bench.listen(10, SOFT);
    let verdicts: Vec<(f64, Verdict)> =
        view.history.iter().map(|mark| (mark.start_s, mark.advice.verdict)).collect();
    assert_eq!(verdicts, [(5.0, Verdict::Loud), (0.0, Verdict::NoError)]);
    assert_eq!(view.agreement, (1, 2));
}

#[test]
fn falling_behind_judges_the_newest_first_and_says_so() {
    let fake = Fake::new([]);
    let mut bench = Bench::new([fake.clone()]);
    bench.settle();
    // The session is not asked to judge while eight windows go by: the ring is emptied, the queue fills.
    for _ in 0..9 {
        bench.play(5.0, LOUD);
        bench.session.listen();
    }
    bench.play(0.05, LOUD);
    let view = bench.settle();
    assert_eq!(fake.analysis(), 3, "the newest and the few that may wait");
    let starts: Vec<f64> = view.history.iter().map(|mark| mark.start_s).collect();
    assert_eq!(starts, [35.0, 30.0, 25.0], "newest first");
    assert!(view.notices.iter().any(|n| n.text.contains("keep up")), "{:?}", view.notices);
}

#[test]
fn lost_sound_is_counted_and_its_window_never_judged() {
    let fake = Fake::new([]);
    let mut bench = Bench::new([fake.clone()]);
    bench.listen(5, LOUD);
    // Ten seconds fit into the ring; three are lost.
    bench.play(13.0, LOUD);
    bench.settle();
    let view = bench.listen(9, LOUD);
    assert!((view.model.dropped_s - 3.0).abs() < 0.2, "{}", view.model.dropped_s);
    // From 0 to 15 s is whole, from 18 s on is new and nine seconds long.
    assert_eq!(bench.starts(), [5.0, 0.0], "newest first");
    bench.listen(1, LOUD);
    assert!((bench.starts()[2] - 18.0).abs() < 0.2, "{:?}", bench.starts());
}

#[test]
fn a_bounce_is_queued_and_judged_afterwards_in_order() {
    let fake = Fake::new([]);
    let mut bench = Bench::with([fake.clone()], Default::default(), true);
    bench.settle();
    for _ in 0..60 {
        bench.play(1.0, LOUD);
        bench.session.step();
    }
    bench.play(0.05, LOUD);
    bench.session.step();
    assert_eq!(fake.analysis(), 0, "nothing is judged while the host renders");
    bench.tap.stop();
    std::thread::sleep(Duration::from_millis(60));
    bench.session.step();
    let left = match bench.view.load().activity {
        Activity::CatchingUp { left } => left,
        ref other => panic!("{other:?}"),
    };
    assert!((9..=11).contains(&left), "{left} windows are left");
    bench.settle();
    let expected: Vec<f64> = (0..11).map(|n| 5.0 * f64::from(n)).collect();
    assert_eq!(bench.starts(), expected);
    assert_eq!(bench.session.view().model.dropped_s, 0.0);
}

#[test]
fn a_failed_window_is_said_once_and_the_next_is_judged() {
    let fake = Fake::new([Act::Fail, Act::Panic]);
    let mut bench = Bench::new([fake.clone()]);
    bench.listen(20, LOUD);
    assert_eq!(bench.starts(), [10.0]);
    let errors = errors(&bench);
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].contains("out of memory"), "{errors:?}");
    let id = bench.session.view().notices[0].id;
    bench.session.command(Command::Dismiss(id));
    assert!(bench.session.view().notices.is_empty());
}

#[test]
fn a_gpu_that_fails_is_left_for_the_cpu() {
    let gpu = Fake::on(DeviceKind::Cuda, [Act::Fail]);
    let cpu = Fake::new([]);
    let mut bench = Bench::new([gpu.clone(), cpu.clone()]);
    let view = bench.listen(21, LOUD);
    assert!(errors(&bench)[0].contains("runs on the CPU now"), "{:?}", errors(&bench));
    assert_eq!((gpu.analysis(), view.model.device.as_str()), (1, "CPU"));
    assert!(cpu.analysis() >= 1);
    assert!(bench.wanted.lock().unwrap()[1].cpu_only);
}

#[test]
fn without_a_model_nothing_piles_up() {
    let mut bench = Bench::new([]);
    let view = bench.listen(30, LOUD);
    assert_eq!(view.activity, Activity::NoModel);
    assert!(errors(&bench)[0].contains("no weights were built in"), "{:?}", errors(&bench));
    assert_eq!(view.model.dropped_s, 0.0);
}

#[test]
fn a_model_file_that_cannot_be_used_leaves_the_built_in_one() {
    let mut bench = Bench::new([Fake::new([]), Fake::new([])]);
    bench.settle();
    bench.session.command(Command::ChooseModel(Some("/models/other.mixbuddy".into())));
    let view = bench.listen(10, LOUD);
    assert!(errors(&bench)[0].contains("has format version 9"), "{:?}", errors(&bench));
    assert_eq!(view.newest.as_ref().map(|mark| mark.start_s), Some(0.0));
    let kept = bench.params.session.current().choices.model_path.clone();
    assert_eq!(kept, Some("/models/other.mixbuddy".into()), "the file may come back");
}

#[test]
fn pin_clear_and_undo() {
    let mut bench = Bench::new([Fake::new([])]);
    bench.session.command(Command::PinReference);
    assert!(bench.settle().reference.is_none(), "there is nothing to pin yet");
    bench.seek(80.0);
    bench.listen(10, LOUD);
    bench.session.command(Command::PinReference);
    let view = bench.settle();
    let pinned = view.reference.clone().unwrap();
    assert_eq!((pinned.name.as_str(), pinned.windows), ("Pinned at 1:20", 1));
    bench.session.command(Command::ClearReference);
    let view = bench.settle();
    assert!(view.reference.is_none() && view.can_undo_reference);
    bench.session.command(Command::UndoReference);
    assert_eq!(bench.settle().reference, Some(pinned));
    bench.session.command(Command::UndoReference);
    let view = bench.settle();
    assert!(view.reference.is_none() && !view.can_undo_reference);
}

#[test]
fn what_is_aimed_at_reaches_the_model_and_the_newest_window_is_judged_again() {
    let fake = Fake::new([]);
    let mut bench = Bench::new([fake.clone()]);
    bench.listen(10, LOUD);
    let before = fake.analysis();
    bench.session.command(Command::SetAnchor(Some(Stem::Drums)));
    bench.session.command(Command::SetStems(Some(PerStem {
        vocals: true,
        drums: true,
        bass: false,
        other: true,
    })));
    bench.session.command(Command::PinReference);
    bench.settle();
    let last = fake.requests.lock().unwrap().last().cloned().unwrap();
    assert_eq!(last.anchor, Some(Stem::Drums));
    assert_eq!(last.stems.map(|stems| stems.bass), Some(false));
    assert!(last.reference.is_some());
    assert_eq!(last.min_confidence, Some(DEFAULT_SENSITIVITY));
    assert_eq!(fake.analysis(), before, "nothing is heard twice for it");
    bench.session.command(Command::SetAnchor(Some(Stem::Other)));
    assert_eq!(bench.settle().choices.anchor, None, "other is never judged, so it is no anchor");
}

#[test]
fn a_question_is_answered_from_the_last_windows() {
    let mut bench = Bench::new([Fake::new([])]);
    bench.session.command(Command::Ask("How is my vocal?".into()));
    let view = bench.settle();
    assert!(view.answer.is_none() && view.notices[0].text.contains("Play some of the song"));
    bench.listen(10, LOUD);
    bench.session.command(Command::Ask("How is my vocal?".into()));
    let answered = bench.settle().answer.clone().unwrap();
    assert!(answered.advice.unwrap().text.contains("How is my vocal?"));
}

#[test]
fn starting_over_keeps_the_marks_and_drops_the_song() {
    let mut bench = Bench::new([Fake::new([])]);
    bench.listen(20, LOUD);
    bench.session.command(Command::StartOver);
    let view = bench.settle();
    assert!(view.history.iter().all(|mark| !mark.current) && view.history.len() == 3);
    assert!(view.song.is_none() && !view.can_pin);
    assert_eq!(view.agreement, (0, 0));
    bench.seek(60.0);
    let view = bench.listen(10, SOFT);
    assert_eq!(view.song.as_ref().unwrap().windows, 1);
    assert_eq!(view.agreement, (1, 1));
}

#[test]
fn a_saved_session_comes_back_and_goes_on() {
    let mut bench = Bench::new([Fake::new([])]);
    bench.listen(20, LOUD);
    bench.session.command(Command::PinReference);
    bench.session.command(Command::SetAnchor(Some(Stem::Bass)));
    let before = bench.settle();
    let text = bench.params.session.to_text();

    let mut other = Bench::new([Fake::new([])]);
    other.settle();
    other.params.session.load_text(&text);
    assert_eq!(other.params.session.to_text(), text, "a save right after a load gives the same");
    let after = other.settle();
    assert_eq!(after.history, before.history);
    assert_eq!(after.reference, before.reference);
    assert_eq!(after.choices, before.choices);
    assert_eq!(after.song, before.song);
    other.seek(60.0);
    other.listen(10, LOUD);
    other.tap.stop();
    let view = other.settle();
    assert_eq!(view.song.as_ref().unwrap().windows, 4, "the song goes on from three windows");
    assert_eq!(view.history.len(), 4);
    assert!(view.history[3].order > view.history[2].order);
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
    let view = bench.listen(10, SOFT);
    let reference = view.reference.as_ref().unwrap();
    assert_eq!((reference.name.as_str(), reference.windows), ("my reference.wav", 4));
    assert!(view.reference_progress.is_none() && view.can_undo_reference);
    assert!(view.newest.is_some());
}

#[test]
fn reference_files_that_are_none_end_in_a_sentence() {
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
fn three_hours_are_refused_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tape.wav");
    // A sparse file: a header that states three hours of mono at 8 kHz, and as many zeros.
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
fn a_cancelled_reference_is_forgotten() {
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

#[test]
fn samples_that_are_no_numbers_end_in_a_sentence_and_not_in_the_model() {
    let fake = Fake::new([]);
    let mut bench = Bench::new([fake.clone()]);
    bench.listen(5, LOUD);
    bench.play(0.1, f32::NAN);
    bench.listen(8, LOUD);
    assert_eq!(fake.analysis(), 0);
    assert!(errors(&bench)[0].contains("NaN"), "{:?}", errors(&bench));
    bench.listen(8, LOUD);
    assert!(fake.analysis() > 0, "what comes after is judged again");
}

#[test]
fn a_worker_that_hangs_does_not_hang_the_host() {
    struct Stuck;
    impl ModelSource for Stuck {
        fn get(&mut self, _: &Wanted, _: &CancelFlag) -> mixing_buddy_core::Result<Option<Arc<dyn Advisor>>> {
            // As a read from a network drive that is gone: it looks at no flag.
            std::thread::sleep(Duration::from_millis(900));
            Ok(None)
        }
    }
    let plugin = mixing_buddy::MixingBuddy::with_models(Box::new(Stuck));
    std::thread::sleep(Duration::from_millis(50));
    let started = Instant::now();
    drop(plugin);
    let took = started.elapsed();
    assert!((Duration::from_millis(200)..Duration::from_millis(500)).contains(&took), "{took:?}");
}

#[test]
fn a_report_holds_the_timeline() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = Bench::new([Fake::new([])]);
    bench.listen(20, LOUD);
    bench.session.command(Command::SaveReport(dir.path().join("mix.md")));
    let view = bench.settle();
    assert!(view.notices[0].text.contains("mix.md"), "{:?}", view.notices);
    let markdown = std::fs::read_to_string(dir.path().join("mix.md")).unwrap();
    assert!(markdown.contains("| 0:05 | 0:15 | 80 % | Heard at"), "{markdown}");
    let json: serde_json::Value =
        serde_json::from_slice(&std::fs::read(dir.path().join("mix.json")).unwrap()).unwrap();
    assert_eq!(json["timeline"].as_array().unwrap().len(), 3);
    assert_eq!(json["timeline"][1]["start_s"], 5.0);
    assert_eq!(json["song"]["windows"], 3);
    bench.session.command(Command::SaveReport(dir.path().join("no/such/folder/mix")));
    assert!(bench.settle().notices.last().unwrap().is_error);
    let files: Vec<_> = std::fs::read_dir(dir.path()).unwrap().collect();
    assert_eq!(files.len(), 2, "nothing half-written is left");
}

/// Forty seconds of noise at the model's rate, or as many as asked.
fn write_wav(path: &std::path::Path, seconds: f64) {
    let samples = (seconds * f64::from(RATE_HZ)) as u32;
    let mut bytes = b"RIFF".to_vec();
    bytes.extend((36 + 2 * samples).to_le_bytes());
    bytes.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    bytes.extend(RATE_HZ.to_le_bytes());
    bytes.extend((2 * RATE_HZ).to_le_bytes());
    bytes.extend(b"\x02\0\x10\0data");
    bytes.extend((2 * samples).to_le_bytes());
    bytes.extend((0..samples).flat_map(|n| ((n * 7919 % 20011) as i16 - 10_000).to_le_bytes()));
    std::fs::write(path, bytes).unwrap();
}
