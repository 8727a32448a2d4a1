//! What hosts do with the CLAP while a song plays, as they were reported to do it.

use anyhow::Result;
use mixing_buddy_tests::host::{Instance, Library, Transport};
use mixing_buddy_tests::{bundle, playback, song};
use std::time::Duration;

/// Plays seconds of the demo live, faster than real time. Before each block the host makes `call`; the position is that
/// of the sound, mapped by `place`, in seconds.
fn play(
    plugin: &mut Instance,
    seconds: f64,
    block: usize,
    mut call: impl FnMut(&mut Instance) -> Result<()>,
    place: impl Fn(f64) -> f64,
) -> Result<()> {
    let demo = song::demo()?.pcm;
    let rate = f64::from(demo.sample_rate_hz);
    plugin.activate(rate, block as u32)?;
    let end = (seconds * rate) as usize;
    let mut slept_s = 0.0;
    for start in (0..end).step_by(block) {
        let at = start % (demo.len() - block);
        call(plugin)?;
        let sound = [&demo.left[at..at + block], &demo.right[at..at + block]];
        let at_s = start as f64 / rate;
        let transport = Transport { is_playing: true, position_s: place(at_s) };
        plugin.audio()?.play(&sound, Some(transport))?;
        // About ten times real time: the ring holds ten seconds, and the model has to load.
        if at_s - slept_s > 0.5 {
            slept_s = at_s;
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    Ok(())
}

/// An instance whose model is loaded: it has had time to.
fn ready(library: &Library) -> Result<Instance> {
    let plugin = library.create()?;
    std::thread::sleep(Duration::from_millis(1500));
    Ok(plugin)
}

#[test]
fn lifecycle_calls_around_every_block_are_no_break_in_the_song() -> Result<()> {
    let library = Library::load(&bundle::clap())?;
    type Call = fn(&mut Instance, f64) -> Result<()>;
    let calls: [(&str, Call); 3] = [
        ("stop and start", |plugin, _| plugin.restart()),
        ("reset", |plugin, _| {
            plugin.audio()?.reset();
            Ok(())
        }),
        ("deactivate and activate", |plugin, rate| plugin.activate(rate, 512)),
    ];
    let rate = f64::from(song::demo()?.pcm.sample_rate_hz);
    for (name, call) in calls {
        let mut plugin = ready(&library)?;
        play(&mut plugin, 15.5, 512, |plugin| call(plugin, rate), |at_s| at_s)?;
        let state = playback::await_state(&mut plugin, |state| state.history.len() >= 2)?;
        let starts: Vec<f64> = state.history.iter().map(|window| window.start_s).collect();
        assert!((starts[0] - 0.0).abs() < 0.05 && (starts[1] - 5.0).abs() < 0.05, "{name}: {starts:?}");
    }
    Ok(())
}

#[test]
fn a_position_at_another_speed_and_a_loop_give_advice() -> Result<()> {
    let library = Library::load(&bundle::clap())?;
    for (block, speed) in [(64, 2.0), (1024, 2.0), (4096, 0.5), (1024, 0.0)] {
        let mut plugin = ready(&library)?;
        play(&mut plugin, 10.5, block, |_| Ok(()), |at_s| 7.0 + speed * at_s)?;
        let state = playback::await_state(&mut plugin, |state| !state.history.is_empty())?;
        let window = &state.history[0];
        assert!(
            (window.start_s - 7.0).abs() < 0.05 && (window.end_s - 17.0).abs() < 0.05,
            "speed {speed}, blocks of {block}: {} to {} s",
            window.start_s,
            window.end_s
        );
    }
    let mut plugin = ready(&library)?;
    play(&mut plugin, 17.0, 512, |_| Ok(()), |at_s| 20.0 + at_s % 8.0)?;
    let state = playback::await_state(&mut plugin, |state| !state.history.is_empty())?;
    let window = &state.history[0];
    assert!((window.start_s - 20.0).abs() < 0.05 && (window.end_s - 28.0).abs() < 0.05, "the whole loop");
    Ok(())
}
