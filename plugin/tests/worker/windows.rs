//! From audio to windows with advice.

use crate::common::{Bench, Fake};
use crate::{LOUD, SOFT, errors};
use mixing_buddy::capture::Flow;
use mixing_buddy::view::Activity;
use mixing_buddy::worker::session::Next;
use mixing_buddy_core::Verdict;
use std::sync::Arc;
use std::time::Duration;

#[test]
fn windows_are_analyzed_as_they_fill() {
    let fake = Fake::new([]);
    let mut bench = Bench::new([fake.clone()]);
    assert_eq!(bench.settle().activity, Activity::Waiting);
    let view = bench.play_and_step(6, LOUD);
    let Activity::Filling { filled_s } = view.activity else { panic!("{:?}", view.activity) };
    assert!((filled_s - 6.05).abs() < 0.1, "{filled_s}");
    assert!(view.newest.is_none());
    let view = bench.play_and_step(15, LOUD);
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
fn no_window_contains_a_pause_a_seek_or_a_bypass() {
    let fake = Fake::new([]);
    let mut bench = Bench::new([fake.clone()]);
    bench.play_and_step(8, LOUD);
    bench.change_flow(Flow::Paused);
    assert_eq!(bench.settle().activity, Activity::Paused);
    bench.play_and_step(8, LOUD);
    bench.seek(100.0);
    bench.play_and_step(8, LOUD);
    bench.change_flow(Flow::Bypassed);
    assert_eq!(bench.settle().activity, Activity::Bypassed);
    bench.play_and_step(8, LOUD);
    assert_eq!((fake.analyzed(), bench.starts()), (0, vec![]));
    bench.seek(40.0);
    bench.play_and_step(10, LOUD);
    assert_eq!(bench.starts(), [40.0]);
}

#[test]
fn a_place_keeps_its_newest_advice() {
    let mut bench = Bench::new([Fake::new([])]);
    bench.play_and_step(15, LOUD);
    bench.seek(0.0);
    let view = bench.play_and_step(10, SOFT);
    let verdicts: Vec<(f64, Verdict)> =
        view.history.iter().map(|mark| (mark.start_s, mark.advice.verdict)).collect();
    assert_eq!(verdicts, [(5.0, Verdict::Loud), (0.0, Verdict::NoError)]);
    assert_eq!(view.agreement, (1, 1), "the mix has changed, so the window at 5 s no longer counts");
}

#[test]
fn a_slow_computer_analyzes_the_newest_windows_and_tells_the_user() {
    let fake = Fake::new([]);
    let mut bench = Bench::new([fake.clone()]);
    bench.settle();
    // Eight windows pass without a step: the session reads the ring, so the queue fills.
    for _ in 0..9 {
        bench.play(5.0, LOUD);
        bench.session.read_audio();
    }
    bench.play(0.05, LOUD);
    let view = bench.settle();
    assert_eq!(fake.analyzed(), 3, "only as many windows as may wait");
    let starts: Vec<f64> = view.history.iter().map(|mark| mark.start_s).collect();
    assert_eq!(starts, [35.0, 30.0, 25.0], "newest first");
    assert!(view.notices.iter().any(|n| n.text.contains("keep up")), "{:?}", view.notices);
}

#[test]
fn lost_audio_is_counted_and_its_window_is_never_analyzed() {
    let fake = Fake::new([]);
    let mut bench = Bench::new([fake.clone()]);
    bench.play_and_step(5, LOUD);
    // Ten seconds fit into the ring, so three are lost.
    bench.play(13.0, LOUD);
    bench.settle();
    let view = bench.play_and_step(9, LOUD);
    assert!((view.model.dropped_s - 3.0).abs() < 0.2, "{}", view.model.dropped_s);
    // The run from 0 to 15 s is complete. A new run starts at 18 s and is nine seconds long.
    assert_eq!(bench.starts(), [5.0, 0.0], "newest first");
    bench.play_and_step(1, LOUD);
    assert!((bench.starts()[2] - 18.0).abs() < 0.2, "{:?}", bench.starts());
}

#[test]
fn a_render_is_queued_and_analyzed_afterwards_in_order() {
    let fake = Fake::new([]);
    let mut bench = Bench::with([fake.clone()], Default::default(), true);
    bench.settle();
    for _ in 0..60 {
        bench.play(1.0, LOUD);
        bench.session.step();
    }
    bench.play(0.05, LOUD);
    bench.session.step();
    assert_eq!(fake.analyzed(), 0, "nothing is analyzed while the host renders");
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
fn samples_that_are_not_finite_give_an_error_and_never_reach_the_model() {
    let fake = Fake::new([]);
    let mut bench = Bench::new([fake.clone()]);
    bench.play_and_step(5, LOUD);
    bench.play(0.1, f32::NAN);
    bench.play_and_step(8, LOUD);
    assert_eq!(fake.analyzed(), 0);
    assert!(errors(&bench)[0].contains("NaN"), "{:?}", errors(&bench));
    bench.play_and_step(8, LOUD);
    assert!(fake.analyzed() > 0, "the audio after it is analyzed again");
}

#[test]
fn with_a_separator_windows_come_a_second_later_and_the_end_of_a_run_is_not_lost() {
    let fake = Fake::separating();
    let mut bench = Bench::new([fake.clone()]);
    bench.play_and_step(10, 0.1);
    assert_eq!(fake.analyzed(), 0, "the last slab still needs the second after it");
    bench.play_and_step(2, 0.1);
    assert_eq!(fake.analyzed(), 1);
    // A hop of 5 s: the next window ends at 15 s. The song stops at 15.4 s, before the second after it.
    bench.play_and_step(3, 0.1);
    bench.play(0.2, 0.1);
    bench.change_flow(Flow::Paused);
    bench.settle();
    assert_eq!(fake.analyzed(), 2, "what is there is judged");
}

#[test]
fn a_render_waits_on_disk_while_the_host_is_busy_and_is_separated_afterwards() {
    let fake = Fake::separating();
    let mut bench = Bench::with([fake.clone()], Arc::default(), true);
    for _ in 0..4 {
        bench.play(10.0, 0.1);
        while bench.session.step() == Next::Busy {}
        assert_eq!(fake.analyzed(), 0, "nothing is separated while the host renders");
        assert_ne!(bench.session.view().activity, Activity::Waiting);
    }
    std::thread::sleep(std::time::Duration::from_millis(300));
    let view = bench.settle();
    assert_eq!(fake.analyzed(), 6, "windows from 0, 5, 10, 15, 20, 25 s");
    assert!(view.notices.is_empty(), "{:?}", view.notices);
}
