//! Evaluations that fail and go on, in several threads, by every protocol; comparisons; the engine's fast analysis.

use anyhow::{Result, ensure};
use mixing_buddy_core::audio::StereoPcm;
use mixing_buddy_core::norms::levels::all_rest_levels_from_levels;
use mixing_buddy_core::stem::{PerStem, Stem};
use mixing_buddy_core::{CancelFlag, Engine};
use mixing_buddy_trainer::evaluation::engine::EngineAdvisor;
use mixing_buddy_trainer::evaluation::{
    Advisor, Extras, KeptAnalyses, KeptRecords, NormsSource, ReadReport, Report, SeparatedLevels,
    SeparatorMeter, Settings, SongSource, compare, evaluate, records_of,
};
use mixing_buddy_trainer::protocol::{Protocol, SongAudio, gated_windows, plan_window};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

#[path = "common/oracle.rs"]
mod oracle;

use oracle::{Oracle, in_memory, song};

const LEVELS: [f64; 4] = [-20.0, -22.0, -21.0, -19.0];

fn knowing(levels: [f64; 4]) -> Oracle {
    let truth = all_rest_levels_from_levels(&PerStem::from_array(levels));
    Oracle::new(truth.targets().into_array(), 0.0)
}

fn settings(protocol: Protocol) -> Settings {
    Settings { resamples: 50, ..Settings::new(protocol, 5) }
}

fn report(songs: &[SongSource<'_>], oracle: &Oracle, settings: Settings) -> Result<Report> {
    Ok(evaluate(songs, oracle, &settings, &NormsSource::open(None)?, Extras::default(), &mut |_| Ok(()))?
        .report)
}

fn three_songs() -> Vec<SongAudio> {
    let other = [-24.0, -20.0, -22.0, -20.0];
    vec![
        song("one", 2, LEVELS),
        song("silent", 1, [-90.0; 4]),
        song("two", 2, other),
        song("three", 3, LEVELS),
    ]
}

#[test]
fn an_evaluation_that_fails_goes_on_and_gives_the_report_of_an_unbroken_one() -> Result<()> {
    for protocol in [Protocol::Anchor, Protocol::Reference] {
        let settings = settings(protocol);
        let whole = report(&in_memory(three_songs()), &knowing(LEVELS), settings)?;
        let folder = tempfile::tempdir()?;
        let dir = folder.path().join("kept");
        let norms = NormsSource::open(None)?;
        let songs = in_memory(three_songs());
        let kept = KeptRecords::open(&dir, "a run")?;
        let failed =
            evaluate(&songs, &knowing(LEVELS), &settings, &norms, Extras::keeping(&kept), &mut |progress| {
                ensure!(progress.song != "three" || progress.songs_done < 2, "the bundle failed");
                Ok(())
            });
        ensure!(failed.is_err_and(|error| error.to_string() == "the bundle failed"));
        assert_eq!(kept.count(), 2);
        let oracle = knowing(LEVELS);
        let rest =
            evaluate(&songs, &oracle, &settings, &norms, Extras::keeping(&kept), &mut |_| Ok(()))?.report;
        assert_eq!(rest.to_json(), whole.to_json());
        assert_eq!(rest.answers, whole.answers);
        // The three windows of "three"; with a reference also the two of "two", whose sound "three" takes.
        let by_reference = protocol == Protocol::Reference;
        assert_eq!(oracle.analyzed(), if by_reference { 5 * 25 } else { 3 * 25 });
        // All is kept: nothing is asked.
        let oracle = knowing(LEVELS);
        let again =
            evaluate(&songs, &oracle, &settings, &norms, Extras::keeping(&kept), &mut |_| Ok(()))?.report;
        assert_eq!((again.to_json(), oracle.asked()), (whole.to_json(), 0));
        let other = KeptRecords::open(&dir, "another run").unwrap_err().to_string();
        assert!(other.contains("another model or other settings"), "{other}");
        kept.remove()?;
        assert!(!dir.exists());
    }
    Ok(())
}

#[test]
fn a_mix_is_heard_once_for_all_protocols() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let norms = NormsSource::open(None)?;
    let heard = KeptAnalyses::open(folder.path(), "these ears")?;
    let extras = Extras { heard: Some(&heard), ..Extras::default() };
    let run = |songs: Vec<SongAudio>, protocol| -> Result<_> {
        let oracle = knowing(LEVELS);
        let settings = settings(protocol);
        let report = evaluate(&in_memory(songs), &oracle, &settings, &norms, extras, &mut |_| Ok(()))?.report;
        Ok((report.to_json(), oracle.analyzed()))
    };
    for (protocol, analyzed) in
        [(Protocol::Anchor, 7 * 25), (Protocol::Reference, 0), (Protocol::NoAnchor, 0)]
    {
        let alone = report(&in_memory(three_songs()), &knowing(LEVELS), settings(protocol))?;
        let (report, count) = run(three_songs(), protocol)?;
        assert_eq!(count, analyzed, "{protocol}");
        assert!(report == alone.to_json(), "{protocol} has another report");
    }
    // The mixes of whole songs are others.
    assert_eq!(run(three_songs(), Protocol::Song)?.1, 7 * 25);
    // A song that has changed under its name is heard again.
    let mut changed = three_songs();
    changed[0] = song("one", 2, [-20.0, -21.0, -22.0, -23.0]);
    assert_eq!(run(changed, Protocol::Anchor)?.1, 2 * 25);
    let other = KeptAnalyses::open(folder.path(), "other ears").unwrap_err().to_string();
    assert!(other.contains("remove the folder, or give another --heard"), "{other}");
    Ok(())
}

