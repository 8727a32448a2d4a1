//! Plays a song through the plugin at a pace that it can follow, and collects its advice.

use crate::host::{Instance, Transport};
use crate::saved::{SavedWindow, State};
use anyhow::{Context, Result, ensure};
use mixing_buddy_core::Advice;
use mixing_buddy_core::audio::StereoPcm;
use mixing_buddy_core::features::FeatureSettings;
use std::time::{Duration, Instant};

/// Length of a window in seconds.
pub const WINDOW_S: f64 = FeatureSettings::WINDOW_S as f64;
/// Frames of a block, as hosts commonly have them.
const BLOCK: usize = 512;
/// Audio after a window that its last features reach into, in seconds: the separator's last pass (0.24 s) and half a
/// transform.
const LOOK_AHEAD_S: f64 = 0.5;
/// Longest time to wait for advice, on a very busy computer and with the model not loaded yet.
const PATIENCE: Duration = Duration::from_secs(120);
/// Time between two looks at the plugin's state.
const PAUSE: Duration = Duration::from_millis(10);

/// Plays `pcm` from the start. After each complete window it waits until the advice is in the saved state and passes it
/// to `visit`. Returns the advice on the song.
///
/// Blocks come as in a render: faster than real time, and no window is skipped. So the same song gives the same advice.
///
/// # Errors
/// When the song is shorter than a window, the plugin refuses, or advice takes longer than two minutes.
pub fn play(plugin: &mut Instance, pcm: &StereoPcm, mut visit: impl FnMut(&SavedWindow)) -> Result<Advice> {
    let rate = f64::from(pcm.sample_rate_hz);
    let duration_s = pcm.len() as f64 / rate;
    ensure!(
        duration_s >= WINDOW_S,
        "it is {duration_s:.1} s long; the plugin analyzes windows of ten seconds"
    );
    plugin.set_offline(true)?;
    plugin.activate(rate, BLOCK as u32)?;
    let hop_s = State::read(&plugin.save()?)?.hop_s;
    let silence = [0.0; BLOCK];
    let (mut due_s, mut analyzed, mut at) = (WINDOW_S, 0, 0);
    while due_s <= duration_s {
        let frames = BLOCK.min(pcm.len() - at.min(pcm.len()));
        let transport = Transport { is_playing: true, position_s: at as f64 / rate };
        // As in a project, the transport goes on after the last note.
        let block = if frames == 0 {
            [&silence[..]; 2]
        } else {
            [&pcm.left[at..at + frames], &pcm.right[at..at + frames]]
        };
        plugin.audio()?.play(&block, Some(transport))?;
        at += block[0].len();
        if at as f64 / rate >= due_s + LOOK_AHEAD_S {
            let start_s = due_s - WINDOW_S;
            if is_finite(pcm, start_s) {
                let state = await_state(plugin, |state| state.window_at(start_s).is_some())
                    .with_context(|| format!("the window at {start_s} s"))?;
                state.window_at(start_s).into_iter().for_each(&mut visit);
                analyzed += 1;
            }
            due_s += hop_s;
        }
    }
    ensure!(analyzed > 0, "no window of it can be analyzed: all contain samples that are not finite");
    let state =
        await_state(plugin, |state| state.song.as_ref().is_some_and(|song| song.windows == analyzed))?;
    Ok(state.song.context("the plugin gave no advice on the song")?.advice)
}

/// Saves repeatedly until the state is as wanted.
///
/// # Errors
/// When that takes longer than two minutes.
pub fn await_state(plugin: &mut Instance, is_wanted: impl Fn(&State) -> bool) -> Result<State> {
    let start = Instant::now();
    loop {
        plugin.run_callbacks();
        let state = State::read(&plugin.save()?)?;
        if is_wanted(&state) {
            return Ok(state);
        }
        ensure!(start.elapsed() < PATIENCE, "the plugin gave no advice within two minutes");
        std::thread::sleep(PAUSE);
    }
}

/// Whether all samples of the window at `start_s` are finite; the plugin does not analyze others.
fn is_finite(pcm: &StereoPcm, start_s: f64) -> bool {
    let at = |seconds: f64| ((seconds * f64::from(pcm.sample_rate_hz)).max(0.0) as usize).min(pcm.len());
    let window = at(start_s - LOOK_AHEAD_S)..at(start_s + WINDOW_S + LOOK_AHEAD_S);
    pcm.left[window.clone()].iter().chain(&pcm.right[window]).all(|sample| sample.is_finite())
}
