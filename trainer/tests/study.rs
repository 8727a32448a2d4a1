//! Studies: which songs are taken, clips of equal loudness, ratings that were edited, scores with known answers.

use anyhow::Result;
use mixing_buddy_core::advice::{BestAnswer, Verdict};
use mixing_buddy_core::stem::{Direction, PerStem, Stem};
use mixing_buddy_core::{CancelFlag, audio::StereoPcm};
use mixing_buddy_trainer::collections::{find_songs, load_song};
use mixing_buddy_trainer::evaluation::page::examples;
use mixing_buddy_trainer::evaluation::study::clips::{MATCHED_LU, loudness_lufs, matched, with_advice};
use mixing_buddy_trainer::evaluation::study::mixed::{Observation, fit};
use mixing_buddy_trainer::evaluation::study::ratings::{AdviceRating, Rater, seal};
use mixing_buddy_trainer::evaluation::study::{
    Key, RatingsFile, SCALES, StudyPlan, System, make_study, read_ratings, score_study,
};
use mixing_buddy_trainer::evaluation::words::{Item, Truth};
use mixing_buddy_trainer::protocol::{Flaw, SongAudio, gated_windows};
use std::path::Path;

#[path = "common/sounds.rs"]
mod sounds;
#[path = "common/study.rs"]
mod study;

use study::{items, plan, songs};

