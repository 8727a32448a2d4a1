//! Random and randomly damaged inputs to the readers of small files: whatever they hold, the answer is a value or a sentence.
//!
//! The ordinary run tries a few hundred inputs per reader. `cargo xtask test --full inputs` tries as many as
//! `MIXING_BUDDY_FUZZ_CASES` says.

#![allow(clippy::unwrap_used)]

use candle_core::{Device, Tensor};
use mixing_buddy_core::{PerStem, Stem};
use mixing_buddy_trainer::collections::{
    Checks, ChunkEntry, FileEntry, Index, Layout, MeasuredSong, SongEntry, SongFiles, SongMeta,
    layouts::stems_of_medleydb,
};
use mixing_buddy_trainer::protocol::Split;
use mixing_buddy_trainer::weights::{
    Tensors, load_tensors, parse_adapter_config, parse_tensors, save_tensors,
};
use proptest::prelude::*;
use proptest::sample::Index as Position;
use proptest::test_runner::TestRunner;
use std::path::Path;

const ADAPTER_CONFIG: &str = r#"{"peft_type": "LORA", "r": 4, "lora_alpha": 8, "lora_dropout": 0.05, "bias": "none",
    "target_modules": ["q_proj", "v_proj"], "rank_pattern": {}, "use_dora": false, "init_lora_weights": true}"#;
const SONG_JSON: &str =
    r#"{"song": "S", "source": "real", "split": "calib", "licence": "CC0-1.0", "seconds": 64.93}"#;
const MEDLEYDB: &str = "stem_dir: A_STEMS\nmix_filename: A_MIX.wav\nhas_bleed: 'no'\nstems:\n  S01: &a\n    \
    filename: A_STEM_01.wav\n    instrument: female singer\n  S02:\n    filename: b.wav\n    instrument: [a, b]\n";

/// Changes to bytes: where, what, and the byte.
type Edits = Vec<(Position, u8, u8)>;

fn edited(seed: &[u8], edits: &Edits) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for (position, kind, byte) in edits {
        if bytes.is_empty() {
            break;
        }
        let at = position.index(bytes.len());
        match kind % 5 {
            0 => bytes[at] = *byte,
            1 => bytes.insert(at, *byte),
            2 => _ = bytes.remove(at),
            3 => bytes.truncate(at),
            _ => {
                // A piece of the file twice: lists in lists, keys twice, numbers too long.
                let piece = bytes[at..bytes.len().min(at + usize::from(*byte))].to_vec();
                bytes.splice(at..at, piece);
            }
        }
    }
    bytes
}

/// One input in eight is random, the others are the seed with one to eight changes.
fn inputs(seed: &'static [u8]) -> impl Strategy<Value = Vec<u8>> {
    let edits = prop::collection::vec((any::<Position>(), any::<u8>(), any::<u8>()), 1..9);
    prop_oneof![
        1 => prop::collection::vec(any::<u8>(), 0..200),
        7 => edits.prop_map(move |edits| edited(seed, &edits)),
    ]
}

/// A small safetensors file.
fn safetensors() -> &'static [u8] {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.safetensors");
    let tensor = |size: usize| Tensor::zeros(size, candle_core::DType::F32, &Device::Cpu).unwrap();
    let key = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight";
    let tensors = Tensors::from([(key.to_string(), tensor(4)), ("b".to_string(), tensor(3))]);
    save_tensors(&path, &tensors, &[("lora", "{\"rank\": 4}".to_string())]).unwrap();
    load_tensors(&path).unwrap();
    std::fs::read(path).unwrap().leak()
}

