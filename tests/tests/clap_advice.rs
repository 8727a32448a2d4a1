//! The CLAP in a host: it finds the error in the demo, and saves its advice with the project.

use anyhow::Result;
use mixing_buddy_core::audio::StereoPcm;
use mixing_buddy_core::bundle::SHIPPED_BUNDLE;
use mixing_buddy_core::{CancelFlag, Engine, Request, Stem, Verdict};
use mixing_buddy_tests::host::{Instance, Library, Transport};
use mixing_buddy_tests::saved::{State, framed, with_session};
use mixing_buddy_tests::{bundle, playback, song};
use std::path::Path;
use std::time::{Duration, Instant};

fn library() -> Result<Library> {
    Library::load(&bundle::clap())
}

/// An instance that has analyzed the demo, and its state.
fn after_the_demo(library: &Library) -> Result<(Instance, State)> {
    let mut plugin = library.create()?;
    let demo = song::demo()?;
    playback::play(&mut plugin, &demo.pcm, |_| {})?;
    let state = State::read(&plugin.save()?)?;
    Ok((plugin, state))
}

#[test]
fn the_demo_is_analyzed_window_by_window_and_its_error_is_found() -> Result<()> {
    let library = library()?;
    assert_eq!(library.name, "MixingBuddy");
    let (_plugin, state) = after_the_demo(&library)?;
    let starts: Vec<f64> = state.history.iter().map(|window| window.start_s).collect();
    assert_eq!(starts.len(), 3, "{starts:?}");
    for (start, expected) in starts.iter().zip([0.0, 5.0, 10.0]) {
        assert!((start - expected).abs() < 0.05, "{starts:?}");
    }
    for window in &state.history {
        let advice = &window.advice;
        assert!((window.end_s - window.start_s - 10.0).abs() < 1e-6);
        assert!((0.0..=1.0).contains(&advice.confidence), "{advice:?}");
        assert_ne!(advice.best.verdict, Verdict::Abstain);
        assert!(!advice.text.is_empty());
        assert!(advice.levels_lu[Stem::Drums].is_some(), "the demo has drums: {advice:?}");
        assert_eq!(advice.stem, Some(Stem::Drums), "each window finds the error outright: {advice:?}");
    }
    // The drums are 6 dB too loud.
    let song = state.song.unwrap();
    assert_eq!(song.windows, 3);
    assert_eq!(song.advice.stem, Some(Stem::Drums), "{:?}", song.advice);
    assert!(song.advice.gain_db.is_some_and(|gain| gain < -3.0), "{:?}", song.advice);
    Ok(())
}

#[test]
fn the_plugin_gives_the_same_advice_as_the_engine() -> Result<()> {
    let (_plugin, state) = after_the_demo(&library()?)?;
    let cancel = CancelFlag::new();
    let engine = Engine::from_bytes(Path::new("compact.mixbuddy"), SHIPPED_BUNDLE, &cancel)?;
    let demo = song::demo()?.pcm;
    let window_samples = engine.info().features.window_samples();
    for window in &state.history {
        let start = (window.start_s * f64::from(demo.sample_rate_hz)).round() as usize;
        let end = (start + window_samples).min(demo.len());
        let pcm = StereoPcm::new(
            demo.left[start..end].to_vec(),
            demo.right[start..end].to_vec(),
            demo.sample_rate_hz,
        )?;
        let analysis = engine.analyze(&pcm, &cancel)?;
        let direct = engine.answer(&analysis, &Request::default(), &cancel)?;
        // The plugin keeps features in half precision, and audio around a window reaches into its first and last
        // frames. The level of a quiet stem differs by a few tenths of a dB.
        let (ours, theirs) = (&window.advice, &direct);
        assert_eq!(ours.best.stem, theirs.best.stem, "at {} s", window.start_s);
        assert_eq!(ours.best.verdict.direction(), theirs.best.verdict.direction(), "at {} s", window.start_s);
        assert!((ours.confidence - theirs.confidence).abs() < 0.03, "{ours:?}\n{theirs:?}");
        for (stem, level) in ours.levels_lu.iter() {
            let difference = level.zip(theirs.levels_lu[stem]).map_or(0.0, |(a, b)| (a - b).abs());
            assert!(difference < 0.4, "{stem}: {ours:?}\n{theirs:?}");
        }
    }
    Ok(())
}

