//! Training runs as a user starts, kills, resumes and misconfigures them.

#![allow(clippy::unwrap_used)]

#[path = "common/cli.rs"]
mod cli;
#[path = "common/maps.rs"]
mod maps;
#[path = "common/runs.rs"]
mod runs;
#[path = "common/sounds.rs"]
mod sounds;

use candle_core::Tensor;
use cli::{Place, run, trainer};
use maps::{bits, cache};
use mixing_buddy_trainer::weights::load_tensors;
use rand::{Rng, SeedableRng};
use runs::{ADVISOR, DECODER, ENCODER, TOKENIZER, tuned};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Starts a run, kills it with SIGKILL at a random moment once it has a checkpoint, resumes it, kills it again, and
/// lets it end. Returns how many kills hit a running process.
fn run_with_kills(args: &[String], out: &Path, seed: u64) -> usize {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    let mut kills = 0;
    for attempt in 0..3 {
        let mut child = trainer();
        child.args(args).stdout(Stdio::null()).stderr(Stdio::null());
        if attempt > 0 {
            child.arg("--resume");
        }
        let mut child = child.spawn().unwrap();
        let began = Instant::now();
        while !out.join("last.safetensors").exists() && child.try_wait().unwrap().is_none() {
            assert!(began.elapsed() < Duration::from_secs(120), "no checkpoint after two minutes");
            std::thread::sleep(Duration::from_millis(5));
        }
        std::thread::sleep(Duration::from_millis(rng.random_range(0..250)));
        if child.try_wait().unwrap().is_none() {
            // SIGKILL: the process cannot clean up.
            child.kill().unwrap();
            kills += 1;
        }
        child.wait().unwrap();
    }
    run(&[args, &["--resume".to_string()]].concat()).unwrap();
    kills
}

