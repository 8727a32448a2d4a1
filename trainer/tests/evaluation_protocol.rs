//! Protocol, gate and the whole evaluation, with advisors whose answers are known, on songs made in memory.

use anyhow::{Result, anyhow};
use mixing_buddy_core::norms::NormsSummary;
use mixing_buddy_core::norms::levels::all_rest_levels_from_levels;
use mixing_buddy_core::stem::{PerStem, Stem};
use mixing_buddy_trainer::evaluation::plot::plot_report;
use mixing_buddy_trainer::evaluation::{Extras, NormsSource, Progress, Report, Settings, evaluate};
use mixing_buddy_trainer::protocol::Category;
use mixing_buddy_trainer::protocol::{Flaw, Protocol, SongAudio, gated_windows, plan_window, rms_dbfs};

#[path = "common/oracle.rs"]
mod oracle;

use oracle::{Oracle, in_memory, song};

const LEVELS: [f64; 4] = [-20.0, -22.0, -21.0, -19.0];

fn run(songs: Vec<SongAudio>, protocol: Protocol, seed: u64) -> Result<(Report, Oracle)> {
    run_biased(songs, protocol, seed, 0.0)
}

fn run_biased(
    songs: Vec<SongAudio>,
    protocol: Protocol,
    seed: u64,
    bias_db: f64,
) -> Result<(Report, Oracle)> {
    let truth = all_rest_levels_from_levels(&PerStem::from_array(LEVELS));
    let oracle = Oracle::new(truth.targets().into_array(), bias_db);
    let norms = NormsSource::Summary(Box::new(NormsSummary::shipped().clone()));
    let settings = Settings { resamples: 50, ..Settings::new(protocol, seed) };
    let evaluation =
        evaluate(&in_memory(songs), &oracle, &settings, &norms, Extras::default(), &mut |_: &Progress| {
            Ok(())
        })?;
    Ok((evaluation.report, oracle))
}

fn value(report: &Report, name: &str) -> f64 {
    report.to_json()[name].as_f64().unwrap_or_else(|| panic!("no figure '{name}'"))
}

#[test]
fn a_window_has_sixty_samples_of_twenty_five_mixes_and_thirty_with_a_reference() {
    let (flaws, samples) = plan_window(Protocol::Anchor, 1, "a song", 4);
    assert_eq!((flaws.len(), samples.len()), (25, 60));
    assert_eq!(plan_window(Protocol::Anchor, 1, "a song", 4), (flaws.clone(), samples.clone()));
    for other in [
        plan_window(Protocol::Anchor, 2, "a song", 4),
        plan_window(Protocol::Anchor, 1, "another song", 4),
        plan_window(Protocol::Anchor, 1, "a song", 5),
    ] {
        assert_ne!(other.0, flaws);
    }
    for sample in &samples {
        assert_ne!(sample.anchor, Some(sample.target));
        assert_ne!(sample.anchor, Some(Stem::Other));
        assert_eq!(flaws[sample.mix].gain_db, sample.gain_db);
        match sample.category.gain_range_db() {
            Some((low, high)) => {
                assert!((low..=high).contains(&sample.gain_db));
                assert_eq!(flaws[sample.mix].stem, sample.target);
            }
            None => assert_eq!(sample.mix, 0),
        }
    }
    for category in Category::ALL {
        assert_eq!(samples.iter().filter(|sample| sample.category == category).count(), 12);
    }
    let (flaws_again, samples) = plan_window(Protocol::Reference, 1, "a song", 4);
    assert_eq!(flaws_again, flaws, "both protocols judge the same mixes");
    assert_eq!(samples.len(), 30);
    assert!(samples.iter().all(|sample| sample.anchor.is_none()));
}

#[test]
fn the_gate_requires_every_stem_to_be_loud_enough_and_active() {
    assert_eq!(gated_windows(&song("good", 2, LEVELS)).len(), 2);
    assert!(gated_windows(&song("quiet bass", 1, [-20.0, -20.0, -45.5, -20.0])).is_empty());
    assert_eq!(gated_windows(&song("bass just loud enough", 1, [-20.0, -20.0, -44.5, -20.0])).len(), 1);
    assert!(gated_windows(&song("quiet mix", 1, [-44.0; 4])).is_empty());

    let mut missing = song("no bass", 1, LEVELS);
    missing.stems.bass = None;
    assert!(gated_windows(&missing).is_empty());

    // Loud for 15 % of the time only: its level passes, its activity does not; 25 % pass.
    for (active, windows) in [(0.15, 0), (0.25, 1)] {
        let mut burst = song("burst", 1, [-20.0, -10.0, -20.0, -20.0]);
        let drums = burst.stems.drums.as_mut().expect("drums");
        let silent_from = (drums.left.len() as f64 * active) as usize;
        drums.left[silent_from..].fill(0.0);
        drums.right[silent_from..].fill(0.0);
        assert_eq!(gated_windows(&burst).len(), windows, "active for {active}");
    }
}

