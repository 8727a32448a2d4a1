//! A judge in this process, on a tiny Qwen2 that knows nothing, and on a real one.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says why by panicking")]

use judged::items;
use mixing_buddy_trainer::evaluation::judge::rubric::Prompt;
use mixing_buddy_trainer::evaluation::judge::{Judge, JudgePlan, LocalJudge, judge_report, parse_ratings};
use mixing_buddy_trainer::evaluation::words::write_items;
use std::path::PathBuf;

#[path = "common/cli.rs"]
mod cli;
#[path = "common/judged.rs"]
mod judged;
#[path = "../../tests/src/prerequisite.rs"]
mod prerequisite;
#[allow(dead_code, reason = "the core's tests use more of it")]
#[path = "../../plugin/core/tests/qwen2/talking.rs"]
mod talking;
#[allow(dead_code, reason = "the core's tests use more of it")]
#[path = "../../plugin/core/tests/qwen2/tiny.rs"]
mod tiny;

fn prompt(user: &str) -> Prompt {
    Prompt { system: "Judge the advice.".into(), user: user.into() }
}

#[test]
fn every_answer_can_be_read_and_follows_from_prompt_and_number() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tiny.gguf");
    std::fs::write(&file, talking::base(3)).unwrap();
    let judge = LocalJudge::open(&file, 1).unwrap();
    assert_eq!(judge.name(), "Tiny");
    let (one, other) = (prompt("The advice: lower the bass."), prompt("The advice: leave it."));
    let first: Vec<String> = (0..12).map(|number| judge.answer(&one, number).unwrap()).collect();
    first.iter().for_each(|answer| _ = parse_ratings(answer).unwrap());
    // What was read before does not matter: not another prompt, nor the same one, nor the start of it.
    judge.answer(&other, 0).unwrap();
    judge.answer(&prompt("The advice: low"), 0).unwrap();
    let again: Vec<String> = (0..12).rev().map(|number| judge.answer(&one, number).unwrap()).collect();
    assert!(first.iter().eq(again.iter().rev()));
    let fresh = LocalJudge::open(&file, 2).unwrap();
    assert_eq!(fresh.answer(&one, 7).unwrap(), first[7]);
}

#[test]
fn the_command_judges_with_a_file_and_refuses_what_is_none() {
    let place = cli::Place::new();
    std::fs::write(place.path("tiny.gguf"), talking::base(3)).unwrap();
    write_items(&place.path("items.jsonl"), &items()).unwrap();
    let judged = |file: &str| {
        cli::run(&[
            "judge".to_string(),
            place.text("items.jsonl"),
            "--judge-file".to_string(),
            place.text(file),
            "--kept".to_string(),
            place.text("kept"),
            "--out".to_string(),
            place.text("judge.json"),
        ])
    };
    judged("tiny.gguf").unwrap();
    let report: serde_json::Value =
        serde_json::from_slice(&std::fs::read(place.path("judge.json")).unwrap()).unwrap();
    assert_eq!((report["judgements"].as_u64(), report["unreadable"].as_u64()), (Some(34), Some(0)));
    assert_eq!(report["judge"], "Tiny");
    std::fs::write(place.path("words.gguf"), "no model").unwrap();
    let sentence = judged("words.gguf").unwrap_err();
    assert!(sentence.contains("words.gguf"), "{sentence}");
    let both =
        cli::run(&["judge", "items.jsonl", "--judge-file", "a", "--judge-url", "http://b"]).unwrap_err();
    assert!(both.contains("cannot be used with"), "{both}");
    let none = cli::run(&["judge", &place.text("items.jsonl")]).unwrap_err();
    assert!(none.contains("--judge-file"), "{none}");
}

#[test]
#[ignore = "needs a real Qwen2"]
fn a_real_model_rates_planted_advice() {
    let Some(file) = std::env::var_os("MIXING_BUDDY_QWEN2_GGUF").map(PathBuf::from) else {
        prerequisite::missing("a GGUF file of Qwen2 0.5B in MIXING_BUDDY_QWEN2_GGUF");
        return;
    };
    let (judge, folder, items) = (LocalJudge::open(&file, 2).unwrap(), tempfile::tempdir().unwrap(), items());
    let judgements = JudgePlan::new(&items, 2, 0).run(&judge, folder.path(), &mut |_| ()).unwrap();
    let report = judge_report(&judge.name(), &judgements, 0, 200);
    eprintln!("{report}");
    assert_eq!((report.judgements, report.unreadable), (34, 0));
    // It reads the prompt: not all advice is worth the same to it.
    let means: Vec<f64> = report.kinds.iter().filter_map(|scores| scores.mean.value).collect();
    assert!(means.iter().any(|mean| (mean - means[0]).abs() > 0.05), "{means:?}");
}
