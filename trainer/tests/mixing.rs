//! Random mixes: which stems they have, and how far down.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics with the reason")]

mod common {
    pub mod cli;
    #[allow(dead_code, reason = "other tests use more of it")]
    pub mod maps;
    pub mod sounds;
}

use common::cli::Place;
use common::maps::cache;
use mixing_buddy_core::norms::NormsSummary;
use mixing_buddy_trainer::mixing::augment::AugmentSettings;
use mixing_buddy_trainer::mixing::cache::MapCache;
use mixing_buddy_trainer::mixing::mixer::{MixSettings, Mixer};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use std::collections::BTreeSet;
use std::path::Path;

/// Mixes of each kind.
const MIXES: u64 = 40;

/// How many stems each mix has, and its quietest one against the rest in dB.
fn mixes(maps: &MapCache, left_out: f64, far_down: f64) -> Vec<(usize, f32)> {
    let settings = MixSettings {
        coherent: 1.0,
        foreign_voice: 0.0,
        left_out,
        far_down,
        after_norms: 1.0,
        augment: AugmentSettings::none(),
        ..MixSettings::default()
    };
    let mixer = Mixer::new(maps, &settings, NormsSummary::shipped());
    let one = |seed| {
        let mut rng = SmallRng::seed_from_u64(seed);
        let plan = mixer.plan(&mut rng);
        let levels = mixer.mix(&plan, &mut rng).rest_levels_db();
        let there: Vec<f32> = levels.into_iter().flatten().collect();
        (there.len(), there.into_iter().fold(f32::INFINITY, f32::min))
    };
    (0..MIXES).map(one).collect()
}

#[test]
fn a_mix_lacks_a_stem_or_has_one_far_down_as_often_as_is_asked_for() {
    let place = Place::new();
    let maps = MapCache::open(Path::new(&cache(&place)), |_| true).unwrap();
    let quiet = |mixes: &[(usize, f32)]| {
        let mut levels: Vec<f32> = mixes.iter().map(|(_, quietest_db)| *quietest_db).collect();
        levels.sort_by(f32::total_cmp);
        levels[levels.len() / 2]
    };
    let whole = mixes(&maps, 0.0, 0.0);
    assert!(whole.iter().all(|(stems, _)| *stems == 4), "{whole:?}");
    let lacking = mixes(&maps, 1.0, 0.0);
    assert!(lacking.iter().all(|(stems, _)| *stems == 3), "{lacking:?}");
    let far_down = mixes(&maps, 0.0, 1.0);
    assert!(far_down.iter().all(|(stems, _)| *stems >= 3), "{far_down:?}");
    // The quietest of four is turned down in one of four at least: by 12 dB in the middle.
    assert!(quiet(&far_down) < quiet(&whole) - 4.0, "{} and {} dB", quiet(&far_down), quiet(&whole));
}

#[test]
fn windows_that_the_separator_misread_are_no_examples_of_its_errors() {
    let place = Place::new();
    let mut maps = MapCache::open(Path::new(&cache(&place)), |_| true).unwrap();
    // As if it had read the first window of each song well, and misread the others.
    for song in &mut maps.songs {
        for (at, window) in song.header.windows.iter_mut().enumerate() {
            assert!(window.separator_error_db[0].is_some_and(f32::is_finite), "it sings in each window");
            window.separator_error_db = vec![Some(if at == 0 { 1.0 } else { -6.0 })];
        }
    }
    let used = |largest_separator_error_db: f32| {
        let settings = MixSettings { largest_separator_error_db, ..MixSettings::default() };
        let mixer = Mixer::new(&maps, &settings, NormsSummary::shipped());
        let errors_of = |seed| mixer.plan(&mut SmallRng::seed_from_u64(seed)).share_errors;
        let windows: BTreeSet<usize> = (0..MIXES).flat_map(errors_of).flatten().map(|of| of.window).collect();
        (windows, mixer.full_windows_of(0))
    };
    assert_eq!(used(2.5), (BTreeSet::from([0]), vec![0]));
    let (windows, full) = used(f32::INFINITY);
    assert!(windows.len() > 1 && full.len() > 1, "{windows:?} {full:?}");
}
