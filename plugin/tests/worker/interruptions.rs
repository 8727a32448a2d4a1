//! What hosts do while a song plays: lifecycle calls, loops, jumps, stops, speeds. The song goes on, or the user reads
//! why there is no advice.

use crate::common::{Bench, Fake, RATE_HZ};
use crate::{LOUD, SOFT};
use mixing_buddy::capture::{BlockInfo, Flow};
use mixing_buddy::view::{Activity, Obstacle};
use mixing_buddy_core::Verdict;
use std::time::Duration;

/// Plays seconds of noise in blocks, with the position that `place` gives for a frame, and a stop around each block if
/// the host makes one.
fn play_blocks(bench: &mut Bench, seconds: usize, block: usize, stops: bool, place: impl Fn(i64) -> i64) {
    let sound: Vec<f32> = (0..block).map(|n| LOUD * ((n * 7919 % 1009) as f32 / 504.5 - 1.0)).collect();
    let end = (seconds * RATE_HZ as usize) as i64;
    for (number, at) in (0..end).step_by(block).enumerate() {
        if stops {
            bench.tap.stop();
        }
        let info = BlockInfo { flow: Flow::Playing, position: Some(place(at)) };
        bench.tap.block(&[&sound, &sound], info);
        if stops {
            bench.tap.stop();
        }
        if number % (4000 / block).max(1) == 0 {
            bench.session.step();
        }
    }
    bench.settle();
}

#[test]
fn stops_around_every_block_are_no_break() {
    for block in [32, 64, 512, 2048] {
        let mut bench = Bench::new([Fake::new([])]);
        bench.settle();
        play_blocks(&mut bench, 21, block, true, |at| at);
        assert_eq!(bench.starts(), [0.0, 5.0, 10.0], "blocks of {block}");
        assert_eq!(bench.session.view().model.dropped_s, 0.0);
        assert!(matches!(bench.view.load().activity, Activity::Filling { .. }), "the song still runs");
    }
}

#[test]
fn stops_do_not_fill_the_rings_while_the_worker_is_busy() {
    let mut bench = Bench::new([Fake::new([])]);
    bench.settle();
    let sound = [LOUD; 16];
    for block in 0..5 * i64::from(RATE_HZ) / 16 {
        bench.tap.stop();
        bench.tap.block(&[&sound, &sound], BlockInfo { flow: Flow::Playing, position: Some(16 * block) });
    }
    bench.position = 5 * i64::from(RATE_HZ);
    bench.play_and_step(6, LOUD);
    assert_eq!((bench.session.view().model.dropped_s, bench.starts()), (0.0, vec![0.0]));
}

#[test]
fn a_position_at_another_speed_is_judged_like_one_that_is_not_given() {
    for block in [1, 32, 512, 2048] {
        for (numerator, denominator) in [(0, 1), (1, 2), (1, 1), (3, 2), (2, 1)] {
            let mut bench = Bench::new([Fake::new([])]);
            bench.settle();
            play_blocks(&mut bench, 16, block, false, |at| 16_000 + at * numerator / denominator);
            let what = format!("speed {numerator}/{denominator}, blocks of {block}");
            assert_eq!(bench.starts(), [2.0, 7.0], "{what}");
        }
    }
}

#[test]
fn a_position_that_stands_still_is_counted_on_after_a_pause() {
    let mut bench = Bench::new([Fake::new([])]);
    bench.settle();
    play_blocks(&mut bench, 11, 512, false, |_| 0);
    bench.tap.block(&[&[0.0; 64]], BlockInfo { flow: Flow::Paused, position: Some(0) });
    play_blocks(&mut bench, 11, 512, false, |_| 0);
    let starts = bench.starts();
    assert_eq!(starts.len(), 2, "{starts:?}");
    assert!((starts[1] - 11.0).abs() < 0.2, "{starts:?}");
}

#[test]
fn a_host_that_no_longer_calls_has_stopped() {
    let mut bench = Bench::new([Fake::new([])]);
    bench.play_and_step(8, LOUD);
    std::thread::sleep(Duration::from_millis(2100));
    bench.session.step();
    std::thread::sleep(Duration::from_millis(60));
    assert_eq!(bench.settle().activity, Activity::Waiting);
    // The position runs on where it was; the user may have changed the mix.
    bench.play_and_step(8, SOFT);
    assert_eq!(bench.starts(), [0.0; 0]);
    bench.play_and_step(3, SOFT);
    let starts = bench.starts();
    assert!(starts.len() == 1 && (starts[0] - 8.05).abs() < 0.1, "{starts:?}");
}

#[test]
fn a_loop_of_three_to_ten_seconds_is_analyzed_as_one_window() {
    let mut bench = Bench::new([Fake::new([])]);
    bench.seek(30.0);
    bench.play_and_step(8, LOUD);
    assert_eq!(bench.starts(), [0.0; 0]);
    for amplitude in [LOUD, SOFT, SOFT] {
        bench.seek(30.0);
        bench.play_and_step(8, amplitude);
    }
    let view = bench.view.load_full();
    let mark = view.newest.as_ref().unwrap();
    assert_eq!(view.history.len(), 1, "each round replaces the one before");
    assert!(mark.start_s == 30.0 && (mark.end_s - 38.05).abs() < 1e-6, "{mark:?}");
    assert_eq!(mark.advice.verdict, Verdict::NoError, "the round before this one");
    assert!(matches!(view.activity, Activity::Filling { .. }), "{:?}", view.activity);
}

#[test]
fn a_loop_that_is_too_short_is_named() {
    let mut bench = Bench::new([Fake::new([])]);
    for _ in 0..4 {
        bench.seek(30.0);
        bench.play_and_step(2, LOUD);
    }
    let activity = bench.view.load().activity.clone();
    let Activity::Obstructed(Obstacle::ShortLoop { loop_s }) = activity else { panic!("{activity:?}") };
    assert!((loop_s - 2.05).abs() < 0.02, "{loop_s}");
    assert_eq!(bench.starts(), [0.0; 0]);
    bench.seek(60.0);
    bench.play_and_step(11, LOUD);
    assert!(matches!(bench.view.load().activity, Activity::Filling { .. }));
}

#[test]
fn jumps_stops_and_lost_audio_are_named_within_twenty_seconds() {
    let mut bench = Bench::new([Fake::new([])]);
    for place in [0.0, 50.0, 100.0] {
        bench.seek(place);
        bench.play_and_step(6, LOUD);
    }
    assert_eq!(bench.view.load().activity, Activity::Obstructed(Obstacle::Jumps));

    let mut bench = Bench::new([Fake::new([])]);
    for _ in 0..2 {
        bench.play_and_step(7, LOUD);
        bench.change_flow(Flow::Paused);
        assert_eq!(bench.settle().activity, Activity::Paused);
    }
    bench.play_and_step(1, LOUD);
    assert_eq!(bench.view.load().activity, Activity::Obstructed(Obstacle::Stops));

    let mut bench = Bench::new([Fake::new([])]);
    bench.settle();
    for _ in 0..2 {
        bench.play_and_step(5, LOUD);
        // More than the ring holds, in one block.
        let sound = vec![LOUD; 11 * RATE_HZ as usize];
        let info = BlockInfo { flow: Flow::Playing, position: Some(bench.position) };
        bench.tap.block(&[&sound, &sound], info);
        bench.position += sound.len() as i64;
    }
    bench.play_and_step(3, LOUD);
    assert_eq!(bench.view.load().activity, Activity::Obstructed(Obstacle::LostAudio));
}
