//! Compares every state of the panel with its picture.
//!
//! `UPDATE_SNAPSHOTS=1 cargo test --release --workspace --test panel` writes the pictures again.
//!
//! Software draws the pictures if there is no GPU; the font is bundled. Tolerance: no pixel may differ by more than a
//! squared YIQ distance of 0.6 (drivers round blends differently).

use crate::stage::{can_draw, scenes, stage};
use egui_kittest::{SnapshotOptions, SnapshotResults};

#[path = "../../../tests/src/prerequisite.rs"]
mod prerequisite;

/// Largest squared YIQ distance between a pixel and its picture.
const PIXEL_TOLERANCE: f32 = 0.6;

#[test]
fn every_state_looks_like_its_picture() {
    if !can_draw() {
        prerequisite::missing("a graphics adapter, or Mesa's driver in software");
        return;
    }
    let options = SnapshotOptions::new().threshold(PIXEL_TOLERANCE).max_failed_pixels(0);
    let mut results = SnapshotResults::new();
    for scene in scenes::all() {
        let name = scene.name;
        let mut harness = stage(scene);
        results.add(harness.try_snapshot_options(name, &options));
    }
    results.unwrap();
}

#[test]
fn every_state_has_a_picture_and_every_picture_a_state() {
    let mut states: Vec<String> = scenes::all().iter().map(|scene| scene.name.to_string()).collect();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/snapshots");
    let mut pictures: Vec<String> = std::fs::read_dir(folder)
        .expect("the folder of pictures is in the repository")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter_map(|file| file.strip_suffix(".png").map(str::to_string))
        .filter(|name| ![".new", ".old", ".diff"].iter().any(|ending| name.ends_with(ending)))
        .collect();
    states.sort();
    pictures.sort();
    assert_eq!(states, pictures);
}
