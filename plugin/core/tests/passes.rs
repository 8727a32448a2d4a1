//! What changed between two passes: readings and prints that are computed from known gains.
#![allow(clippy::unwrap_used)]

use mixing_buddy_core::encoder::StemReading;
use mixing_buddy_core::norms::levels::all_rest_levels_from_levels;
use mixing_buddy_core::passes::{Change, Place, compare};
use mixing_buddy_core::{Analysis, PerStem, Stem};

/// The analysis of a mix whose stems have these levels; a stem below -60 dB is absent.
fn mix(levels_db: [f64; 4], error_db: f32) -> Analysis {
    let levels = PerStem::from_array(levels_db);
    let rest = all_rest_levels_from_levels(&levels);
    let reading = PerStem::from_fn(|stem| StemReading {
        level_db: rest[stem] as f32,
        error_db,
        presence: if levels[stem] > -60.0 { 0.95 } else { 0.05 },
        summary: Vec::new(),
    });
    Analysis { silent: false, reading, levels_lu: PerStem::default() }
}

fn change(pairs: &[(Analysis, Analysis)]) -> Change {
    let places: Vec<Place<'_>> = pairs
        .iter()
        .map(|(before, after)| Place { before, after, before_print: None, after_print: None })
        .collect();
    compare(&places)
}

const BEFORE: [f64; 4] = [-14.0, -12.0, -17.0, -11.0];

fn with(stem: Stem, gain_db: f64) -> [f64; 4] {
    let mut levels = BEFORE;
    levels[stem.index()] += gain_db;
    levels
}

#[test]
fn each_fader_is_told_with_its_gain() {
    for stem in Stem::ALL {
        for gain_db in [-9.0, -4.0, -2.0, 2.0, 6.0] {
            let told = change(&[(mix(BEFORE, 1.0), mix(with(stem, gain_db), 1.0))]);
            let Change::Moved(moved) = told else { panic!("{stem} {gain_db}: {told:?}") };
            assert_eq!(moved.stem, stem);
            assert!((f64::from(moved.gain_db) - gain_db).abs() < 0.11, "{stem} {gain_db}: {moved:?}");
        }
    }
}

#[test]
fn the_level_of_the_whole_mix_is_nothing() {
    let louder = BEFORE.map(|level| level + 6.0);
    assert!(matches!(change(&[(mix(BEFORE, 1.0), mix(louder, 1.0))]), Change::Nothing { .. }));
}

#[test]
fn a_move_within_the_meters_error_is_not_told() {
    let told = change(&[(mix(BEFORE, 6.0), mix(with(Stem::Bass, -3.0), 6.0))]);
    assert!(matches!(told, Change::Nothing { within_db } if within_db > 3.0), "{told:?}");
}

#[test]
fn a_mute_is_no_fader() {
    let told = change(&[(mix(BEFORE, 1.0), mix(with(Stem::Vocals, -80.0), 1.0))]);
    assert_eq!(told, Change::Vanished(Stem::Vocals));
    let told = change(&[(mix(with(Stem::Drums, -80.0), 1.0), mix(BEFORE, 1.0))]);
    assert_eq!(told, Change::Appeared(Stem::Drums));
}

#[test]
fn two_faders_are_not_one() {
    let mut both = with(Stem::Vocals, -5.0);
    both[Stem::Bass.index()] += 5.0;
    let told = change(&[(mix(BEFORE, 0.5), mix(both, 0.5))]);
    assert!(matches!(told, Change::Several(_)), "{told:?}");
}

#[test]
fn automation_is_no_fader() {
    let pairs = [-6.0, 0.0, -3.0].map(|gain_db| (mix(BEFORE, 1.0), mix(with(Stem::Vocals, gain_db), 1.0)));
    let told = change(&pairs);
    let Change::Uneven { stem, least_db, most_db } = told else { panic!("{told:?}") };
    assert_eq!(stem, Stem::Vocals);
    assert!(least_db < -5.5 && most_db > -0.5, "{least_db} {most_db}");
}

#[test]
fn silence_cannot_be_compared() {
    let silent = Analysis { silent: true, ..mix(BEFORE, 1.0) };
    assert_eq!(change(&[(silent, mix(BEFORE, 1.0))]), Change::Incomparable);
    assert_eq!(compare(&[]), Change::Incomparable);
}
