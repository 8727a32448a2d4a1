//! Training in many processes, as a user starts, kills and resumes it. Needs Open MPI and a build with it:
//! `cargo xtask test --full mpi`.
#![cfg(feature = "mpi")]
#![allow(clippy::unwrap_used)]

#[path = "common/cli.rs"]
mod cli;
#[path = "common/maps.rs"]
mod maps;
#[path = "common/mpirun.rs"]
mod mpirun;
#[path = "common/runs.rs"]
mod runs;
#[path = "common/sounds.rs"]
mod sounds;

use cli::{Place, run};
use maps::{bits, cache};
use mpirun::{TwoHosts, finish, kill, process_of, unlike_ranks, wait_for};
use rand::{Rng, SeedableRng};
use runs::{ADVISOR, DECODER, ENCODER, TOKENIZER, tuned};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// One test at a time: ranks wait for each other at full speed, so that tests side by side would starve.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A run with four shards, as the arguments of the trainer for a folder.
type Args<'a> = &'a dyn Fn(&str) -> Vec<String>;

fn four_shards(config: &str, more: &str) -> String {
    config.replace("batch = 2\nshards = 1\n", &format!("batch = 8\nshards = 4\n{more}"))
}

fn encoder_args<'a>(place: &'a Place, config: &str) -> impl Fn(&str) -> Vec<String> + 'a {
    let (config, cache) = (place.write("encoder.toml", config), cache(place));
    move |out: &str| {
        ["train", "encoder", "--config", &config, "--cache", &cache, "--out", &place.text(out)]
            .map(String::from)
            .to_vec()
    }
}

fn decoder_args<'a>(place: &'a Place, config: &str) -> impl Fn(&str) -> Vec<String> + 'a {
    let config = place.write("decoder.toml", config);
    move |out: &str| {
        ["train", "decoder", "--config", &config, "--tokenizer", TOKENIZER, "--out", &place.text(out)]
            .map(String::from)
            .to_vec()
    }
}

fn assert_same(place: &Place, one: &str, other: &str, weights: &str) {
    for file in ["last.safetensors", weights] {
        let (one, other) = (bits(&place.path(one).join(file)), bits(&place.path(other).join(file)));
        assert!(!one.is_empty());
        assert!(one == other, "{file} differs");
    }
    let steps =
        |run: &str| -> Vec<String> { rows(&place.path(run)).iter().map(|cells| cells[0].clone()).collect() };
    assert_eq!(steps(one), steps(other));
}

/// The log of a run without its times, which differ.
fn rows(folder: &Path) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(folder.join("losses.csv")).unwrap();
    let columns: Vec<&str> = text.lines().next().unwrap().split(',').collect();
    let cells = |line: &str| {
        let cells = line.split(',').zip(&columns).filter(|(_, column)| !column.ends_with("_s"));
        cells.map(|(cell, _)| cell.to_string()).collect()
    };
    text.lines().map(cells).collect()
}

/// One, two and four ranks give what one process gives, weights and log.
fn same_with_ranks(args: Args<'_>, place: &Place, weights: &str) {
    run(&args("one")).unwrap();
    for count in [1, 2, 4] {
        let name = format!("ranks-{count}");
        finish(mpirun::mpirun(count, &args(&name))).unwrap();
        assert_same(place, "one", &name, weights);
        assert_eq!(rows(&place.path("one")), rows(&place.path(&name)));
    }
}

#[test]
fn ranks_give_the_weights_of_one_process_for_an_encoder() {
    let _turn = alone();
    let place = Place::new();
    let text = four_shards(ENCODER, "").replace("steps = 24", "steps = 12");
    same_with_ranks(&encoder_args(&place, &text), &place, "encoder.safetensors");
    // Only the first rank writes: the same files, and no other.
    let files = |name: &str| {
        let mut names: Vec<String> = std::fs::read_dir(place.path(name))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_str().unwrap().to_string())
            .filter(|name| !name.contains("tfevents"))
            .collect();
        names.sort();
        names
    };
    assert_eq!(files("one"), files("ranks-4"));
}