#[test]
fn levels_are_of_both_channels_and_mixes_are_the_sum_of_the_stems() {
    let mut one_sided = song("one-sided", 1, LEVELS);
    one_sided.stems.vocals.as_mut().expect("vocals").right.fill(0.0);
    let windows = gated_windows(&one_sided);
    let halved = LEVELS[0] + 10.0 * 0.5_f64.log10();
    assert!((windows[0].levels_dbfs.vocals - halved).abs() < 1e-3);
    let mix = windows[0].mix(Flaw { stem: Stem::Drums, gain_db: 6.0 });
    let powers = [halved, LEVELS[1] + 6.0, LEVELS[2], LEVELS[3]].map(|level| 10_f64.powf(level / 10.0));
    // The sines are orthogonal over the window, so their powers add.
    assert!((rms_dbfs(&[&mix.left, &mix.right]) - 10.0 * powers.iter().sum::<f64>().log10()).abs() < 1e-3);
}

#[test]
fn an_oracle_that_knows_the_song_scores_a_hundred_percent_and_analyzes_each_mix_once() -> Result<()> {
    let songs = vec![song("one", 2, LEVELS), song("two", 1, LEVELS)];
    let (report, oracle) = run(songs, Protocol::Anchor, 5)?;
    assert_eq!((oracle.analyzed(), report.model.samples), (75, 180));
    // A window's 24 flawed mixes with two anchors each and the unflawed one with three; and each once more with the exact
    // levels. The control with shuffled sound takes the answers of the other song.
    assert_eq!(oracle.asked(), 3 * 2 * 51);
    let json = report.to_json();
    assert_eq!(value(&report, "joint"), 1.0);
    assert_eq!(value(&report, "balanced_left_alone"), 1.0);
    assert_eq!(value(&report, "wrong_direction"), 0.0);
    assert_eq!(value(&report, "coverage_at_90"), 1.0);
    assert_eq!(value(&report, "parse_rate"), 1.0);
    // The rule's grid has steps of half a dB.
    assert!(value(&report, "gain_mae_db") < 0.3);
    assert_eq!(json["songs"], 2);
    assert_eq!(json["eligible_songs"], 2);
    assert_eq!(json["windows"], 3);
    assert_eq!(json["samples"], 180);
    assert_eq!(json["norms"], "summary");
    for stem in Stem::ALL {
        assert!(json["meter_mad_db"][stem.name()].as_f64().expect("a figure") < 0.01);
        assert!(json["meter_p90_db"][stem.name()].as_f64().expect("a figure") < 0.01);
        assert!(json["meter_sd_db_ci95"][stem.name()].is_array());
    }
    assert_eq!(json["joint_by_category"].as_object().expect("an object").len(), 5);
    assert_eq!(json["controls"]["always_no_error"]["joint"], 0.2);
    assert_eq!(json["controls"]["bound"]["joint"], json["joint_bound"]);
    // A meter without an error makes the rule behind it the bound itself.
    assert_eq!(json["controls"]["meter_rule"]["joint"], json["joint_bound"]);
    // "Vocals are quiet" is the answer to everything: right for eight of a window's sixty samples.
    let no_audio = json["controls"]["no_audio"]["joint"].as_f64().expect("a figure");
    assert!((no_audio - 8.0 / 60.0).abs() < 1e-5);
    // With the exact levels, which it measures anyway, the model answers the same.
    assert_eq!(json["controls"]["exact_levels"]["joint"], 1.0);
    assert_eq!(json["controls"]["unbiased_meter_rule"]["joint"], json["joint_bound"]);
    // The other song has the same balance and the oracle names its flaws, but they are not this sample's flaws.
    let shuffled = json["controls"]["shuffled_audio"]["joint"].as_f64().expect("a figure");
    assert!(shuffled < 0.35, "shuffled sound gives the answer away: {shuffled}");
    let table = report.to_string();
    assert!(table.contains("joint (stem and direction right)") && table.contains("100.0 %"), "{table}");
    Ok(())
}