fn same_after_kills(args: &dyn Fn(&str) -> Vec<String>, place: &Place, weights: &str) {
    run(&args("whole")).unwrap();
    let kills = run_with_kills(&args("killed"), &place.path("killed"), 5);
    assert!(kills > 0, "every run ended before it could be killed: make it longer");
    for file in ["last.safetensors", weights] {
        let (whole, killed) = (bits(&place.path("whole").join(file)), bits(&place.path("killed").join(file)));
        assert!(!whole.is_empty());
        assert_eq!(whole, killed, "{file} differs after {kills} kills");
    }
    let steps = |run: &str| {
        let text = std::fs::read_to_string(place.path(run).join("losses.csv")).unwrap();
        text.lines().skip(1).map(|line| line.split(',').next().unwrap().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(steps("whole"), steps("killed"));
}

#[test]
fn a_killed_decoder_run_resumes_to_the_same_weights() {
    let place = Place::new();
    let config = place.write("decoder.toml", DECODER);
    let args = |out: &str| {
        ["train", "decoder", "--config", &config, "--tokenizer", TOKENIZER, "--out", &place.text(out)]
            .map(String::from)
            .to_vec()
    };
    same_after_kills(&args, &place, "decoder.safetensors");
}

#[test]
fn a_killed_encoder_run_resumes_to_the_same_weights() {
    let place = Place::new();
    let (config, cache) = (place.write("encoder.toml", ENCODER), cache(&place));
    let args = |out: &str| {
        ["train", "encoder", "--config", &config, "--cache", &cache, "--out", &place.text(out)]
            .map(String::from)
            .to_vec()
    };
    same_after_kills(&args, &place, "encoder.safetensors");
}

/// The state at the end of the run that this configuration describes, in the folder `name`.
fn encoder_state(place: &Place, cache: &str, name: &str, config: &str) -> BTreeMap<String, Vec<u32>> {
    let config = place.write(&format!("{name}.toml"), config);
    run(&["train", "encoder", "--config", &config, "--cache", cache, "--out", &place.text(name)]).unwrap();
    bits(&place.path(name).join("last.safetensors"))
}

#[test]
fn micro_batches_give_the_weights_of_one_batch_of_their_size() {
    let place = Place::new();
    let cache = cache(&place);
    let steps = |steps: &str, more: &str| {
        ENCODER.replace("batch = 2\nshards = 1\n", more).replace("steps = 24", steps)
    };
    // Two parts of four examples, in parallel and one after the other: their gradients are added in the same order.
    let whole = encoder_state(&place, &cache, "whole", &steps("steps = 2", "batch = 8\nshards = 2\n"));
    let micro = encoder_state(
        &place,
        &cache,
        "micro",
        &steps("steps = 2", "batch = 4\naccumulate = 2\nshards = 1\n"),
    );
    assert!(whole.keys().any(|name| name.starts_with("weights.")));
    assert_eq!(whole, micro);

    let decoder = |name: &str, more: &str| {
        let text = DECODER.replace("batch = 2\nshards = 1\n", more).replace("steps = 60", "steps = 2");
        let config = place.write(&format!("{name}.toml"), &text);
        let out = place.text(name);
        run(&["train", "decoder", "--config", &config, "--tokenizer", TOKENIZER, "--out", &out]).unwrap();
        bits(&place.path(name).join("last.safetensors"))
    };
    let whole = decoder("decoder-whole", "batch = 4\nshards = 2\n");
    assert_eq!(whole, decoder("decoder-micro", "batch = 2\naccumulate = 2\nshards = 1\n"));
}

#[test]
fn keep_of_start_is_the_share_of_the_old_weights() {
    let place = Place::new();
    let cache = cache(&place);
    let short = ENCODER.replace("steps = 24", "steps = 4");
    encoder_state(&place, &cache, "start", &short);
    let start = place.path("start/encoder.safetensors");
    let after = |name: &str, more: &str| {
        let config = format!("start_from = {start:?}\nseed = 2\n{more}{short}");
        encoder_state(&place, &cache, name, &config);
        load_tensors(&place.path(name).join("encoder.safetensors")).unwrap().0
    };
    let (new, kept) = (after("new", ""), after("kept", "keep_of_start = 0.25\n"));
    let start = load_tensors(&start).unwrap().0;
    let mut moved = 0;
    for (name, tensor) in &new {
        let [new, old, kept] = [tensor, &start[name], &kept[name]]
            .map(|tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap());
        for ((new, old), kept) in new.iter().zip(&old).zip(&kept) {
            assert!((0.75 * new + 0.25 * old - kept).abs() < 1e-6, "{name}");
            moved += usize::from(new != old);
        }
    }
    assert!(moved > 1000, "{moved} weights moved");

    // Weights of an encoder of another size are refused; the run does not start from fresh weights in silence.
    let start_text = place.text("start/encoder.safetensors");
    let wide = short.replace("hidden = 32", "hidden = 48");
    for (config, words) in [
        (format!("start_from = {start_text:?}\n{wide}"), "of another shape: "),
        (format!("start_from = {start_text:?}\n{}", short.replace("layers = 1", "layers = 2")), "missing: "),
    ] {
        let config = place.write("misfit.toml", &config);
        let out = place.text("misfit");
        let args = ["train", "encoder", "--config", &config, "--cache", &cache, "--out", &out, "--resume"];
        let sentence = run(&args).unwrap_err();
        assert!(sentence.contains("does not fit this encoder") && sentence.contains(words), "{sentence}");
    }

    let config = place.write("wrong.toml", &format!("keep_of_start = 0.25\n{short}"));
    let args = ["train", "encoder", "--config", &config, "--cache", &cache, "--out", &place.text("wrong")];
    let sentence = run(&args).unwrap_err();
    assert!(sentence.contains("keep_of_start is a share"), "{sentence}");
}

#[test]
fn loaders_do_not_change_the_weights() {
    let place = Place::new();
    let cache = cache(&place);
    let with = |loaders: usize| {
        let config = ENCODER
            .replace("batch = 2\nshards = 1\n", &format!("batch = 4\nshards = 2\nloaders = {loaders}\n"))
            .replace("steps = 24", "steps = 6");
        encoder_state(&place, &cache, &format!("loaders-{loaders}"), &config)
    };
    let without = with(0);
    assert_eq!(without, with(1));
    assert_eq!(without, with(3));
}

#[test]
fn a_killed_run_with_micro_batches_and_loaders_resumes_to_the_same_weights() {
    let place = Place::new();
    let text =
        ENCODER.replace("shards = 1\n", "shards = 1\naccumulate = 2\nloaders = 2\n").replace("= 24", "= 16");
    let (config, cache) = (place.write("encoder.toml", &text), cache(&place));
    let args = |out: &str| {
        ["train", "encoder", "--config", &config, "--cache", &cache, "--out", &place.text(out)]
            .map(String::from)
            .to_vec()
    };
    same_after_kills(&args, &place, "encoder.safetensors");
}

#[test]
fn a_run_writes_a_report_of_its_settings_and_figures() {
    let place = Place::new();
    let text =
        ENCODER.replace("steps = 24", "steps = 40").replace("measure_steps = 1000", "measure_steps = 20");
    let (config, cache) = (place.write("encoder.toml", &text), cache(&place));
    let out = place.text("run");
    run(&["train", "encoder", "--config", &config, "--cache", &cache, "--out", &out]).unwrap();
    let report = std::fs::read_to_string(place.path("run/report.md")).unwrap();
    for words in [
        "# Encoder",
        "| steps | 40 of 40 |",
        "| time | ",
        "| mask | ",
        " at step 40 |",
        "| best median error on `calib` songs",
        "![Figures by step](plot.png)",
        "hidden = 32",
    ] {
        assert!(report.contains(words), "{words} is not in\n{report}");
    }
    let mut losses = csv::Reader::from_path(place.path("run/losses.csv")).unwrap();
    let columns = losses.headers().unwrap().clone();
    let last = losses.records().last().unwrap().unwrap();
    for name in ["calib_missed", "calib_imagined"] {
        let at = columns.iter().position(|column| column == name).unwrap();
        let share: f64 = last[at].parse().unwrap();
        assert!((0.0..=1.0).contains(&share), "{name}: {share}");
    }
}

#[test]
fn a_device_that_this_build_does_not_support_is_refused_by_name() {
    let place = Place::new();
    let config = place.write("decoder.toml", DECODER);
    let start = |device: &str| {
        let out = place.text("run");
        let args = ["--config", &config, "--tokenizer", TOKENIZER, "--out", &out, "--device", device];
        let done = trainer().args(["train", "decoder"]).args(args).output().unwrap();
        (done.status.code(), String::from_utf8_lossy(&done.stderr).into_owned())
    };
    let (code, sentence) = start("gpu");
    assert_eq!(code, Some(1));
    assert!(
        sentence.contains("the device 'gpu' is not known; the devices are cpu, cuda and metal"),
        "{sentence}"
    );
    for (device, feature) in [("cuda:1", "cuda"), ("metal", "metal")] {
        let (code, sentence) = start(device);
        assert_eq!(code, Some(1));
        // A build with the feature finds no such device on a machine without one.
        let is_missing = sentence.contains(&format!("build the trainer with `--features {feature}`"));
        assert!(is_missing || sentence.contains(&format!("'{device}' cannot be used")), "{sentence}");
    }
    assert!(!place.path("run").exists());
}

#[test]
fn a_killed_preference_run_resumes_to_the_same_weights_and_can_be_exported() {
    let place = Place::new();
    let cache = cache(&place);
    tuned(&place, &cache, ADVISOR);
    let config = place.write(
        "dpo.toml",
        "steps = 40\nbatch = 2\nshards = 1\ncheckpoint_steps = 2\nmixes = 3\nunheard = 0.0\nvalidation_mixes = 2\n\
         [optimizer]\nlearning_rate = 0.001\nwarmup_steps = 0\n[simulation]\nsummary = 8\n",
    );
    let (e, a) = (place.text("run1/encoder.safetensors"), place.text("run3/advisor.safetensors"));
    let args = |out: &str| -> Vec<String> {
        let files = ["--config", &config, "--cache", &cache, "--encoder", &e, "--advisor", &a];
        [&["train", "dpo"], &files[..], &["--out", &place.text(out)]]
            .concat()
            .iter()
            .map(|a| a.to_string())
            .collect()
    };
    same_after_kills(&args, &place, "dpo.safetensors");
    let (before, after) = (bits(Path::new(&a)), bits(&place.path("whole/dpo.safetensors")));
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
    for (name, values) in &before {
        let is_frozen = name.starts_with("decoder.") && !name.contains(".lora_");
        assert!(!is_frozen || *values == after[name], "{name} is frozen");
    }
    let weights = place.text("whole/dpo.safetensors");
    run(&[
        "export",
        &weights,
        "--format",
        "peft",
        "--model-version",
        "1",
        "--encoder",
        &e,
        "--out",
        &place.text("hub"),
    ])
    .unwrap();
    // A decoder without an adapter is not an advisor.
    let decoder = place.text("run2/decoder.safetensors");
    let wrong: Vec<String> =
        args("no").iter().map(|arg| if *arg == a { decoder.clone() } else { arg.clone() }).collect();
    let sentence = run(&wrong).unwrap_err();
    assert!(sentence.contains("holds no adapter"), "{sentence}");
}

#[test]
fn qlora_tunes_and_exports_its_quantized_base() {
    let place = Place::new();
    tuned(
        &place,
        &cache(&place),
        &ADVISOR.replace("unheard = 0.0", "unheard = 0.0\nvalidation_mixes = 2\nquantize_base = true"),
    );
    let text = |name: &str| place.text(name);
    let e = text("run1/encoder.safetensors");
    let (base, tuned) =
        (bits(&place.path("run2/decoder.safetensors")), bits(&place.path("run3/advisor.safetensors")));
    let mut rounded = 0;
    for (name, before) in &base {
        let after = &tuned[name];
        if name.ends_with("_proj.weight") {
            rounded += usize::from(before != after);
            let close =
                before.iter().zip(after).all(|(a, b)| (f32::from_bits(*a) - f32::from_bits(*b)).abs() < 0.02);
            assert!(close, "{name} is not the base in 8 bits");
        } else if name.starts_with("decoder.") {
            assert_eq!(before, after, "{name} is frozen");
        }
    }
    assert_eq!(rounded, 7);
    assert_eq!(tuned.keys().filter(|name| name.contains(".lora_")).count(), 4);
    let csv = std::fs::read_to_string(place.path("run3/losses.csv")).unwrap();
    assert!(csv.lines().any(|line| line.starts_with("4,") && !line.ends_with(',')), "{csv}");
    run(&[
        "export",
        &text("run3"),
        "--format",
        "peft",
        "--model-version",
        "1",
        "--encoder",
        &e,
        "--out",
        &text("hub"),
    ])
    .unwrap();
    run(&["import-adapter", &text("hub"), "--out", &text("back.safetensors")]).unwrap();
    assert_eq!(bits(&place.path("back.safetensors")), tuned);
    assert_eq!(bits(&place.path("hub/encoder.safetensors")), bits(&place.path("run1/encoder.safetensors")));
}

#[test]
fn a_loss_that_is_not_a_number_stops_the_run_and_names_the_last_weights() {
    let place = Place::new();
    let fast = DECODER
        .replace("checkpoint_steps = 4", "checkpoint_steps = 1")
        .replace("0.003", "3e37")
        .replace("warmup_steps = 10", "warmup_steps = 0");
    let config = place.write("decoder.toml", &fast);
    let out = place.text("run");
    let sentence =
        run(&["train", "decoder", "--config", &config, "--tokenizer", TOKENIZER, "--out", &out]).unwrap_err();
    assert!(sentence.contains("step 2") || sentence.contains("step 3"), "{sentence}");
    assert!(sentence.contains("last.safetensors holds the last good weights"), "{sentence}");
    let (state, metadata) = load_tensors(&place.path("run/last.safetensors")).unwrap();
    let finite = |tensor: &Tensor| {
        tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap().iter().all(|v| v.is_finite())
    };
    assert!(state.iter().filter(|(name, _)| name.starts_with("weights.")).all(|(_, tensor)| finite(tensor)));
    assert!(
        sentence.contains(&format!("step {}", metadata["step"].parse::<usize>().unwrap() + 1)),
        "{sentence}"
    );
}

#[test]
fn a_run_ends_early_when_nothing_improves_and_keeps_the_best() {
    let place = Place::new();
    // Without learning no measurement is better than the first.
    let stuck = DECODER
        .replace("0.003", "0.0")
        .replace("projector_inner", "validation_examples = 4\nprojector_inner")
        + "[early_stop]\npatience = 2\nleast_gain = 0.0001\n";
    let config = place.write("decoder.toml", &stuck);
    let out = place.text("run");
    let args = ["train", "decoder", "--config", &config, "--tokenizer", TOKENIZER, "--out", &out];
    run(&args).unwrap();
    let step = |name: &str| load_tensors(&place.path("run").join(name)).unwrap().1["step"].clone();
    assert_eq!((step("last.safetensors"), step("decoder-best.safetensors")), ("12".into(), "4".into()));
    // A resumed run that has ended takes no step.
    run(&[&args[..], &["--resume"]].concat()).unwrap();
    assert_eq!(step("last.safetensors"), "12");
    let events = std::fs::read_dir(place.path("run")).unwrap().filter_map(Result::ok);
    assert_eq!(events.filter(|entry| entry.file_name().to_string_lossy().contains("tfevents")).count(), 2);
}

#[test]
fn configurations_and_checkpoints_that_do_not_fit_are_refused_by_name() {
    let place = Place::new();
    let out = place.text("run");
    let start = |config: &str, more: &[&str]| {
        let config = place.write("decoder.toml", config);
        let args = ["train", "decoder", "--config", &config, "--tokenizer", TOKENIZER, "--out", &out];
        run(&[&args[..], more].concat())
    };
    let short = DECODER.replace("60", "4");
    let sentence = start(&short.replace("batch", "batsh"), &[]).unwrap_err();
    assert!(sentence.contains("batsh"), "{sentence}");
    let sentence = start(&short.replace("hidden_size = 32", "hidden_sise = 32"), &[]).unwrap_err();
    assert!(sentence.contains("hidden_sise"), "{sentence}");
    start(&short, &[]).unwrap();
    let sentence = start(&short, &[]).unwrap_err();
    assert!(sentence.contains("last.safetensors exists: resume it"), "{sentence}");
    let sentence = start(&short.replace("hidden_size = 32", "hidden_size = 64"), &["--resume"]).unwrap_err();
    assert!(sentence.contains("another configuration"), "{sentence}");
    // The checkpoint of a run with other sizes, put in this one's place.
    let other = Place::new();
    let wide = other.write("decoder.toml", &short.replace("hidden_size = 32", "hidden_size = 64"));
    run(&["train", "decoder", "--config", &wide, "--tokenizer", TOKENIZER, "--out", &other.text("run")])
        .unwrap();
    let mut bytes = std::fs::read(other.path("run/last.safetensors")).unwrap();
    // Both texts have the same length, so that the file stays valid.
    let (from, to) = (b"hidden_size = 64", b"hidden_size = 32");
    let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
    bytes[at..at + to.len()].copy_from_slice(to);
    std::fs::write(place.path("run/last.safetensors"), &bytes).unwrap();
    let sentence = start(&short, &["--resume"]).unwrap_err();
    assert!(sentence.contains("another architecture") && sentence.contains("decoder.model"), "{sentence}");
    std::fs::write(place.path("run/last.safetensors"), &bytes[..bytes.len() / 2]).unwrap();
    let sentence = start(&short, &["--resume"]).unwrap_err();
    assert!(sentence.contains("last.safetensors is damaged"), "{sentence}");
}
