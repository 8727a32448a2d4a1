//! The fit of the norms, and the spread that the bound with a reference judges by.

#[path = "common/levels.rs"]
mod levels;

use anyhow::Result;
use levels::{FIXTURE, as_csv, drawn_rows, fixture_rows, published_table};
use mixing_buddy_core::norms::NormsSummary;
use mixing_buddy_core::norms::levels::all_rest_levels_from_levels;
use mixing_buddy_core::stem::{PerStem, Stem};
use mixing_buddy_trainer::evaluation::REFERENCE_BOUND_SD_DB;
use mixing_buddy_trainer::oracle::fit::{COMPONENTS, fit_norms, summarise};
use mixing_buddy_trainer::oracle::{AllowedStems, BalanceDensity, LevelRow, Rule};
use mixing_buddy_trainer::protocol::{Category, Split};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

/// Whether two summaries have nearly the same density around usual balances. Not to the last bit: logarithms differ
/// between machines.
fn assert_alike(fitted: &NormsSummary, shipped: &NormsSummary, tolerance: f64) {
    let [fitted, shipped] =
        [fitted, shipped].map(|norms| BalanceDensity::of_norms(norms, [0.0; Stem::TARGET_COUNT]));
    for balance in [[-5.0, -6.0, -5.0], [-1.0, -12.0, -4.0], [-10.0, -3.0, -8.0], [-14.0, -1.0, -14.0]] {
        let difference = fitted.log_density(balance) - shipped.log_density(balance);
        eprintln!("{difference:.3} at {balance:?}");
        assert!(difference.abs() < tolerance, "{difference} at {balance:?}");
    }
}

#[test]
fn fitting_again_gives_the_summary_that_ships() -> Result<()> {
    let Some(csv) = published_table() else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let fitted = fit_norms(&csv, &folder.path().join("norms.json"), 0)?;
    let shipped = NormsSummary::shipped();
    assert_eq!(fitted.components.len(), COMPONENTS);
    assert_eq!((fitted.songs, fitted.chunks), (shipped.songs, shipped.chunks));
    assert_alike(&fitted, shipped, 0.02);
    Ok(())
}

#[test]
fn songs_drawn_from_the_norms_give_the_norms_back() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("norms.json");
    let fitted = fit_norms(FIXTURE.as_ref(), &path, 0)?;
    assert_eq!(NormsSummary::load(&path)?, fitted);
    assert_eq!(fitted.components.len(), COMPONENTS);
    assert_eq!(fitted.songs, 48);
    // As close as so few songs come (measured: 0.17 to 0.53).
    assert_alike(&fitted, NormsSummary::shipped(), 0.7);
    let (fitted, shipped) = (fitted.usual, NormsSummary::shipped().usual);
    for stem in Stem::ALL {
        assert!((fitted[stem].mean_db - shipped[stem].mean_db).abs() < 1.5, "{stem}: {:?}", fitted[stem]);
    }
    Ok(())
}

#[test]
fn the_fixture_is_drawn_from_the_shipped_norms() {
    let (rows, drawn) = (fixture_rows(), drawn_rows());
    assert_eq!(rows.len(), drawn.len());
    for (row, drawn) in rows.iter().zip(&drawn) {
        assert_eq!((&row.split, &row.song, row.start_s), (&drawn.split, &drawn.song, drawn.start_s));
        for stem in Stem::ALL {
            // Logarithms differ between machines, and so may the rounding.
            assert!((row.stems_dbfs[stem] - drawn.stems_dbfs[stem]).abs() < 0.011, "{row:?} {drawn:?}");
        }
    }
}

/// Not a test: writes `tests/fixtures/levels.csv`, after the norms have changed.
#[test]
#[ignore = "writes tests/fixtures/levels.csv"]
fn write_levels_fixture() -> Result<()> {
    Ok(std::fs::write(FIXTURE, as_csv(&drawn_rows()))?)
}

#[test]
fn a_summary_is_refused_when_it_would_be_a_copy() {
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let rows: Vec<LevelRow> = (0..100)
        .map(|index| LevelRow {
            split: Split::Train,
            song: (index / 10).to_string(),
            start_s: 0.0,
            mixture_dbfs: -15.0,
            stems_dbfs: PerStem::from_fn(|_| rng.random_range(-30.0..-15.0)),
        })
        .collect();
    assert!(summarise(&rows, 24, 0).is_err());
    let summary = summarise(&rows, 3, 0).expect("enough chunks for three Gaussians");
    let back = NormsSummary::from_json(&summary.to_json().expect("JSON")).expect("it reads its own JSON");
    assert_eq!(back, summary);
}

/// Joint of the rule with the song's other chunks as reference, exact levels, on one split.
fn joint_with_reference(rows: &[LevelRow], split: &Split, sd_db: f64) -> f64 {
    let mut songs = BTreeMap::<&str, Vec<PerStem<f64>>>::new();
    for row in rows.iter().filter(|row| row.split == *split && row.passes_gate()) {
        songs.entry(&row.song).or_default().push(row.stems_dbfs);
    }
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let (mut right, mut samples) = (0, 0);
    for chunks in songs.values().filter(|chunks| chunks.len() > 1) {
        let balances: Vec<PerStem<f64>> = chunks.iter().map(all_rest_levels_from_levels).collect();
        for (index, levels) in chunks.iter().enumerate() {
            let mean = Stem::TARGETS.map(|stem| {
                let sum: f64 = balances.iter().map(|balance| balance[stem]).sum();
                (sum - balances[index][stem]) / (balances.len() - 1) as f64
            });
            let rule = Rule::new(BalanceDensity::reference(mean, [sd_db; Stem::TARGET_COUNT]));
            for target in Stem::TARGETS {
                for category in Category::ALL {
                    let gain_db =
                        category.gain_range_db().map_or(0.0, |(low, high)| rng.random_range(low..high));
                    let mut flawed = *levels;
                    flawed[target] += gain_db;
                    let answer = rule.posterior(&flawed, AllowedStems::ALL).answer();
                    right += usize::from(
                        answer.error == category.direction().map(|direction| (target, direction)),
                    );
                    samples += 1;
                }
            }
        }
    }
    right as f64 / samples as f64
}

/// Whether no other spread than [`REFERENCE_BOUND_SD_DB`] is better by more than `tolerance` on the training songs; the
/// test songs only confirm it.
fn check_spread(rows: &[LevelRow], tolerance: f64) {
    let chosen = joint_with_reference(rows, &Split::Train, REFERENCE_BOUND_SD_DB);
    for sd_db in [1.0, 1.5, 2.0, 2.5] {
        let train = joint_with_reference(rows, &Split::Train, sd_db);
        let test = joint_with_reference(rows, &Split::Test, sd_db);
        eprintln!("spread {sd_db} dB: train {:.2} %, test {:.2} %", 100.0 * train, 100.0 * test);
        assert!(chosen >= train - tolerance, "{sd_db} dB is better: {train} against {chosen}");
    }
}

#[test]
fn the_spread_of_the_reference_bound_is_the_best_of_those_tried() -> Result<()> {
    let Some(csv) = published_table() else { return Ok(()) };
    check_spread(&LevelRow::read_csv(&csv)?, 0.003);
    Ok(())
}

#[test]
fn the_spread_of_the_reference_bound_fits_drawn_songs_as_well() {
    // Drawn songs vary a little more than recorded ones: 2.5 dB is better by 1.6 % there.
    check_spread(&fixture_rows(), 0.03);
}