#[test]
fn ranks_give_the_weights_of_one_process_with_micro_batches_loaders_and_an_early_end() {
    let _turn = alone();
    let place = Place::new();
    let early = "loaders = 2\naccumulate = 3\nearly_stop = { patience = 1, least_gain = 1000.0 }\n";
    let text = four_shards(ENCODER, early)
        .replace("batch = 8", "batch = 4")
        .replace("steps = 24", "steps = 100")
        .replace("measure_steps = 1000", "measure_steps = 20");
    same_with_ranks(&encoder_args(&place, &text), &place, "encoder.safetensors");
    let log = std::fs::read_to_string(place.path("ranks-4/losses.csv")).unwrap();
    assert!(log.lines().last().unwrap().starts_with("40,"), "the run ends at its second measurement: {log}");
}

#[test]
fn ranks_give_the_weights_of_one_process_for_a_decoder() {
    let _turn = alone();
    let place = Place::new();
    let text = format!("validation_examples = 4\n{}", four_shards(DECODER, "accumulate = 2\n"));
    same_with_ranks(
        &decoder_args(&place, &text.replace("steps = 60", "steps = 30")),
        &place,
        "decoder.safetensors",
    );
}

#[test]
fn ranks_give_the_weights_of_one_process_for_an_advisor_and_preferences() {
    let _turn = alone();
    let place = Place::new();
    let cache = cache(&place);
    tuned(&place, &cache, ADVISOR);
    let text = |name: &str| place.text(name);
    let advisor =
        place.write("advisor-ranks.toml", &four_shards(ADVISOR, "").replace("mixes = 3", "mixes = 8"));
    let (encoder, decoder) = (text("run1/encoder.safetensors"), text("run2/decoder.safetensors"));
    let args = |out: &str| -> Vec<String> {
        let files = ["--config", &advisor, "--cache", &cache, "--encoder", &encoder, "--decoder", &decoder];
        [&["train", "advisor"], &files[..], &["--out", &text(out)]]
            .concat()
            .iter()
            .map(|a| a.to_string())
            .collect()
    };
    same_with_ranks(&args, &place, "advisor.safetensors");

    let dpo = place.write(
        "dpo.toml",
        "steps = 4\nbatch = 4\nshards = 4\ncheckpoint_steps = 2\nmixes = 8\nunheard = 0.0\n[simulation]\nsummary = 8\n",
    );
    let start = text("one/advisor.safetensors");
    let args = |out: &str| -> Vec<String> {
        let files = ["--config", &dpo, "--cache", &cache, "--encoder", &encoder, "--advisor", &start];
        let out = text(&format!("dpo-{out}"));
        [&["train", "dpo"], &files[..], &["--out", &out]].concat().iter().map(|a| a.to_string()).collect()
    };
    run(&args("one")).unwrap();
    finish(mpirun::mpirun(2, &args("two"))).unwrap();
    assert_same(&place, "dpo-one", "dpo-two", "dpo.safetensors");
}

/// Starts a run, kills one of its ranks with SIGKILL at a random moment after a checkpoint, and checks how the run ends.
/// Returns false if it had ended already.
fn killed(mut command: Command, count: usize, out: &Path, rng: &mut impl Rng) -> bool {
    let checkpoint = out.join("last.safetensors");
    let written = || std::fs::metadata(&checkpoint).and_then(|data| data.modified()).ok();
    let before = written();
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut has_ended = false;
    wait_for("checkpoint", || {
        has_ended = child.try_wait().unwrap().is_some();
        (has_ended || written() != before).then_some(())
    });
    std::thread::sleep(Duration::from_millis(rng.random_range(0..300)));
    let victim = rng.random_range(0..count);
    let process = process_of(out, victim);
    if let Some(process) = process {
        kill(process);
    }
    let done = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    if done.status.success() {
        return false;
    }
    assert!(process.is_some(), "the run failed by itself: {said}");
    let teller = if victim == 0 { 1 } else { 0 };
    let sentence = said.lines().find(|line| line.contains(&format!(", rank {teller}, step ")));
    let sentence =
        sentence.unwrap_or_else(|| panic!("rank {victim} was killed, and rank {teller} is silent: {said}"));
    assert!(sentence.starts_with("Error: host ") && sentence.contains("stopped from outside"), "{sentence}");
    for rank in 0..count {
        wait_for("end of all ranks", || process_of(out, rank).is_none().then_some(()));
    }
    true
}