#[test]
fn parts_of_the_songs_give_the_report_of_all() -> Result<()> {
    let norms = NormsSource::open(None)?;
    for protocol in [Protocol::Anchor, Protocol::Reference] {
        let settings = settings(protocol);
        let whole = report(&in_memory(three_songs()), &knowing(LEVELS), settings)?;
        for of in [2, 3, 4] {
            let folder = tempfile::tempdir()?;
            let kept = KeptRecords::open(&folder.path().join("kept"), "a run")?;
            let songs = in_memory(three_songs());
            // As on several machines, in whatever order they are done.
            for number in (1..=of).rev() {
                let (part, oracle) = (format!("{number}/{of}").parse()?, knowing(LEVELS));
                let extras = Extras::keeping(&kept);
                records_of(&songs, part, &oracle, &settings, extras, &mut |_| Ok(()))?;
            }
            assert_eq!(kept.count(), 3);
            let oracle = knowing(LEVELS);
            let joined =
                evaluate(&songs, &oracle, &settings, &norms, Extras::keeping(&kept), &mut |_| Ok(()))?.report;
            assert_eq!((joined.to_json(), oracle.asked()), (whole.to_json(), 0));
        }
    }
    Ok(())
}

#[test]
fn the_report_does_not_depend_on_the_number_of_threads() -> Result<()> {
    let one = report(&in_memory(three_songs()), &knowing(LEVELS), settings(Protocol::Anchor))?;
    let threads = Settings { threads: 3, ..settings(Protocol::Anchor) };
    let three = report(&in_memory(three_songs()), &knowing(LEVELS), threads)?;
    assert_eq!(one.to_json(), three.to_json());
    assert_eq!(one.answers, three.answers);
    Ok(())
}

#[test]
fn a_song_that_cannot_be_read_is_left_out() -> Result<()> {
    let mut songs = in_memory(three_songs());
    songs.insert(0, SongSource::new("broken".into(), || anyhow::bail!("bass.wav is damaged")));
    let report = report(&songs, &knowing(LEVELS), settings(Protocol::Anchor))?;
    assert_eq!((report.songs, report.eligible_songs), (5, 3));
    assert_eq!(report.left_out[0].reason, "it cannot be read: bass.wav is damaged");
    Ok(())
}

#[test]
fn without_an_anchor_thirty_samples_are_asked_and_a_whole_song_is_one_window() -> Result<()> {
    let songs = || in_memory(vec![song("one", 2, LEVELS), song("two", 3, LEVELS)]);
    let free = report(&songs(), &knowing(LEVELS), settings(Protocol::NoAnchor))?;
    assert_eq!((free.windows, free.model.samples, free.model.joint.value), (5, 150, Some(1.0)));
    let whole = report(&songs(), &knowing(LEVELS), settings(Protocol::Song))?;
    assert_eq!((whole.windows, whole.model.samples, whole.model.joint.value), (2, 120, Some(1.0)));
    assert_eq!(whole.to_json()["protocol"], "song");
    for protocol in Protocol::ALL {
        assert_eq!(plan_window(protocol, 1, "a song", 0).1.len(), protocol.samples());
        assert_eq!(protocol.name().parse(), Ok(protocol));
    }
    Ok(())
}