#[test]
fn live_playback_from_another_thread_gives_the_same_advice() -> Result<()> {
    let library = library()?;
    let (_plugin, offline) = after_the_demo(&library)?;
    let demo = song::demo()?.pcm;
    let mut plugin = library.create()?;
    let rate = f64::from(demo.sample_rate_hz);
    plugin.activate(rate, 256)?;
    let audio = plugin.audio()?;
    let from_s = 100.0;
    std::thread::scope(|scope| {
        scope.spawn(|| -> Result<()> {
            let ten_seconds = (10.5 * rate) as usize;
            for (number, start) in (0..ten_seconds).step_by(256).enumerate() {
                let block = [&demo.left[start..start + 256], &demo.right[start..start + 256]];
                let transport = Transport { is_playing: true, position_s: from_s + start as f64 / rate };
                audio.play(&block, Some(transport))?;
                // About forty times real time, so that the ring does not overflow.
                if number % 16 == 0 {
                    std::thread::sleep(Duration::from_millis(3));
                }
            }
            Ok(())
        });
    });
    let state = playback::await_state(&mut plugin, |state| state.window_at(from_s).is_some())?;
    let (live, rendered) = (&state.window_at(from_s).unwrap().advice, &offline.history[0].advice);
    assert_eq!(live.best, rendered.best, "the same audio, live and rendered");
    assert!((live.confidence - rendered.confidence).abs() < 1e-3);
    Ok(())
}

#[test]
fn advice_is_saved_and_restored() -> Result<()> {
    let library = library()?;
    let (mut plugin, before) = after_the_demo(&library)?;
    let saved = plugin.save()?;
    drop(plugin);
    // Restored before activation, and during playback.
    for is_active in [false, true] {
        let mut plugin = library.create()?;
        if is_active {
            plugin.activate(48_000.0, 512)?;
            let silence = [0.0; 512];
            plugin
                .audio()?
                .play(&[&silence, &silence], Some(Transport { is_playing: true, position_s: 0.0 }))?;
        }
        plugin.restore(&saved)?;
        let at_once = State::read(&plugin.save()?)?;
        assert_eq!(at_once.history, before.history, "saved again at once");
        std::thread::sleep(Duration::from_millis(300));
        let later = State::read(&plugin.save()?)?;
        assert_eq!(later.history, before.history, "after the worker has taken it");
        assert_eq!(later.song, before.song);
    }
    Ok(())
}

#[test]
fn parameters_are_saved_and_restored() -> Result<()> {
    let library = library()?;
    let mut plugin = library.create()?;
    plugin.activate(48_000.0, 64)?;
    // What is read-only shows the advice, and is no choice of the user.
    let choices = |plugin: &mut Instance| {
        plugin.parameters().into_iter().filter(|parameter| !parameter.is_read_only).collect::<Vec<_>>()
    };
    for parameter in choices(&mut plugin) {
        plugin.audio()?.set_parameter(parameter.id, parameter.range.1);
    }
    plugin.audio()?.play(&[&[0.0; 64], &[0.0; 64]], None)?;
    let changed = choices(&mut plugin);
    assert!(!changed.is_empty());
    assert!(changed.iter().all(|parameter| parameter.value == parameter.range.1), "{changed:?}");
    let saved = plugin.save()?;
    let mut other = library.create()?;
    assert_ne!(choices(&mut other), changed);
    other.restore(&saved)?;
    assert_eq!(choices(&mut other), changed);
    Ok(())
}

