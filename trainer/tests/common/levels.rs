//! Tables of stem levels: one that is drawn from the shipped norms and always here, and the published one where this
//! machine has it (its licence does not allow a copy in this repository).

#![allow(dead_code, reason = "each test file uses its part")]

use mixing_buddy_core::norms::NormsSummary;
use mixing_buddy_core::norms::levels::{decibels_to_power, levels_from_rest_levels, power_to_decibels};
use mixing_buddy_core::stem::Stem;
use mixing_buddy_trainer::oracle::LevelRow;
use mixing_buddy_trainer::protocol::Split;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::path::PathBuf;

/// The table in the repository: see [`drawn_rows`].
pub const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/levels.csv");

/// Songs of each split in the fixture, and chunks per song: enough for the fit, and small.
const SONGS: [(Split, usize, u32); 2] = [(Split::Train, 48, 10), (Split::Test, 24, 6)];

/// The rows of the fixture.
pub fn fixture_rows() -> Vec<LevelRow> {
    LevelRow::read_csv(FIXTURE.as_ref()).expect("the fixture is readable")
}

/// The published table, where `MIXING_BUDDY_SHARED` names a folder that holds `norms/musdb18_stem_levels.csv`.
pub fn published_table() -> Option<PathBuf> {
    let Some(folder) = std::env::var_os("MIXING_BUDDY_SHARED") else {
        eprintln!("skipped: MIXING_BUDDY_SHARED does not name a folder with norms/musdb18_stem_levels.csv");
        return None;
    };
    let path = PathBuf::from(folder).join("norms/musdb18_stem_levels.csv");
    assert!(path.is_file(), "{} is missing", path.display());
    Some(path)
}

/// What the fixture is made of: songs drawn from the shipped norms, each chunk at a level of its own. No number of it
/// comes from the published table.
pub fn drawn_rows() -> Vec<LevelRow> {
    let norms = NormsSummary::shipped();
    let mut rng = ChaCha8Rng::seed_from_u64(18);
    let mut rows = Vec::new();
    let mut song = 0;
    for (split, songs, chunks) in SONGS {
        for _ in 0..songs {
            song += 1;
            let mean_db = norms.sample_song(&mut || rng.random()).song_mean_db;
            let mut chunk = 0_u32;
            while chunk < chunks {
                let deviation_db = norms.sample_deviation(&mut || rng.random());
                let balance_db = std::array::from_fn(|c| mean_db[c] + deviation_db[c]);
                // A balance that leaves no power for the other stems is drawn again.
                let Some(relative_db) = levels_from_rest_levels(balance_db) else { continue };
                let sum = relative_db.iter().map(|(_, level)| decibels_to_power(*level)).sum::<f64>();
                let mixture_dbfs = rng.random_range(-20.0..-13.0);
                let gain_db = mixture_dbfs - power_to_decibels(sum);
                rows.push(LevelRow {
                    split: split.clone(),
                    song: song.to_string(),
                    start_s: 10.0 * f64::from(chunk),
                    mixture_dbfs: rounded(mixture_dbfs),
                    stems_dbfs: relative_db.map(|level| rounded(level + gain_db)),
                });
                chunk += 1;
            }
        }
    }
    rows
}

fn rounded(level_db: f64) -> f64 {
    (level_db * 100.0).round() / 100.0
}

/// The fixture's text.
pub fn as_csv(rows: &[LevelRow]) -> String {
    let names = Stem::ALL.map(|stem| format!("{stem}_rms_dbfs")).join(",");
    let mut text = format!("split,song,start_s,mixture_rms_dbfs,{names}\n");
    for row in rows {
        let levels = row.stems_dbfs.to_array().map(|level| format!("{level:.2}")).join(",");
        let (split, song, start_s) = (&row.split, &row.song, row.start_s);
        text.push_str(&format!("{split},{song},{start_s},{:.2},{levels}\n", row.mixture_dbfs));
    }
    text
}