#[test]
fn a_single_song_gets_figures_and_a_sentence_in_place_of_intervals() -> Result<()> {
    let report =
        report(&in_memory(vec![song("one", 2, LEVELS)]), &knowing(LEVELS), settings(Protocol::Anchor))?;
    let json = report.to_json();
    assert_eq!((json["joint"].as_f64(), json["joint_ci95"].is_null()), (Some(1.0), true));
    assert!(json["intervals"].as_str().expect("a sentence").contains("needs at least two songs"));
    assert!(
        report.to_string().contains("Intervals refused: an interval over songs needs at least two songs")
    );
    Ok(())
}

#[test]
fn perfect_advice_on_usual_mixes_moves_them_towards_the_conventions() -> Result<()> {
    let usual = mixing_buddy_core::norms::NormsSummary::shipped().usual;
    let relative =
        mixing_buddy_core::norms::levels_from_rest_levels(Stem::TARGETS.map(|stem| usual[stem].mean_db));
    let levels = relative.expect("a balance that exists").map(|level| level - 12.0).to_array();
    let songs = in_memory(vec![song("one", 1, levels), song("two", 1, levels)]);
    let report = report(&songs, &knowing(levels), settings(Protocol::Anchor))?;
    let moves = report.conventions.usual_levels;
    // Four in five samples are flawed.
    assert_eq!((moves.towards.value, moves.away.value), (Some(0.8), Some(0.0)));
    assert!(moves.after_db.value < Some(0.3) && moves.before_db.value > Some(1.0), "{moves:?}");
    Ok(())
}

#[test]
fn comparisons_pair_songs_and_refuse_other_samples() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let write = |name: &str, oracle: &Oracle, protocol, seed| -> Result<ReadReport> {
        let path = folder.path().join(name);
        let settings = Settings { seed, ..settings(protocol) };
        report(&in_memory(three_songs()), oracle, settings)?.write_json(&path)?;
        ReadReport::read(&path)
    };
    // The second one takes mixes with quiet bass for balanced ones.
    let mut unusual = LEVELS;
    unusual[2] -= 6.0;
    let first = write("a.json", &knowing(LEVELS), Protocol::Anchor, 5)?;
    let second = write("b.json", &knowing(unusual), Protocol::Anchor, 5)?;
    let comparison = compare(&first, &second, 200)?;
    assert_eq!((comparison.songs, comparison.samples), (3, 7 * 60));
    let joint = comparison.figures.iter().find(|figure| figure.name == "joint").expect("a figure");
    let difference = joint.difference.value.expect("both have it");
    assert!((joint.second.expect("a value") - joint.first.expect("a value") - difference).abs() < 1e-12);
    let [low, high] = joint.difference.ci95.expect("an interval");
    assert!(difference < -0.2 && (low..=high).contains(&difference), "{joint:?}");
    assert!(comparison.to_string().contains("3 songs, 420 samples"), "{comparison}");
    // The same report has no difference, and an interval of no width.
    for figure in compare(&first, &first, 200)?.figures {
        if figure.first.is_some() {
            assert_eq!(figure.difference.value, Some(0.0), "{}", figure.name);
            assert_eq!(figure.difference.ci95.unwrap_or_default(), [0.0, 0.0], "{}", figure.name);
        }
    }
    let sentence =
        |other: Result<ReadReport>| compare(&first, &other.expect("a report"), 50).unwrap_err().to_string();
    assert!(
        sentence(write("c.json", &knowing(LEVELS), Protocol::NoAnchor, 5)).contains("different protocols")
    );
    assert!(sentence(write("d.json", &knowing(LEVELS), Protocol::Anchor, 6)).contains("different seeds"));
    std::fs::write(folder.path().join("e.json"), r#"{"version": 1, "protocol": "published"}"#)?;
    let old = ReadReport::read(&folder.path().join("e.json")).unwrap_err().to_string();
    assert!(old.contains("1 version") && old.contains("run `evaluate --out` again"), "{old}");
    Ok(())
}

/// A song of noise and tones at the engine's rate.
fn noisy_song() -> SongAudio {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let stems = PerStem::from_fn(|stem: Stem| {
        let mut held = 0.0_f32;
        let mut channel = || -> Vec<f32> {
            (0..320_000)
                .map(|n| {
                    held = 0.9 * held + rng.random_range(-0.1_f32..0.1);
                    let tone = (n as f32 * 0.01 * (stem.index() + 1) as f32).sin();
                    0.1 * tone + 0.3 * held
                })
                .collect()
        };
        Some(StereoPcm { left: channel(), right: channel(), sample_rate_hz: 32_000 })
    });
    SongAudio { name: "noise".into(), stems }
}

