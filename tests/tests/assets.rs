//! The files that ship: sizes, credits, licences.
use std::path::{Path, PathBuf};

fn assets() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets")
}

fn read(name: &str) -> String {
    std::fs::read_to_string(assets().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn the_demo_is_small_complete_and_free() {
    let size = |name: &str| std::fs::metadata(assets().join("demo").join(name)).map_or(0, |meta| meta.len());
    let sizes: Vec<u64> = ["vocals.ogg", "drums.ogg", "bass.ogg", "other.ogg"].map(size).to_vec();
    assert!(sizes.iter().all(|size| *size > 10_000), "{sizes:?}");
    assert!(sizes.iter().sum::<u64>() < 6_000_000, "{sizes:?}");
    assert!(read("demo/demo.json").contains("CC0-1.0"));
}

#[test]
fn every_file_is_small_enough_for_a_repository() {
    let mut folders = vec![assets()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let size = entry.metadata().map_or(u64::MAX, |meta| meta.len());
                assert!(size <= 20_000_000, "{} has {size} bytes", path.display());
            }
        }
    }
}

#[test]
fn every_source_of_the_weights_is_credited() {
    let notice = read("NOTICE");
    for source in [
        "freedoom",
        "openttd-openmsx",
        "simutrans-data",
        "planetblupi-music-midi",
        "mma",
        "LMMS",
        "fluid-gm",
        "musescore-general",
        "opl3",
        "timgm6mb",
        "ichbinsoftware",
        "webaudio-examples",
        "PJS",
        "vocadito",
        "strudel-producer-space-samples",
        "Dagstuhl ChoirSet",
        "MUSDB18",
        "CC-BY-SA 4.0",
    ] {
        assert!(notice.contains(source), "NOTICE does not name {source}");
    }
    assert!(read("MODEL_CARD.md").contains("Where it fails"));
}
