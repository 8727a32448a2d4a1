//! The meters: what they measure, and when they start over.

use super::{LOUD, SOFT};
use crate::common::{Bench, Fake};
use mixing_buddy::capture::Flow;
use mixing_buddy::view::Command;
use mixing_buddy_core::loudness::Meters;

fn seconds(bench: &mut Bench) -> f64 {
    bench.settle().meters.seconds
}

#[test]
fn they_measure_what_the_host_plays() {
    let mut bench = Bench::new([Fake::new([])]);
    assert_eq!(bench.settle().meters, Meters::default());
    let loud = bench.play_and_step(4, LOUD).meters;
    assert!((loud.seconds - 4.0).abs() < 0.2, "{loud:?}");
    assert!((loud.true_peak_dbtp.unwrap() - -6.0).abs() < 3.0, "{loud:?}");
    assert_eq!(loud.range_lu, None);
    let soft = bench.play_and_step(4, SOFT).meters;
    // The noise is 34 dB quieter, and in three seconds nothing else is left.
    let down = loud.short_term_lufs.unwrap() - soft.short_term_lufs.unwrap();
    assert!((down - 34.0).abs() < 0.5, "{loud:?} {soft:?}");
    assert_eq!(soft.true_peak_dbtp, loud.true_peak_dbtp);
    assert!(soft.integrated_lufs.unwrap() > soft.short_term_lufs.unwrap() + 20.0);
    assert!(!soft.is_limited);
}

#[test]
fn a_pause_and_start_over_begin_a_new_measurement_and_a_loop_does_not() {
    let mut bench = Bench::new([Fake::new([])]);
    bench.play_and_step(3, LOUD);
    bench.seek(0.0);
    bench.play_and_step(3, LOUD);
    assert!((seconds(&mut bench) - 6.1).abs() < 0.2, "{}", seconds(&mut bench));
    bench.change_flow(Flow::Paused);
    assert!(seconds(&mut bench) > 5.9, "they still show what was measured");
    bench.play_and_step(2, LOUD);
    assert!((seconds(&mut bench) - 2.05).abs() < 0.2, "{}", seconds(&mut bench));
    bench.session.command(Command::StartOver);
    assert_eq!(bench.settle().meters, Meters::default());
    bench.play_and_step(1, LOUD);
    assert!((seconds(&mut bench) - 1.05).abs() < 0.2, "{}", seconds(&mut bench));
}

#[test]
fn stops_around_every_block_are_no_pause() {
    let mut bench = Bench::new([Fake::new([])]);
    for _ in 0..4 {
        bench.play(0.5, LOUD);
        bench.tap.stop();
        bench.settle();
    }
    assert!((seconds(&mut bench) - 2.0).abs() < 0.1, "{}", seconds(&mut bench));
}
