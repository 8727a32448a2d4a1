//! Auditions: what the worker prepares, and when nothing can be heard.

use super::LOUD;
use crate::common::{Act, Bench, Fake, RATE_HZ};
use mixing_buddy::capture::Flow;
use mixing_buddy::view::{AuditionState, Command, End, Trial};
use mixing_buddy_core::audio::StereoPcm;
use mixing_buddy_core::audition::{LOUDNESS_TOLERANCE_LU, Version};
use mixing_buddy_core::loudness::integrated_lufs;
use mixing_buddy_core::{PerStem, Stem};
use std::sync::atomic::Ordering;

/// A session with an open editor that has read eleven seconds; the song stands now.
fn stands() -> Bench {
    let mut bench = Bench::new([Fake::new([])]);
    bench.audio.switch().set_open(true);
    bench.play_and_step(11, LOUD);
    bench.change_flow(Flow::Paused);
    bench.settle();
    bench
}

fn trial(vocals_db: f32) -> Trial {
    Trial {
        gains_db: PerStem::all(0.0).with(Stem::Vocals, vocals_db),
        version: Version::Altered,
        over_song: false,
    }
}

/// Lets the host call for seconds while the song stands; returns what is heard.
fn listen(bench: &mut Bench, seconds: f64) -> StereoPcm {
    let mut heard = StereoPcm::silence(0, RATE_HZ);
    for _ in 0..(seconds * f64::from(RATE_HZ) / 80.0) as usize {
        let (mut left, mut right) = ([0.0; 80], [0.0; 80]);
        bench.audio.render(&mut [&mut left, &mut right], Flow::Paused);
        heard.left.extend(left);
        heard.right.extend(right);
    }
    heard
}

/// Sends a command and steps until all is done.
fn send(bench: &mut Bench, command: Command) -> AuditionState {
    bench.session.command(command);
    bench.settle().audition.state
}

#[test]
fn the_last_ten_seconds_are_heard_with_the_gains_as_loud_as_before() {
    let mut bench = stands();
    assert!(bench.session.view().audition.playable_s > 9.5);
    assert_eq!(send(&mut bench, Command::Hear(trial(-12.0))), AuditionState::Sounding);
    let altered = listen(&mut bench, 12.0);
    let state = send(&mut bench, Command::Hear(Trial { version: Version::Original, ..trial(-12.0) }));
    assert_eq!(state, AuditionState::Sounding);
    let original = listen(&mut bench, 12.0);
    let lufs = |sound: &StereoPcm| integrated_lufs(sound).unwrap().unwrap();
    // Another place of the loop is heard, hence a little more than the tolerance.
    assert!((lufs(&altered) - lufs(&original)).abs() < 2.0 * LOUDNESS_TOLERANCE_LU);
    // The vocals of the fake model are the upper bands.
    let upper = |sound: &StereoPcm| -> f32 {
        sound.left.windows(2).map(|pair| (pair[1] - pair[0]).powi(2)).sum::<f32>()
            / sound.left.iter().map(|x| x * x).sum::<f32>()
    };
    assert!(upper(&altered) < 0.8 * upper(&original), "{} {}", upper(&altered), upper(&original));
    assert_eq!(send(&mut bench, Command::StopHearing), AuditionState::Off);
    let after = listen(&mut bench, 1.0);
    assert!(after.left[800..].iter().all(|x| *x == 0.0));
}

#[test]
fn what_sounds_is_separated_once_while_it_sounds() {
    let fake = Fake::separating();
    let mut bench = Bench::new([fake.clone()]);
    bench.audio.switch().set_open(true);
    bench.play_and_step(11, LOUD);
    bench.change_flow(Flow::Paused);
    bench.settle();
    let separated = || fake.separated.load(Ordering::SeqCst);
    send(&mut bench, Command::Hear(trial(-12.0)));
    // The host has taken the first clip; then the worker goes on with it.
    for _ in 0..4 {
        listen(&mut bench, 0.1);
        bench.settle();
    }
    assert_eq!(separated(), 1);
    // Another gain needs no separation, another audition does.
    send(&mut bench, Command::Hear(trial(-6.0)));
    listen(&mut bench, 0.5);
    bench.settle();
    assert_eq!(separated(), 1);
    assert_eq!(send(&mut bench, Command::StopHearing), AuditionState::Off);
    listen(&mut bench, 0.5);
    send(&mut bench, Command::Hear(trial(-6.0)));
    for _ in 0..4 {
        listen(&mut bench, 0.1);
        bench.settle();
    }
    assert_eq!(separated(), 2);
}

