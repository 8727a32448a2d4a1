//! A whole model by a plan, as a user starts, interrupts, resumes and misconfigures it.

#![allow(clippy::unwrap_used, reason = "a test that cannot continue panics with the reason")]

#[path = "common/cli.rs"]
mod cli;
#[path = "common/sounds.rs"]
mod sounds;

use candle_core::Tensor;
use cli::{Place, answer, run, trainer};
use mixing_buddy_trainer::weights::load_tensors;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// One shard each, so that sums are made in one order. Two encoder stages, the second from the first.
const PLAN: &str = r#"
[bundle]
version = "1.2.3"
[prepare]
variants = 0
[[encoder]]
name = "first"
steps = 800
batch = 2
shards = 1
checkpoint_steps = 200
measure_steps = 1000000
measure_mixes = 100
[encoder.encoder]
hidden = 32
intermediate = 64
layers = 1
heads = 2
summary = 8
[[encoder]]
name = "second"
start_from = "first"
keep_of_start = 0.25
seed = 2
steps = 600
batch = 2
shards = 1
checkpoint_steps = 200
measure_steps = 1000000
measure_mixes = 100
[encoder.encoder]
hidden = 32
intermediate = 64
layers = 1
heads = 2
summary = 8
[decoder]
steps = 20000
batch = 2
shards = 1
checkpoint_steps = 200
projector_inner = 16
[decoder.decoder]
hidden_size = 32
intermediate_size = 64
num_hidden_layers = 1
num_attention_heads = 2
num_key_value_heads = 1
[decoder.simulation]
summary = 8
[advisor]
steps = 400
batch = 2
shards = 1
mixes = 300
held_out_share = 0.0
validation_mixes = 200
[advisor.lora]
rank = 4
alpha = 8.0
dropout = 0.05
target_modules = ["q_proj", "down_proj"]
[advisor.simulation]
summary = 8
"#;

/// Four songs of 25 s: two to train on, two for calibration.
fn songs(place: &Place) -> String {
    for (seed, split) in [(1, "train"), (2, "train"), (3, "calib"), (4, "calib")] {
        let dir = place.path(&format!("songs/Song {seed}"));
        sounds::musdb_song(&dir, seed, 25.0);
        std::fs::write(dir.join("song.json"), format!(r#"{{"split": "{split}"}}"#)).unwrap();
    }
    place.text("songs")
}

/// The weights of a file, bit by bit. (The order of its metadata differs from run to run.)
fn bits(path: &Path) -> BTreeMap<String, Vec<u32>> {
    let of = |tensor: &Tensor| {
        tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap().iter().map(|v| v.to_bits()).collect()
    };
    load_tensors(path).unwrap().0.iter().map(|(name, tensor)| (name.clone(), of(tensor))).collect()
}

/// Waits until a file exists; the child must still run then.
fn wait_for(file: &Path, child: &mut std::process::Child) {
    let started = Instant::now();
    while !file.exists() {
        assert!(child.try_wait().unwrap().is_none(), "ended before {} existed", file.display());
        assert!(started.elapsed() < Duration::from_secs(120), "no {} after two minutes", file.display());
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn an_interrupted_plan_resumes_to_the_same_model() {
    let place = Place::new();
    let (plan, songs) = (place.write("plan.toml", PLAN), songs(&place));
    let args = |out: &str| -> Vec<String> {
        let args = ["train", "plan", "--plan", &plan, "--songs", &songs, "--scale", "0.01", "--out"];
        args.into_iter().map(String::from).chain([place.text(out)]).collect()
    };
    run(&args("whole")).unwrap();
    // Once in the first encoder stage, once in the decoder.
    let killed = place.path("killed");
    for (attempt, stage) in ["encoder-first", "decoder"].into_iter().enumerate() {
        let mut command = trainer();
        command.args(args("killed")).stdout(Stdio::null()).stderr(Stdio::null());
        if attempt > 0 {
            command.arg("--resume");
        }
        let mut child = command.spawn().unwrap();
        wait_for(&killed.join(stage).join("last.safetensors"), &mut child);
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(!killed.join("advisor").exists(), "killed before the advisor");
    let written = |stage: &str| {
        let path = killed.join(stage).join("encoder.safetensors");
        std::fs::metadata(path).unwrap().modified().unwrap()
    };
    let before = written("encoder-first");
    let done = answer(&[args("killed"), vec!["--resume".into()]].concat());
    let log = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{log}");
    assert!(log.contains("stage 2 of 6, encoder-first: finished"), "{log}");
    assert_eq!(before, written("encoder-first"), "a finished stage is skipped");
    for file in
        ["encoder-second/encoder.safetensors", "decoder/decoder.safetensors", "advisor/advisor.safetensors"]
    {
        let [whole, killed] = ["whole", "killed"].map(|out| bits(&place.path(out).join(file)));
        assert!(!whole.is_empty() && whole == killed, "{file} differs");
    }
    let bundle = |out: &str| std::fs::read(place.path(out).join("compact.mixbuddy")).unwrap();
    assert!(bundle("whole") == bundle("killed"), "the bundles differ");
    let summary = std::fs::read_to_string(killed.join("summary.md")).unwrap();
    for words in ["| cache |", "4 songs", "| encoder-second |", "| decoder |", "| advisor |", "version 1.2.3"]
    {
        assert!(summary.contains(words), "{words} is not in\n{summary}");
    }
    // A hundredth of each count.
    let config = std::fs::read_to_string(killed.join("encoder-second/config.toml")).unwrap();
    assert!(config.contains("\nsteps = 6\n") && config.contains("\nmeasure_mixes = 1\n"), "{config}");
}

#[test]
fn a_plan_that_cannot_be_run_is_refused_before_anything_is_written() {
    let place = Place::new();
    let start = |plan: &str, more: &[&str]| {
        let plan = place.write("plan.toml", plan);
        let out = place.text("out");
        run(&[&["train", "plan", "--plan", &plan, "--out", &out], more].concat()).unwrap_err()
    };
    let songs = ["--songs", "nowhere"];
    let sentence = start(&PLAN.replace("version = \"1.2.3\"", ""), &songs);
    assert!(sentence.contains("version"), "{sentence}");
    let sentence = start(&PLAN.replace("[advisor.lora]\nrank", "[advisor.lora]\nranc"), &songs);
    assert!(sentence.contains("[advisor]") && sentence.contains("ranc"), "{sentence}");
    let sentence = start(PLAN, &["--songs", "nowhere", "--scale", "0"]);
    assert!(sentence.contains("a number above 0 is needed"), "{sentence}");
    let sentence = start(PLAN, &["--songs", "nowhere", "--cache", "nowhere"]);
    assert!(sentence.contains("--cache"), "{sentence}");
    let sentence = start(PLAN, &[]);
    assert!(sentence.contains("--songs") || sentence.contains("--cache"), "{sentence}");
    assert!(!place.path("out").exists());
}