#[test]
fn the_plugin_survives_any_saved_state() -> Result<()> {
    let library = library()?;
    let good = library.create()?.save()?;
    let deep = "[".repeat(200_000);
    let huge = format!("{{\"version\":1,\"history\":[{}]}}", "0,".repeat(50_000_000));
    let invalid_history = r#"{"version":1,"history":[{"start_s":"soon","advice":7}]}"#;
    let newer = r#"{"version":4000000000,"history":[],"telepathy":true}"#;
    let older = r#"{"history":[]}"#;
    let states: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", Vec::new()),
        ("three bytes", vec![1, 2, 3]),
        ("noise", (0..10_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect()),
        ("a wrong length", [&u64::MAX.to_le_bytes()[..], b"{}"].concat()),
        ("a length of 100 MB and nothing after it", 100_000_000u64.to_le_bytes().to_vec()),
        ("not JSON", framed(b"{\"version\":")),
        ("other JSON", framed(b"[1, 2, 3]")),
        ("half of a valid state", good[..good.len() / 2].to_vec()),
        ("a garbled session", with_session(&good, "{{{")?),
        ("an empty session", with_session(&good, "")?),
        ("an invalid session", with_session(&good, invalid_history)?),
        ("a session nested too deep", with_session(&good, &deep)?),
        ("a newer session", with_session(&good, newer)?),
        ("an older session", with_session(&good, older)?),
        ("a session of 100 MB", with_session(&good, &huge)?),
    ];
    let mut plugin = library.create()?;
    plugin.activate(48_000.0, 512)?;
    let sound: Vec<f32> = (0..512).map(|n| (n as f32 * 0.05).sin()).collect();
    for (what, state) in &states {
        let start = Instant::now();
        // The plugin may refuse. It must only survive, pass audio, and be able to save.
        let _ = plugin.restore(state);
        assert!(start.elapsed() < Duration::from_secs(5), "{what} took {:?}", start.elapsed());
        let output =
            plugin.audio()?.play(&[&sound, &sound], Some(Transport { is_playing: true, position_s: 0.0 }))?;
        assert_eq!(output[0], sound, "{what}");
        assert!(State::read(&plugin.save()?).is_ok() || *what == "a newer session", "{what}");
    }
    // The state of a newer version is kept unchanged until something changes here.
    let mut other = library.create()?;
    let newer = with_session(&good, newer)?;
    let _ = other.restore(&newer);
    std::thread::sleep(Duration::from_millis(300));
    assert!(String::from_utf8_lossy(&other.save()?).contains("telepathy"));
    // After all of that a valid state still loads.
    plugin.restore(&good)?;
    assert!(State::read(&plugin.save()?)?.history.is_empty());
    Ok(())
}

#[test]
fn a_bypassed_or_stopped_plugin_analyzes_nothing() -> Result<()> {
    let library = library()?;
    let demo = song::demo()?.pcm;
    let rate = f64::from(demo.sample_rate_hz);
    for (is_bypassed, is_playing) in [(true, true), (false, false)] {
        let mut plugin = library.create()?;
        // A rendering host counts as playing, so the stopped one is live.
        plugin.set_offline(is_playing)?;
        plugin.activate(rate, 1024)?;
        let bypass =
            plugin.parameters().into_iter().find(|p| p.name.to_lowercase().contains("bypass")).unwrap();
        plugin.audio()?.set_parameter(bypass.id, f64::from(u8::from(is_bypassed)));
        for start in (0..demo.len() - 1024).step_by(1024) {
            let block = [&demo.left[start..start + 1024], &demo.right[start..start + 1024]];
            let position_s = 50.0 + if is_playing { start as f64 / rate } else { 0.0 };
            plugin.audio()?.play(&block, Some(Transport { is_playing, position_s }))?;
        }
        std::thread::sleep(Duration::from_secs(2));
        let state = State::read(&plugin.save()?)?;
        assert!(
            state.history.is_empty(),
            "bypassed {is_bypassed}, playing {is_playing}: {:?}",
            state.history
        );
    }
    Ok(())
}