/// A small index.
fn index() -> &'static [u8] {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("songs.index");
    let chunk =
        ChunkEntry { level_dbfs: [-20.0; 4], mix_dbfs: -14.0, active_share: [1.0; 4], correlation: [0.0; 6] };
    let file = FileEntry { path: "v.wav".into(), track: None, bytes: 9, modified_ms: 1 };
    let mut files = SongFiles::default();
    files.stems[Stem::Vocals].push(file);
    let entry = SongEntry {
        name: "One".into(),
        split: Some(Split::Train),
        rate_hz: 8000,
        duration_s: 10.0,
        files,
        level_dbfs: PerStem::from_fn(|_| None),
        mix_dbfs: -14.0,
        checks: Checks::default(),
        chunks: 0..2,
    };
    let song = MeasuredSong { entry, chunks: vec![chunk; 2] };
    Index::new(Layout::Musdb, "/songs".into(), vec![song], Vec::new()).save(&path).unwrap();
    std::fs::read(path).unwrap().leak()
}

/// Whether bytes are an index all of whose chunks can be read.
fn is_index(bytes: &[u8], path: &Path) -> bool {
    std::fs::write(path, bytes).unwrap();
    let index = Index::load(path);
    index.is_ok_and(|index| index.songs.iter().all(|song| index.chunks(song).len() == song.chunks.len()))
}

fn try_inputs(cases: u32, seed: &'static [u8], read: impl Fn(&[u8]) -> bool) {
    assert!(read(seed), "the seed itself is valid");
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    TestRunner::new(config)
        .run(&inputs(seed), |bytes| {
            read(&bytes);
            Ok(())
        })
        .unwrap();
}

fn text(read: impl Fn(&str) -> bool) -> impl Fn(&[u8]) -> bool {
    move |bytes| read(&String::from_utf8_lossy(bytes))
}

/// Whether it takes these bytes.
type Reader<'a> = &'a dyn Fn(&[u8]) -> bool;

fn try_all(cases: u32) {
    let dir = tempfile::tempdir().unwrap();
    let readers: [(&str, &'static [u8], Reader<'_>); 5] = [
        ("adapter_config.json", ADAPTER_CONFIG.as_bytes(), &text(|text| parse_adapter_config(text).is_ok())),
        ("safetensors", safetensors(), &|bytes| match parse_tensors(bytes, Path::new("a.safetensors")) {
            // No file makes more tensors than it has bytes.
            Ok((tensors, _)) => {
                let held: usize = tensors.values().map(|tensor| tensor.elem_count()).sum();
                assert!(held <= bytes.len());
                true
            }
            Err(_) => false,
        }),
        ("an index", index(), &|bytes| is_index(bytes, &dir.path().join("songs.index"))),
        ("song.json", SONG_JSON.as_bytes(), &|bytes| SongMeta::parse(bytes).is_ok()),
        ("MedleyDB's metadata", MEDLEYDB.as_bytes(), &text(|text| stems_of_medleydb(text).is_ok())),
    ];
    for (name, seed, read) in readers {
        let started = std::time::Instant::now();
        try_inputs(cases, seed, read);
        eprintln!("{name}: {cases} inputs in {:.0} s", started.elapsed().as_secs_f64());
    }
}

#[test]
fn damaged_files_never_stop_the_program() {
    try_all(300);
}

#[test]
fn aliases_of_aliases_do_not_fill_the_memory() {
    let mut yaml = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_string();
    for level in 1..12 {
        let before = format!("*a{}", level - 1);
        let list = [before.as_str(); 10].join(", ");
        yaml.push_str(&format!("a{level}: &a{level} [{list}]\n"));
    }
    yaml.push_str("stem_dir: S\nstems:\n  S01:\n    filename: f.wav\n    instrument: *a11\n");
    stems_of_medleydb(&yaml).unwrap_err();
}

#[test]
#[ignore = "a long run: `cargo xtask test --full inputs`"]
fn many_damaged_files_never_stop_the_program() {
    let cases = std::env::var("MIXING_BUDDY_FUZZ_CASES").ok().and_then(|count| count.parse().ok());
    try_all(cases.expect("MIXING_BUDDY_FUZZ_CASES is the number of inputs per reader"));
}