#[test]
fn mixes_of_a_window_analyzed_together_are_those_that_the_engine_analyzes_from_sound() -> Result<()> {
    let cancel = CancelFlag::new();
    let advisor = EngineAdvisor::new(Engine::open(None, &cancel)?, cancel.clone());
    let song = noisy_song();
    let windows = gated_windows(&song);
    let (flaws, _) = plan_window(Protocol::Anchor, 1, &song.name, 0);
    let together = advisor.analyze_flawed(&windows[0], &flaws[..8])?;
    for (flaw, fast) in flaws.iter().zip(&together) {
        let direct = advisor.analyze(&windows[0].mix(*flaw))?;
        let [fast, direct] = [fast, &direct].map(|analysis| advisor.meter_db(analysis));
        for stem in Stem::ALL {
            assert!((fast[stem] - direct[stem]).abs() < 0.01, "{flaw:?}: {stem} {fast:?} {direct:?}");
        }
    }
    Ok(())
}

#[test]
fn band_energies_and_a_ridge_regression_are_judged_on_the_same_samples() -> Result<()> {
    let settings = Settings { baselines: true, ..settings(Protocol::Anchor) };
    let other = [-24.0, -20.0, -22.0, -20.0];
    let songs = || {
        vec![song("one", 2, LEVELS), song("two", 2, other), song("three", 3, LEVELS), song("four", 1, other)]
    };
    let full = report(&in_memory(songs()), &knowing(LEVELS), settings)?;
    let ridge = full.controls.ridge.as_ref().expect("four songs are enough");
    assert_eq!(ridge.samples, full.model.samples);
    // Each sine is in bands of its own, so that the regression measures nearly as well as an exact meter.
    let (ridge, bound) =
        (ridge.joint.value.expect("a figure"), full.controls.bound.joint.value.expect("a figure"));
    assert!(ridge > bound - 0.15, "{ridge} of {bound}");
    assert!(full.to_json()["controls"]["ridge"]["joint"].is_number());
    let few = report(&in_memory(songs()[..2].to_vec()), &knowing(LEVELS), settings)?;
    assert!(few.controls.ridge.is_none(), "two songs are too few");
    Ok(())
}

/// Measures the sine of the vocals with an error, and nothing else.
struct OnlyVocals;

impl SeparatorMeter for OnlyVocals {
    fn separated_db(&self, mix: &StereoPcm) -> Result<SeparatedLevels> {
        let levels = knowing(LEVELS).analyze(mix)?;
        let vocals = all_rest_levels_from_levels(&levels)[Stem::Vocals];
        Ok(SeparatedLevels::default().with(Stem::Vocals, Some(vocals - 3.0)))
    }
}

#[test]
fn a_separator_that_has_vocals_alone_is_judged_by_what_it_has() -> Result<()> {
    let usual = mixing_buddy_core::norms::NormsSummary::shipped().usual;
    let balance = Stem::TARGETS.map(|stem| usual[stem].mean_db);
    let levels = mixing_buddy_core::norms::levels_from_rest_levels(balance).expect("a balance that exists");
    let levels = levels.map(|level| level - 12.0).to_array();
    let songs = in_memory(vec![song("one", 1, levels), song("two", 2, levels)]);
    let extras = Extras { separator: Some(&OnlyVocals), ..Extras::default() };
    let (oracle, settings, norms) = (knowing(levels), settings(Protocol::Anchor), NormsSource::open(None)?);
    let report = evaluate(&songs, &oracle, &settings, &norms, extras, &mut |_| Ok(()))?.report;
    let separator = report.controls.separator.as_ref().expect("it was given");
    assert_eq!(separator.samples, report.model.samples);
    // Its bias is known from the other song, so that it finds flaws of the vocals; of the others it knows nothing.
    let [vocals, drums, bass] = separator.joint_by_stem.map(|figure| figure.value.expect("a figure"));
    assert!(vocals > drums + 0.2 && vocals > bass + 0.2, "{vocals} {drums} {bass}");
    assert!(report.to_json()["controls"]["separator"]["joint"].is_number());
    Ok(())
}