#[test]
fn with_all_gains_at_zero_the_mix_is_heard_bit_for_bit() {
    let mut bench = stands();
    send(&mut bench, Command::Hear(trial(0.0)));
    let heard = listen(&mut bench, 5.0);
    // What was played, see `Bench::play`.
    let played = |n: usize| LOUD * (((n % RATE_HZ as usize * 7919) % 1009) as f32 / 504.5 - 1.0);
    // The noise repeats within each second, so only one place fits all of it.
    let is_at = |start: usize| {
        (80..heard.len()).all(|n| played(start + n) == heard.left[n] && heard.right[n] == heard.left[n])
    };
    assert!((0..2 * RATE_HZ as usize).any(is_at));
}

#[test]
fn a_fader_that_moves_is_heard_at_the_same_place() {
    let mut bench = stands();
    send(&mut bench, Command::Hear(trial(-3.0)));
    listen(&mut bench, 2.0);
    for gain_db in [-4.0, -5.0, f32::NAN, 0.0] {
        assert_eq!(send(&mut bench, Command::Hear(trial(gain_db))), AuditionState::Sounding);
        listen(&mut bench, 0.1);
    }
    // Now the gains are zero, so that the noise is that of the song, in the third second of the window.
    let heard = listen(&mut bench, 1.0);
    assert!(heard.left.iter().any(|x| x.abs() > 0.4));
    assert_eq!(bench.session.view().audition.trial, trial(0.0));
}

#[test]
fn there_is_nothing_to_hear_without_an_editor_or_without_sound() {
    let mut bench = Bench::new([Fake::new([])]);
    bench.play_and_step(11, LOUD);
    assert_eq!(bench.session.view().audition.playable_s, 0.0, "no editor was open");
    bench.audio.switch().set_open(true);
    bench.play_and_step(2, LOUD);
    assert_eq!(send(&mut bench, Command::Hear(trial(3.0))), AuditionState::Ended(End::NoSound));
    bench.play_and_step(2, LOUD);
    assert!(bench.session.view().audition.playable_s >= 3.0);
    bench.audio.switch().set_open(false);
    assert_eq!(bench.settle().audition.playable_s, 0.0, "the sound is freed");
}

#[test]
fn closing_the_editor_ends_it() {
    let mut bench = stands();
    send(&mut bench, Command::Hear(trial(-3.0)));
    listen(&mut bench, 0.5);
    bench.audio.switch().set_open(false);
    assert_eq!(bench.settle().audition.state, AuditionState::Off);
    assert!(listen(&mut bench, 0.5).left[800..].iter().all(|x| *x == 0.0));
}

#[test]
fn a_host_that_does_not_call_is_told() {
    let mut bench = stands();
    assert_eq!(send(&mut bench, Command::Hear(trial(-3.0))), AuditionState::Sounding);
    std::thread::sleep(std::time::Duration::from_millis(450));
    assert_eq!(bench.settle().audition.state, AuditionState::HostSleeps);
    listen(&mut bench, 0.1);
    assert_eq!(bench.settle().audition.state, AuditionState::Sounding);
}

#[test]
fn an_offline_render_keeps_nothing_and_hears_nothing() {
    let mut bench = Bench::with([Fake::new([])], Default::default(), true);
    bench.audio.switch().set_open(true);
    bench.play_and_step(12, LOUD);
    assert_eq!(bench.session.view().audition.playable_s, 0.0);
    assert_eq!(send(&mut bench, Command::Hear(trial(-3.0))), AuditionState::Ended(End::NoSound));
}

#[test]
fn the_advice_goes_on_after_an_audition() {
    let fake = Fake::new([Act::Slow(std::time::Duration::from_millis(1))]);
    let mut bench = Bench::new([fake.clone()]);
    bench.audio.switch().set_open(true);
    bench.play_and_step(11, LOUD);
    let before = fake.analyzed();
    send(&mut bench, Command::Hear(Trial { over_song: true, ..trial(-3.0) }));
    bench.play_and_step(6, LOUD);
    assert!(fake.analyzed() > before);
}