/// Kills a run again and again, resumes it each time with another number of ranks, and compares its end with that of a run
/// in one process. Returns how often it was killed.
fn same_after_kills(args: Args<'_>, place: &Place, weights: &str, seed: u64) -> usize {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    run(&args("one")).unwrap();
    let out = place.path("killed");
    let resumed = [args("killed"), vec!["--resume".into()]].concat();
    let mut kills = 0;
    for (attempt, count) in [4, 2, 4, 2].into_iter().enumerate() {
        let args = if attempt == 0 { args("killed") } else { resumed.clone() };
        kills += usize::from(killed(mpirun::mpirun(count, &args), count, &out, &mut rng));
    }
    assert!(kills > 1, "nearly every run ended before it could be killed: make it longer");
    finish(mpirun::mpirun(4, &resumed)).unwrap();
    assert_same(place, "one", "killed", weights);
    kills
}

#[test]
#[ignore = "some minutes: `cargo xtask test --full mpi-kills`"]
fn twenty_killed_ranks_leave_no_trace() {
    let _turn = alone();
    let config = four_shards(ENCODER, "loaders = 1\n").replace("steps = 24", "steps = 60");
    let mut kills = 0;
    for seed in 100.. {
        let place = Place::new();
        kills += same_after_kills(&encoder_args(&place, &config), &place, "encoder.safetensors", seed);
        if kills >= 20 {
            eprintln!("{kills} ranks were killed in {} runs", seed - 99);
            break;
        }
    }
}

#[test]
fn an_encoder_run_whose_ranks_are_killed_resumes_to_the_same_weights() {
    let _turn = alone();
    let place = Place::new();
    let args =
        encoder_args(&place, &four_shards(ENCODER, "loaders = 1\n").replace("steps = 24", "steps = 60"));
    same_after_kills(&args, &place, "encoder.safetensors", 5);
}

#[test]
fn a_decoder_run_whose_ranks_are_killed_resumes_to_the_same_weights() {
    let _turn = alone();
    let place = Place::new();
    let args = decoder_args(&place, &four_shards(DECODER, "").replace("steps = 60", "steps = 200"));
    same_after_kills(&args, &place, "decoder.safetensors", 6);
}

#[test]
fn a_run_of_ranks_goes_on_in_one_process_and_the_other_way_round() {
    let _turn = alone();
    let place = Place::new();
    let args = decoder_args(&place, &four_shards(DECODER, "").replace("steps = 60", "steps = 120"));
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(7);
    run(&args("one")).unwrap();
    let resumed = [args("killed"), vec!["--resume".into()]].concat();
    let is_killed = killed(mpirun::mpirun(2, &args("killed")), 2, &place.path("killed"), &mut rng);
    assert!(is_killed, "the run ended before it could be killed: make it longer");
    run(&resumed).unwrap();
    assert_same(&place, "one", "killed", "decoder.safetensors");
}

#[test]
fn a_wrong_number_of_ranks_is_refused() {
    let _turn = alone();
    let place = Place::new();
    let args = decoder_args(&place, &four_shards(DECODER, ""));
    let said = finish(mpirun::mpirun(3, &args("run"))).unwrap_err();
    let sentence = "'shards' is 4, which cannot be divided equally among 3 ranks";
    assert_eq!(said.matches(sentence).count(), 1, "{said}");
    assert!(said.contains(", rank 0, before the first step: "), "{said}");
    assert!(!place.path("run").exists());

    let plan = ["train", "plan", "--plan", "p", "--cache", "c", "--out", "o"].map(String::from);
    let said = finish(mpirun::mpirun(2, &plan)).unwrap_err();
    assert!(said.contains("`train plan` runs in one process, but 2 were started"), "{said}");
}

