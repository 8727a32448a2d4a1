//! What training runs read and leave: a cache of small songs, and weights as bits.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics with the reason")]

use super::cli::{Place, run};
use super::sounds;
use candle_core::Tensor;
use mixing_buddy_trainer::weights::load_tensors;
use std::collections::BTreeMap;
use std::path::Path;

/// All tensors of a file, bit by bit.
pub fn bits(path: &Path) -> BTreeMap<String, Vec<u32>> {
    let of = |tensor: &Tensor| {
        tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap().iter().map(|v| v.to_bits()).collect()
    };
    load_tensors(path).unwrap().0.iter().map(|(name, tensor)| (name.clone(), of(tensor))).collect()
}

/// Feature maps of three songs of 25 s: two to train on, one for calibration.
pub fn cache(place: &Place) -> String {
    for (seed, split) in [(1, "train"), (2, "train"), (3, "calib")] {
        let dir = place.path(&format!("songs/Song {seed}"));
        sounds::musdb_song(&dir, seed, 25.0);
        std::fs::write(dir.join("song.json"), format!(r#"{{"split": "{split}"}}"#)).unwrap();
    }
    let out = place.text("cache");
    run(&["prepare", "--songs", &place.text("songs"), "--out", &out, "--variants", "0"]).unwrap();
    out
}