#[test]
fn a_reference_from_other_windows_makes_an_oracle_right_and_single_windows_are_left_out() -> Result<()> {
    // A balance that is far from usual: only the reference shows that it is intended.
    let unusual = [-30.0, -16.0, -30.0, -24.0];
    let songs = vec![song("unusual", 3, unusual), song("single", 1, LEVELS), song("usual", 2, LEVELS)];
    let (report, _) = run(songs, Protocol::Reference, 5)?;
    assert_eq!((report.songs, report.eligible_songs, report.windows, report.model.samples), (3, 2, 5, 150));
    assert_eq!(report.left_out[0].song, "single");
    assert_eq!(value(&report, "joint"), 1.0);
    assert!(value(&report, "joint_bound") > 0.9);
    assert!((value(&report, "joint_over_bound") - 1.0 / value(&report, "joint_bound")).abs() < 1e-5);
    Ok(())
}

#[test]
fn a_bias_shared_by_all_songs_is_separated_from_other_errors() -> Result<()> {
    let songs = vec![song("one", 2, LEVELS), song("two", 1, LEVELS)];
    let (report, _) = run_biased(songs, Protocol::Anchor, 5, -6.0)?;
    let controls = &report.to_json()["controls"];
    let joint = |name: &str| controls[name]["joint"].as_f64().expect("a figure");
    assert!(joint("meter_rule") < joint("bound") - 0.1, "a meter that is 6 dB off misjudges");
    assert_eq!(joint("unbiased_meter_rule"), joint("bound"), "without its bias it is exact");
    assert_eq!(joint("exact_levels"), 1.0, "and the answers never used it");
    // With one song, nothing is known of the bias of others.
    let (report, _) = run_biased(vec![song("one", 2, LEVELS)], Protocol::Anchor, 5, -6.0)?;
    assert!(report.controls.unbiased_meter_rule.is_none());
    Ok(())
}

#[test]
fn the_same_seed_gives_the_same_report_and_progress_can_stop_the_work() -> Result<()> {
    let songs = || vec![song("one", 1, LEVELS), song("two", 1, [-24.0, -20.0, -22.0, -20.0])];
    let (one, _) = run(songs(), Protocol::Anchor, 5)?;
    let (same, _) = run(songs(), Protocol::Anchor, 5)?;
    let (other, _) = run(songs(), Protocol::Anchor, 6)?;
    assert_eq!(one.to_json(), same.to_json());
    assert_ne!(one.to_json()["gain_mae_db"], other.to_json()["gain_mae_db"]);

    let norms = NormsSource::open(None)?;
    let oracle = Oracle::new([0.0; Stem::TARGET_COUNT], 0.0);
    let settings = Settings::new(Protocol::Anchor, 1);
    let stopped = evaluate(&in_memory(songs()), &oracle, &settings, &norms, Extras::default(), &mut |_| {
        Err(anyhow!("stopped"))
    });
    assert_eq!(stopped.err().map(|error| error.to_string()), Some("stopped".to_string()));
    assert_eq!(oracle.analyzed(), 25);

    let nothing = in_memory(vec![song("silent", 1, [-90.0; 4])]);
    let refused = evaluate(&nothing, &oracle, &settings, &norms, Extras::default(), &mut |_| Ok(()));
    let sentence = refused.err().expect("nothing to evaluate").to_string();
    assert!(sentence.contains("silent: in no window do all four stems play"), "{sentence}");
    Ok(())
}

#[test]
fn the_report_is_written_and_drawn() -> Result<()> {
    let (report, _) = run(vec![song("one", 1, LEVELS), song("two", 1, LEVELS)], Protocol::Anchor, 5)?;
    let folder = tempfile::tempdir()?;
    let (json, png) = (folder.path().join("report.json"), folder.path().join("report.png"));
    report.write_json(&json)?;
    plot_report(&report, &png)?;
    assert!(std::fs::read(&png)?.starts_with(b"\x89PNG"));
    let read: serde_json::Value = serde_json::from_slice(&std::fs::read(&json)?)?;
    assert_eq!(read["joint"], 1.0);
    assert_eq!(read["controls"]["always_no_error"]["joint"], 0.2);
    assert_eq!(read["answers"].as_array().expect("a list").len(), 2);
    Ok(())
}
