//! The CLAP in a host: advice and levels as parameters that the host reads and never writes, records or saves.

use anyhow::{Context, Result};
use mixing_buddy_core::Stem;
use mixing_buddy_tests::host::{Instance, Library, Parameter, Transport};
use mixing_buddy_tests::saved::State;
use mixing_buddy_tests::{bundle, playback, song};

/// The readings, in the order in which a screen reader meets them.
const NAMES: [&str; 12] = [
    "Verdict",
    "Advised stem",
    "Advised gain",
    "Confidence",
    "Vocals level",
    "Drums level",
    "Bass level",
    "Other level",
    "Integrated loudness",
    "Short-term loudness",
    "Loudness range",
    "True peak",
];

fn readings(plugin: &mut Instance) -> Vec<Parameter> {
    plugin.parameters().into_iter().filter(|parameter| parameter.is_read_only).collect()
}

fn named<'a>(readings: &'a [Parameter], name: &str) -> Result<&'a Parameter> {
    readings.iter().find(|reading| reading.name == name).with_context(|| format!("no parameter {name}"))
}

/// Half a second of silence while the song stands, so that the host hears of everything.
fn play_silence(plugin: &mut Instance) -> Result<()> {
    let silence = [0.0; 512];
    for _ in 0..40 {
        std::thread::sleep(std::time::Duration::from_millis(15));
        let transport = Transport { is_playing: false, position_s: 0.0 };
        plugin.audio()?.play(&[&silence, &silence], Some(transport))?;
    }
    Ok(())
}

#[test]
fn a_host_reads_the_advice_that_the_project_keeps() -> Result<()> {
    let library = Library::load(&bundle::clap())?;
    let mut plugin = library.create()?;
    let before = readings(&mut plugin);
    let names: Vec<&str> = before.iter().map(|reading| reading.name.as_str()).collect();
    assert_eq!(names, NAMES);
    assert_eq!(named(&before, "Verdict")?.text, "No advice yet");
    assert!(before.iter().all(|reading| !reading.is_automatable), "{before:?}");
    assert!(plugin.parameters().iter().filter(|one| !one.is_read_only).all(|one| one.is_automatable));

    let demo = song::demo()?;
    playback::play(&mut plugin, &demo.pcm, |_| {})?;
    play_silence(&mut plugin)?;
    let state = State::read(&plugin.save()?)?;
    let newest = state.history.last().context("there is advice")?;
    let advice = &newest.advice;
    let after = readings(&mut plugin);
    let gain_db = advice.gain_db.context("the demo's error is found outright")?;
    assert_eq!(advice.stem, Some(Stem::Drums));
    assert_eq!(named(&after, "Advised stem")?.text, "Drums");
    assert!(named(&after, "Verdict")?.text.to_lowercase().ends_with("too loud"), "{after:?}");
    assert_eq!(named(&after, "Advised gain")?.text, format!("{gain_db:.1} dB"));
    assert_eq!(named(&after, "Confidence")?.text, format!("{:.0} %", 100.0 * advice.confidence));
    for stem in Stem::ALL {
        let reading = after.iter().find(|reading| reading.name.to_lowercase() == format!("{stem} level"));
        let text = &reading.context("each stem has a level")?.text;
        match advice.levels_lu[stem] {
            Some(level_lu) => {
                let shown: f32 = text.trim_end_matches(" LU").parse()?;
                assert!((shown - level_lu).abs() <= 0.06, "{stem}: {text} for {level_lu}");
            }
            None => assert_eq!(text, "absent", "{stem}"),
        }
    }
    assert!(named(&after, "Integrated loudness")?.text.ends_with(" LUFS"), "{after:?}");

    // The host was told of each change, in a way that it does not record, and of nothing else.
    let told = plugin.audio()?.take_told();
    for reading in &after {
        let last = told.iter().rev().find(|told| told.id == reading.id);
        let changed = before.iter().any(|old| old.id == reading.id && old.value != reading.value);
        assert!(last.is_some() || !changed, "{reading:?}");
        assert!(last.is_none_or(|last| last.value == reading.value), "{last:?} for {reading:?}");
    }
    assert!(told.iter().all(|told| !told.is_for_recording), "nothing is recorded");
    assert!(told.iter().all(|told| after.iter().any(|reading| reading.id == told.id)));
    assert_eq!(plugin.modified(), 0, "advice does not mark the project as modified");
    Ok(())
}

#[test]
fn automation_does_not_write_them_and_a_project_does_not_keep_them() -> Result<()> {
    let library = Library::load(&bundle::clap())?;
    let mut plugin = library.create()?;
    plugin.activate(48_000.0, 512)?;
    let before = readings(&mut plugin);
    let saved = plugin.save()?;
    let silence = [0.0; 512];
    for reading in &before {
        let (lowest, highest, _) = reading.range;
        for value in [highest, lowest, f64::NAN, (lowest + highest) / 2.0] {
            plugin.audio()?.set_parameter(reading.id, value);
            plugin.audio()?.play(&[&silence, &silence], None)?;
        }
    }
    let after = readings(&mut plugin);
    assert_eq!(after, before, "the host cannot write them");
    assert_eq!(plugin.save()?, saved);
    let text = String::from_utf8_lossy(&saved).into_owned();
    assert!(text.contains("\"sensitivity\"") && !text.contains("r_verd"), "{text}");
    Ok(())
}

#[test]
fn a_loaded_project_shows_its_advice_at_once() -> Result<()> {
    let library = Library::load(&bundle::clap())?;
    let mut plugin = library.create()?;
    playback::play(&mut plugin, &song::demo()?.pcm, |_| {})?;
    let saved = plugin.save()?;
    let mut other = library.create()?;
    other.restore(&saved)?;
    std::thread::sleep(std::time::Duration::from_millis(300));
    let shown = readings(&mut other);
    assert_eq!(named(&shown, "Advised stem")?.text, "Drums");
    assert_eq!(named(&shown, "Integrated loudness")?.text, "none yet", "the meters are not saved");
    Ok(())
}

#[test]
fn a_controller_finds_the_advice_on_a_page_of_eight() -> Result<()> {
    let library = Library::load(&bundle::clap())?;
    let mut plugin = library.create()?;
    let parameters = plugin.parameters();
    let name = |id| parameters.iter().find(|one| one.id == id).map_or("", |one| one.name.as_str());
    let pages: Vec<(String, Vec<&str>)> = plugin
        .remote_pages()
        .into_iter()
        .map(|(page, ids)| (page, ids.into_iter().map(name).collect()))
        .collect();
    let names: Vec<&str> = pages.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["Advice", "Settings", "Loudness"]);
    assert_eq!(pages[0].1, NAMES[..8]);
    assert_eq!(pages[1].1, ["Confidence threshold", "Hop", "Bypass"]);
    assert_eq!(pages[2].1, NAMES[8..]);
    Ok(())
}
