//! From an imported collection to feature maps.

#![allow(clippy::unwrap_used)]

#[path = "common/cli.rs"]
mod cli;
#[path = "common/runs.rs"]
mod runs;
#[path = "common/sounds.rs"]
mod sounds;

use cli::{Place, run};
use mixing_buddy_core::audio::{MODEL_RATE_HZ, decode_at_rate};
use mixing_buddy_core::{CancelFlag, Engine, Request, Stem};
use mixing_buddy_trainer::mixing::cache::{MapCache, MapHeader};
use mixing_buddy_trainer::protocol::{Category, WINDOW_S};
use runs::{ADVISOR, tuned};
use sounds::{RATE_HZ, has_ffmpeg, mixture, musdb_song, stem_mp4, stem_samples, write_wav};
use std::path::Path;

fn import(collection: &Path, layout: &str, index: &str) {
    run(&["data", "import", collection.to_str().unwrap(), "--layout", layout, "--out", index]).unwrap();
}

/// Name and split of the songs in a cache, by name.
fn splits(cache: &str) -> Vec<(String, String)> {
    let songs = MapCache::open(Path::new(cache), |_| true).unwrap().songs;
    songs.iter().map(|song| (song.header.song.clone(), song.header.split.to_string())).collect()
}

fn pair(name: &str, split: &str) -> (String, String) {
    (name.into(), split.into())
}

#[test]
fn an_index_of_musdb_keeps_its_splits_and_leaves_out_what_was_refused() {
    let dir = Place::new();
    let text = |name: &str| dir.text(name);
    let collection = dir.path("musdb");
    for (seed, song) in
        ["train/A Band - One", "train/Leaf - Summerghost", "train/Bad - Song", "test/B Band - Two"]
            .into_iter()
            .enumerate()
    {
        musdb_song(&collection.join(song), seed as u64 + 1, 21.0);
    }
    std::fs::remove_file(collection.join("train/Bad - Song/bass.wav")).unwrap();
    let index = text("musdb.index");
    import(&collection, "musdb", &index);

    let prepare = |out: &str, more: &[&str]| {
        run(&[&["prepare", "--index", &index, "--out", out, "--variants", "1"], more].concat())
    };
    let none = text("none");
    prepare(&none, &["--calib-share", "0"]).unwrap();
    let (one, two) = (pair("A Band - One", "train"), pair("B Band - Two", "test"));
    let validation = pair("Leaf - Summerghost", "calib");
    assert_eq!(splits(&none), [one, two.clone(), validation.clone()]);
    let all = text("all");
    prepare(&all, &["--calib-share", "1"]).unwrap();
    assert_eq!(splits(&all), [pair("A Band - One", "calib"), two, validation]);

    // Only what trains gets variants: two windows as they are, and one of each that is shifted or more.
    let windows = |cache: &str, song: &str| {
        let songs = MapCache::open(Path::new(cache), |header| header.song == song).unwrap().songs;
        songs[0].header.windows.iter().map(|window| window.variant).collect::<Vec<_>>()
    };
    assert!(windows(&none, "A Band - One").contains(&1));
    assert_eq!(windows(&all, "A Band - One"), [0, 0]);

    // A moved collection is found by --root; a changed one is refused.
    let moved = dir.path("moved");
    std::fs::rename(&collection, &moved).unwrap();
    let sentence = prepare(&text("gone"), &[]).unwrap_err();
    assert!(sentence.contains("musdb.index cannot be used"), "{sentence}");
    prepare(&text("found"), &["--root", moved.to_str().unwrap()]).unwrap();
    let bass = moved.join("test/B Band - Two/bass.wav");
    write_wav(&bass, &stem_samples(Stem::Bass, 9, 20.5, RATE_HZ), RATE_HZ);
    let sentence = prepare(&text("changed"), &["--root", moved.to_str().unwrap()]).unwrap_err();
    assert!(sentence.contains("bass.wav was changed"), "{sentence}");
    prepare(&text("trusted"), &["--root", moved.to_str().unwrap(), "--trust-index"]).unwrap();
}

/// The maps of a folder of songs and of its index hold the same, file by file and added up.
#[test]
fn an_index_gives_the_maps_that_its_folder_gives() {
    let dir = Place::new();
    let text = |name: &str| dir.text(name);
    let song = dir.path("songs/My Song");
    for (name, stem, seed) in [
        ("vocals_lead", Stem::Vocals, 1),
        ("vocals_double", Stem::Vocals, 2),
        ("drums", Stem::Drums, 1),
        ("bass", Stem::Bass, 1),
    ] {
        write_wav(&song.join(format!("{name}.wav")), &stem_samples(stem, seed, 21.0, RATE_HZ), RATE_HZ);
    }
    let (index, by_folder, by_index) = (text("songs.index"), text("by-folder"), text("by-index"));
    import(&dir.path("songs"), "folder", &index);
    run(&["prepare", "--songs", &text("songs"), "--out", &by_folder, "--variants", "0"]).unwrap();
    run(&["prepare", "--index", &index, "--out", &by_index, "--variants", "0", "--calib-share", "0"])
        .unwrap();
    let maps = |cache: &str| {
        let cache = MapCache::open(Path::new(cache), MapHeader::is_for_training).unwrap();
        let song = &cache.songs[0];
        let header = &song.header;
        let mut all = Vec::new();
        for window in 0..header.windows.len() {
            for pair in 0..header.pairs() {
                let mut map = vec![0.0; header.cells()];
                song.read(window, pair, &mut map);
                all.extend(map);
            }
        }
        (header.stems.clone(), all)
    };
    let (folder, index) = (maps(&by_folder), maps(&by_index));
    assert_eq!(folder.0, [Stem::Vocals, Stem::Drums, Stem::Bass]);
    assert!(folder == index);
}