#[test]
fn a_study_takes_only_songs_that_may_be_passed_on_and_credits_them() -> Result<()> {
    let folder = tempfile::tempdir()?;
    songs(folder.path(), 2);
    let system = System { name: "compact".into(), items: items(2) };
    let made =
        make_study(std::slice::from_ref(&system), &find_songs(folder.path())?, &plan(), &CancelFlag::new())?;
    assert_eq!(made.credits[0].by, "Some Band");
    assert!(made.page.contains("CC-BY-4.0") && !made.page.contains("compact"), "credited and blinded");
    assert!(
        made.key
            .advice
            .values()
            .all(|entry| ["compact", "written by the authors"].contains(&entry.system.as_str()))
    );
    // A training item and two scored ones, of two systems.
    assert_eq!(made.key.advice.len(), 3 * 2);
    assert_eq!(made.key.advice.values().filter(|entry| entry.training).count(), 2);
    let of_song = items(1);
    let heard = examples(&[&of_song[0], &of_song[2]], &find_songs(folder.path())?, &CancelFlag::new())?;
    assert!(heard.iter().all(|example| example.credit.by == "Some Band" && example.mix.len() < 500_000));
    for text in [&made.protocol, &made.information] {
        assert!(text.contains("me@example.org"));
    }
    for (json, reason) in [
        (r#"{"licence": "CC-BY-NC-4.0", "artist": "Some Band"}"#, "only songs under CC0, CC-BY or CC-BY-SA"),
        (r#"{"artist": "Some Band"}"#, "states no licence"),
        (r#"{"licence": "CC-BY-4.0"}"#, "asks for a credit"),
    ] {
        std::fs::write(folder.path().join("song 0/song.json"), json)?;
        let refused = make_study(
            std::slice::from_ref(&system),
            &find_songs(folder.path())?,
            &plan(),
            &CancelFlag::new(),
        );
        let sentence = format!("{:#}", refused.expect_err(json));
        assert!(sentence.contains(reason), "{sentence}");
        // Nor are they heard in a report.
        let of_song = items(1);
        let refused = examples(&[&of_song[0]], &find_songs(folder.path())?, &CancelFlag::new());
        assert!(format!("{:#}", refused.expect_err(json)).contains(reason));
    }
    let many = StudyPlan { items: 40, ..plan() };
    let refused = make_study(&[system], &find_songs(folder.path())?, &many, &CancelFlag::new());
    assert!(refused.expect_err("too few").to_string().contains("41 items are needed"));
    Ok(())
}

#[test]
fn the_mix_with_perfect_advice_is_the_unflawed_one_and_clips_are_equally_loud() -> Result<()> {
    let folder = tempfile::tempdir()?;
    songs(folder.path(), 1);
    let song = load_song(&find_songs(folder.path())?[0], &CancelFlag::new())?;
    let song = SongAudio { name: song.name, stems: song.stems };
    let windows = gated_windows(&song);
    let flaw = Flaw { stem: Stem::Drums, gain_db: 9.0 };
    let advice = BestAnswer { verdict: Verdict::VeryLoud, stem: Some(Stem::Drums), gain_db: Some(-9.0) };
    let corrected = with_advice(&windows[0], flaw, Some(advice));
    let balanced = windows[0].mix(Flaw::NONE);
    let worst = corrected.left.iter().zip(&balanced.left).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst < 1e-4, "{worst}");
    let flawed = windows[0].mix(flaw);
    assert!(loudness_lufs(&flawed)? > loudness_lufs(&corrected)? + 3.0, "they differ before");
    let clips = matched(vec![flawed, corrected])?;
    let [a, b] = [loudness_lufs(&clips[0])?, loudness_lufs(&clips[1])?];
    assert!((a - b).abs() < MATCHED_LU, "{a} {b}");
    let peak = |pcm: &StereoPcm| pcm.left.iter().fold(0.0_f32, |peak, x| peak.max(x.abs()));
    assert!(clips.iter().all(|clip| peak(clip) <= 0.981));
    Ok(())
}

fn key(systems: &[&str], items: usize) -> Key {
    let mut key = Key {
        study: "0123".into(),
        systems: systems.iter().map(|system| (*system).to_string()).collect(),
        advice: Default::default(),
    };
    for item in 0..items {
        for system in systems {
            let entry = serde_json::json!({
                "system": system, "item": format!("item {item}"), "song": "song", "training": item == 0
            });
            key.advice.insert(format!("{system}-{item}"), serde_json::from_value(entry).expect("an entry"));
        }
    }
    key
}

fn rating(code: String, value: u8, repeated: bool, preferred: Option<&str>) -> AdviceRating {
    AdviceRating {
        code,
        repeated,
        scales: SCALES.iter().map(|(scale, ..)| (scale.to_string(), value)).collect(),
        preferred: preferred.map(String::from),
        comment: String::new(),
    }
}

fn rater(id: &str, answers: Vec<AdviceRating>) -> RatingsFile {
    let rater = Rater { id: id.into(), years: 5.0, role: "mixes".into(), monitoring: "headphones".into() };
    RatingsFile { rater, answers }
}

#[test]
fn ratings_of_another_study_or_edited_ones_are_refused() -> Result<()> {
    let key = key(&["a"], 3);
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("ratings.json");
    let sealed = |study: &str, answers| seal(study, &rater("r", answers));
    let read = |text: &str| -> Result<RatingsFile> {
        std::fs::write(&path, text)?;
        read_ratings(&path, &key)
    };
    let good = vec![rating("a-1".into(), 4, false, Some("after")), rating("a-1".into(), 3, true, None)];
    assert_eq!(read(&sealed("0123", good.clone())?)?.answers, good);
    let refused = |text: &str, reason: &str| {
        let sentence = format!("{:#}", read(text).expect_err(reason));
        assert!(sentence.contains(reason), "{sentence}");
    };
    refused(&sealed("4567", good.clone())?, "is of another study");
    refused(
        &sealed("0123", good.clone())?.replace(r#"\"effectiveness\":4"#, r#"\"effectiveness\":5"#),
        "was edited",
    );
    refused("{}", "is not a ratings file");
    refused(&sealed("0123", vec![rating("b-1".into(), 4, false, None)])?, "has no advice 'b-1'");
    refused(&sealed("0123", vec![rating("a-1".into(), 6, false, None)])?, "no rating from 1 to 5");
    refused(&sealed("0123", vec![good[0].clone(), good[0].clone()])?, "is rated twice");
    refused(
        &sealed("0123", vec![rating("a-1".into(), 4, false, Some("left"))])?,
        "'left' is none of the answers",
    );
    Ok(())
}

#[test]
fn scores_have_the_known_means_agreement_consistency_and_order() -> Result<()> {
    let key = key(&["bad", "good"], 5);
    let answers = |offset: u8| -> Vec<AdviceRating> {
        let mut answers = Vec::new();
        for item in 0..5u8 {
            // The training item has ratings that must not count.
            let (bad, good) = if item == 0 { (5, 1) } else { (1 + item % 2 + offset, 3 + item % 2 + offset) };
            answers.push(rating(format!("bad-{item}"), bad, false, Some("before")));
            answers.push(rating(format!("good-{item}"), good, false, Some("after")));
        }
        // One of the two repeated ratings differs by one.
        answers.push(rating("bad-1".into(), 2 + offset, true, None));
        answers.push(rating("good-1".into(), 3 + offset, true, None));
        answers
    };
    let raters = vec![rater("one", answers(0)), rater("two", answers(1)), rater("three", answers(0))];
    let report = score_study(&key, &raters, 0, 200)?;
    assert_eq!((report.raters, report.items, report.ratings), (3, 4, 24));
    assert_eq!((report.systems[0].system.as_str(), report.systems[1].system.as_str()), ("good", "bad"));
    let mean = |system: usize| report.systems[system].scales["usefulness"].value.expect("a mean");
    assert!((mean(0) - 3.5 - 1.0 / 3.0).abs() < 1e-9 && (mean(1) - 1.5 - 1.0 / 3.0).abs() < 1e-9);
    assert_eq!(
        (report.systems[0].mix_is_better.value, report.systems[1].mix_is_better.value),
        (Some(1.0), Some(0.0))
    );
    let difference = &report.differences[0];
    assert_eq!((difference.better.as_str(), difference.worse.as_str()), ("good", "bad"));
    assert!((difference.difference - 2.0).abs() < 1e-6 && difference.ci95[0] > 1.5, "{difference:?}");
    let alpha = report.alpha["usefulness"].expect("agreement");
    assert!((0.5..1.0).contains(&alpha), "{alpha}");
    assert_eq!(report.inconsistency, vec![Some(0.5); 3]);
    let one = score_study(&key, &raters[..1], 0, 200)?;
    assert!(one.intervals.expect("a reason").contains("at least two raters"));
    assert_eq!(one.systems[0].scales["usefulness"].ci95, None);
    let twice = score_study(&key, &[raters[0].clone(), raters[0].clone()], 0, 200);
    assert!(twice.expect_err("the same rater").to_string().contains("there twice"));
    Ok(())
}

#[test]
fn the_mixed_model_gives_the_estimates_of_statsmodels() -> Result<()> {
    // Six raters, eight items, three systems; every third observation is missing. The expected values are those of
    // statsmodels 0.14 (MixedLM by REML, crossed variance components): trainer/tests/fixtures/mixed_model.py.
    let text = std::fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/mixed_model.csv"),
    )?;
    let observations: Vec<Observation> = text
        .lines()
        .skip(1)
        .map(|line| {
            let parts: Vec<f64> = line.split(',').map(|part| part.parse().expect("a number")).collect();
            Observation {
                system: parts[0] as usize,
                rater: parts[1] as usize,
                item: parts[2] as usize,
                value: parts[3],
            }
        })
        .collect();
    let model = fit(&observations)?;
    let close = |value: f64, expected: f64, what: &str| {
        assert!((value - expected).abs() < 2e-3 * expected.abs().max(0.1), "{what}: {value}, not {expected}");
    };
    let expected: serde_json::Value = serde_json::from_slice(&std::fs::read(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/mixed_model.json"),
    )?)?;
    let number = |name: &str| expected[name].as_f64().expect("a number");
    for system in 0..3 {
        close(model.means[system], number(&format!("mean_{system}")), "mean");
    }
    let (difference, error) = model.difference(1, 0);
    close(difference, number("difference_1_0"), "difference");
    close(error, number("difference_1_0_error"), "its standard error");
    close(model.rater_variance, number("rater_variance"), "variance of raters");
    close(model.item_variance, number("item_variance"), "variance of items");
    close(model.error_variance, number("error_variance"), "variance of the rest");
    Ok(())
}

#[test]
fn items_of_other_mixes_are_not_one_study() -> Result<()> {
    let folder = tempfile::tempdir()?;
    songs(folder.path(), 2);
    let mut others: Vec<Item> = items(2);
    others[0].truth = Some(Truth { stem: Stem::Bass, direction: Direction::Quiet, gain_db: -7.0 });
    others[0].levels_db = PerStem::all(0.0);
    let systems = [System { name: "a".into(), items: items(2) }, System { name: "b".into(), items: others }];
    let refused = make_study(&systems, &find_songs(folder.path())?, &plan(), &CancelFlag::new());
    assert!(refused.expect_err("other mixes").to_string().contains("different mixes"));
    Ok(())
}
