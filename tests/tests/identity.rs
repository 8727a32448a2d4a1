//! What hosts and projects know the plugin by: its identifiers, and the states that older versions saved.

use anyhow::Result;
use mixing_buddy_tests::bundle;
use mixing_buddy_tests::host::Library;
use mixing_buddy_tests::saved::{State, framed};
use std::time::Duration;

/// The state of a project that version 0.5.0 saved, as the field of a host's project file.
const STATE_0_5_0: &[u8] = include_bytes!("../../plugin/tests/fixtures/state_0_5_0.json");

#[test]
fn the_clap_id_is_the_one_that_projects_contain() -> Result<()> {
    let library = Library::load(&bundle::clap())?;
    assert_eq!(library.id, "org.mixing-buddy.mixing-buddy");
    // `cargo xtask bundle` writes the same file into Info.plist.
    assert_eq!(library.id, include_str!("../../plugin/identifier.txt").trim());
    Ok(())
}

#[test]
fn a_project_saved_with_0_5_0_is_restored_in_a_host() -> Result<()> {
    let library = Library::load(&bundle::clap())?;
    let saved = framed(STATE_0_5_0);
    let before = State::read(&saved)?;
    assert_eq!((before.history.len(), before.song.as_ref().map(|song| song.windows)), (2, Some(2)));
    let mut plugin = library.create()?;
    plugin.restore(&saved)?;
    let at_once = State::read(&plugin.save()?)?;
    // The worker takes the state and saves it from then on.
    std::thread::sleep(Duration::from_millis(300));
    let later = State::read(&plugin.save()?)?;
    for after in [at_once, later] {
        assert_eq!((after.hop_s, &after.history), (10.0, &before.history));
        // The new model answers for the song from the levels that the old one has measured.
        let song = |state: &State| {
            let song = state.song.as_ref().expect("advice on the song");
            (song.windows, song.advice.best.stem, song.advice.best.verdict, song.advice.levels_lu)
        };
        assert_eq!(song(&after), song(&before));
        for key in ["choices", "reference", "panel"] {
            assert_eq!(after.session[key], before.session[key], "{key}");
        }
    }
    let threshold =
        plugin.parameters().into_iter().find(|parameter| parameter.name == "Confidence threshold");
    assert!(threshold.is_some_and(|parameter| (parameter.value - 0.4).abs() < 1e-6));
    Ok(())
}