#[test]
fn an_error_of_one_rank_names_it_and_ends_all() {
    let _turn = alone();
    let place = Place::new();
    let args = encoder_args(&place, &four_shards(ENCODER, ""));
    // A cache that only the second rank lacks.
    let there = args("run");
    let cache = place.text("cache");
    let missing =
        there.iter().map(|arg| if *arg == cache { place.text("nowhere") } else { arg.clone() }).collect();
    let said = finish(unlike_ranks(&[there.clone(), missing])).unwrap_err();
    let sentence = said.lines().find(|line| line.contains(", rank 1, before the first step: ")).unwrap();
    assert!(sentence.starts_with("Error: host ") && sentence.contains("nowhere"), "{sentence}");

    // Another configuration.
    let other = place.write("other.toml", &four_shards(ENCODER, "seed = 9\n"));
    let config = place.text("encoder.toml");
    let differing =
        there.iter().map(|arg| if *arg == config { other.clone() } else { arg.clone() }).collect();
    let said = finish(unlike_ranks(&[there.clone(), differing])).unwrap_err();
    assert!(
        said.contains(", rank 1, ") && said.contains("this configuration are not those of rank 0"),
        "{said}"
    );

    // A loss that is not a number, some steps after the first.
    let steep = format!("{}[optimizer]\nlearning_rate = 1e25\nwarmup_steps = 0\n", four_shards(ENCODER, ""));
    let args = |out: &str| -> Vec<String> {
        let text = place.write("steep.toml", &steep);
        args(out).iter().map(|arg| if *arg == config { text.clone() } else { arg.clone() }).collect()
    };
    let mut command = mpirun::mpirun(2, &args("steep"));
    let done = command.output().unwrap();
    assert_eq!(done.status.code(), Some(1));
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    let sentence = said.lines().find(|line| line.starts_with("Error: host ")).unwrap();
    assert!(sentence.contains("step ") && sentence.contains("training stopped"), "{sentence}");
}

#[test]
fn two_hosts_train_over_tcp() {
    let _turn = alone();
    let place = Place::new();
    let hosts = match TwoHosts::new(&place) {
        Ok(hosts) => hosts,
        Err(reason) => {
            eprintln!("skipped: network namespaces are not permitted here: {}", reason.trim());
            return;
        }
    };
    let args = encoder_args(&place, &four_shards(ENCODER, "").replace("steps = 24", "steps = 40"));
    run(&args("one")).unwrap();
    finish(hosts.mpirun(&args("hosts"))).unwrap();
    assert_same(&place, "one", "hosts", "encoder.safetensors");

    // A rank of the second host is killed: the first host says so and ends, and the run goes on from there.
    let out = place.path("killed");
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(8);
    let mut child = hosts.mpirun(&args("killed")).stderr(Stdio::piped()).spawn().unwrap();
    wait_for("checkpoint", || out.join("last.safetensors").exists().then_some(()));
    std::thread::sleep(Duration::from_millis(rng.random_range(0..200)));
    assert!(child.try_wait().unwrap().is_none(), "the run ended before it could be killed: make it longer");
    kill(process_of(&out, 1).unwrap());
    let done = child.wait_with_output().unwrap();
    assert!(!done.status.success());
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    let start = format!("Error: host {}, rank 0, step ", hosts.names()[0]);
    assert!(said.lines().any(|line| line.starts_with(&start)), "{said}");
    finish(hosts.mpirun(&[args("killed"), vec!["--resume".into()]].concat())).unwrap();
    assert_same(&place, "one", "killed", "encoder.safetensors");
}