/// The whole way of a researcher with a collection of their own, to a model that gives advice.
#[test]
fn a_collection_becomes_a_model_that_advises() {
    let place = Place::new();
    let text = |name: &str| place.text(name);
    for seed in 1..=2 {
        musdb_song(&place.path(&format!("musdb/train/Band {seed} - Song")), seed, 21.0);
    }
    // Songs that MUSDB18 names for validation.
    let held_out =
        ["Leaf - Summerghost", "Triviul - Angelsaint", "Actions - One Minute Smile", "Meaxic - Take A Step"];
    for (seed, song) in (3..).zip(held_out) {
        musdb_song(&place.path("musdb/train").join(song), seed, 21.0);
    }
    import(&place.path("musdb"), "musdb", &text("songs.index"));
    let (index, cache) = (text("songs.index"), text("cache"));
    run(&["prepare", "--index", &index, "--out", &cache, "--variants", "0", "--calib-share", "0"]).unwrap();

    // Some of the held-out songs are for the advisor, the others for its calibration.
    let advisor = ADVISOR.replace("unheard = 0.0", "unheard = 0.5");
    tuned(&place, &cache, &advisor);
    let (encoder, out) = (text("run1/encoder.safetensors"), text("bundle"));
    let parts = ["--encoder", &encoder, "--cache", &cache, "--name", "mine", "--out", &out];
    run(&[&["export", &text("run3"), "--format", "bundle", "--model-version", "1"], &parts[..]].concat())
        .unwrap();

    // The bundle itself can be tuned further.
    let mine = text("bundle/mine.mixbuddy");
    let parts = ["--cache", &cache, "--encoder", &mine, "--decoder", &mine, "--out", &text("again")];
    run(&[&["train", "advisor", "--config", &text("advisor.toml")], &parts[..]].concat()).unwrap();

    let cancel = CancelFlag::new();
    let engine = Engine::open(Some(mine.as_ref()), &cancel).unwrap();
    let mix = place.path("musdb/train/Band 1 - Song/mixture.wav");
    let mut window = decode_at_rate(&mix, MODEL_RATE_HZ, &cancel).unwrap();
    let frames = WINDOW_S * MODEL_RATE_HZ as usize;
    window.left.truncate(frames);
    window.right.truncate(frames);
    let analysis = engine.analyze(&window, &cancel).unwrap();
    let advice = engine.answer(&analysis, &Request::default(), &cancel).unwrap();
    assert!(Category::of_verdict(advice.best.verdict).is_some(), "{advice:?}");
    assert!((0.0..=1.0).contains(&advice.confidence) && !advice.text.is_empty(), "{advice:?}");
}

/// MUSDB18 as one file per song: its five streams are read, and their levels kept.
#[test]
fn stem_files_are_prepared_like_folders_of_stems() {
    if !has_ffmpeg() {
        return;
    }
    let (dir, work) = (Place::new(), tempfile::tempdir().unwrap());
    let text = |name: &str| dir.text(name);
    stem_mp4(&dir.path("streams/train/Song.stem.mp4"), work.path(), 1, 5);
    for stem in Stem::ALL {
        let to = dir.path(&format!("files/train/Song/{stem}.wav"));
        write_wav(&to, &stem_samples(stem, 1, 12.0, 44_100), 44_100);
    }
    write_wav(&dir.path("files/train/Song/mixture.wav"), &mixture(1, 12.0, 44_100), 44_100);
    let powers = |name: &str, layout: &str| {
        let (index, cache) = (text(&format!("{name}.json")), text(&format!("{name}-cache")));
        import(&dir.path(name), layout, &index);
        run(&["prepare", "--index", &index, "--out", &cache, "--variants", "0", "--calib-share", "0"])
            .unwrap();
        let cache = MapCache::open(Path::new(&cache), MapHeader::is_for_training).unwrap();
        let header = &cache.songs[0].header;
        assert_eq!(header.stems, Stem::ALL);
        header.windows.iter().map(|window| window.power.clone()).collect::<Vec<_>>()
    };
    let (streams, files) = (powers("streams", "musdb-stem"), powers("files", "musdb"));
    assert!(!files.is_empty() && streams.len() == files.len());
    for (stream, file) in streams.iter().flatten().zip(files.iter().flatten()) {
        let off_db = 10.0 * (stream / file).log10();
        assert!(off_db.abs() < 0.5, "{off_db} dB");
    }
}

#[test]
fn songs_come_from_a_folder_or_an_index() {
    let sentence = run(&["prepare", "--out", "x"]).unwrap_err();
    assert!(
        sentence.contains("give a folder of songs (--songs), an index (--index) or shards (--shards)"),
        "{sentence}"
    );
    // Options of an index cannot be used with a folder.
    for (option, value) in [("--index", "b"), ("--root", "b"), ("--shards", "b")] {
        let sentence = run(&["prepare", "--out", "x", "--songs", "a", option, value]).unwrap_err();
        assert!(
            sentence.contains("'--songs <SONGS>' cannot be used with") && sentence.contains(option),
            "{sentence}"
        );
    }
    let sentence = run(&["prepare", "--out", "x", "--songs", "a", "--trust-index"]).unwrap_err();
    assert!(sentence.contains("--trust-index"), "{sentence}");
}

#[test]
fn commands_that_moved_or_get_a_file_for_a_folder_are_refused_with_a_sentence() {
    let place = Place::new();
    let name = place.write("tones.wav", "no sound");
    let sentence = run(&["evaluate", "--songs", &name]).unwrap_err();
    assert!(sentence.contains("tones.wav"), "{sentence}");
    let sentence = run(&["advise", "song.wav", "--json"]).unwrap_err();
    assert!(sentence.contains("mixing-buddy advise"), "{sentence}");
}
