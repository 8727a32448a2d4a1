//! The audio callback: audio passes through bit for bit, and nothing is allocated.
#![allow(clippy::unwrap_used)]

#[path = "common/host.rs"]
mod host;

use host::{Context, process, run};
use mixing_buddy::MixingBuddy;
use mixing_buddy::view::{AuditionState, Command, End, Trial};
use mixing_buddy_core::audition::Version;
use mixing_buddy_core::{PerStem, Stem};
use nice_plug::prelude::{Buffer, Plugin};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::{Duration, Instant};

/// Counts allocations and frees of a thread that asks for it.
struct Counting;

thread_local! {
    static COUNT: Cell<Option<u64>> = const { Cell::new(None) };
}

fn note() {
    let _ = COUNT.try_with(|count| count.set(count.get().map(|n| n + 1)));
}

// SAFETY: all calls go to the system's allocator; counting only touches a thread-local cell.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note();
        // SAFETY: the caller guarantees what `System.alloc` requires.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        note();
        // SAFETY: the pointer came from `System.alloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations and frees of this thread during `work`.
fn counted(work: impl FnOnce()) -> u64 {
    COUNT.with(|count| count.set(Some(0)));
    work();
    COUNT.with(|count| count.take()).unwrap_or(0)
}

#[test]
fn the_counter_counts() {
    assert!(counted(|| drop(std::hint::black_box(vec![0u8; 64]))) >= 2);
    assert_eq!(counted(|| ()), 0);
}

#[test]
fn the_callback_allocates_nothing_whatever_the_host_does() {
    for (rate, channel_count, is_offline) in [(48_000.0, 2, false), (8_000.0, 1, false), (192_000.0, 2, true)]
    {
        let mut plugin = MixingBuddy::default();
        plugin.prepare(rate, is_offline);
        for frames in [1usize, 64, 441, 8192] {
            let mut channels = vec![vec![0.25f32; frames]; channel_count];
            let mut buffer = Buffer::default();
            // SAFETY: all slices have `frames` samples and outlive the buffer.
            unsafe {
                buffer.set_slices(frames, |slices| {
                    slices.extend(channels.iter_mut().map(|channel| channel.as_mut_slice()));
                });
            }
            let mut position = 0;
            for block in 0..200i64 {
                let mut context = Context::playing_at(rate, position);
                // Plays, seeks, pauses, and in the end fills the ring.
                context.transport.playing = block % 50 < 45;
                position = if block % 20 == 19 { 0 } else { position + frames as i64 };
                let count = counted(|| run(&mut plugin, &mut context, &mut buffer));
                assert_eq!(count, 0, "{frames} frames at {rate} Hz, block {block}");
            }
            assert_eq!(counted(|| plugin.reset()), 0);
            assert_eq!(counted(|| plugin.stop_processing()), 0);
        }
    }
}

#[test]
fn audio_passes_bit_for_bit_whatever_the_samples() {
    let odd =
        [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e-42, -0.0, 0.0, f32::MAX, 1.5, -1e-30];
    for channel_count in [1usize, 2] {
        for rate in [1_000.0f32, 8_000.0, 44_100.0, 48_000.0, 192_000.0, 768_000.0] {
            let mut plugin = MixingBuddy::default();
            plugin.prepare(rate, false);
            for frames in [0usize, 1, 7, 64, 8192] {
                let sound: Vec<f32> =
                    (0..frames).map(|n| odd[n % odd.len()] * if n % 3 == 0 { 1.0 } else { 0.5 }).collect();
                let mut channels = vec![sound.clone(); channel_count];
                process(&mut plugin, &mut Context::playing_at(rate, 0), &mut channels);
                for channel in &channels {
                    let bits = |x: &[f32]| x.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
                    assert_eq!(bits(channel), bits(&sound));
                }
            }
        }
    }
}

#[test]
fn an_unusual_host_does_no_harm() {
    // Audio before activation, a sample rate that changes during playback, several activations, and none.
    let mut plugin = MixingBuddy::default();
    let mut channels = vec![vec![0.5f32; 64]; 2];
    process(&mut plugin, &mut Context::playing_at(48_000.0, 0), &mut channels);
    for rate in [48_000.0, 48_000.0, 44_100.0, 96_000.0, 0.0, f32::NAN, 48_000.0] {
        plugin.prepare(rate, false);
        plugin.reset();
        process(&mut plugin, &mut Context::playing_at(48_000.0, 64), &mut channels);
    }
    plugin.deactivate();
    assert!(channels.iter().flatten().all(|x| *x == 0.5));
    drop(MixingBuddy::default());
}

/// An instance that auditions: it has played twelve seconds, and the song stands.
fn auditioning(rate: f32) -> (MixingBuddy, i64) {
    let mut plugin = MixingBuddy::default();
    plugin.prepare(rate, false);
    plugin.audition().set_open(true);
    wait(|| !plugin.view().model.name.is_empty());
    let mut position = 0;
    for _ in 0..12 * 100 {
        let sound: Vec<f32> = (0..rate as i64 / 100).map(|n| tone(position + n)).collect();
        position += sound.len() as i64;
        process(&mut plugin, &mut Context::playing_at(rate, position), &mut [sound.clone(), sound]);
        while plugin.waiting_s() > 2.0 {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
    // The last seconds can be played once the song stands: until then the separator waits for the sound after them.
    wait(|| {
        stand(&mut plugin, rate, position);
        plugin.view().audition.playable_s > 9.0
    });
    hear(&plugin, -6.0);
    wait(|| {
        stand(&mut plugin, rate, position);
        plugin.audition().is_sounding()
    });
    (plugin, position)
}

fn tone(at: i64) -> f32 {
    0.3 * (at as f32 * 0.01).sin() + 0.1 * (at as f32 * 0.37).sin()
}

fn hear(plugin: &MixingBuddy, vocals_db: f32) {
    let gains_db = PerStem::all(0.0).with(Stem::Vocals, vocals_db);
    let trial = Trial { gains_db, version: Version::Altered, over_song: false };
    plugin.worker().commands().send(Command::Hear(trial));
}

/// A block while the song stands; returns what is heard.
fn stand(plugin: &mut MixingBuddy, rate: f32, position: i64) -> Vec<f32> {
    let mut context = Context::playing_at(rate, position);
    context.transport.playing = false;
    let mut channels = vec![vec![0.0f32; 64]; 2];
    process(plugin, &mut context, &mut channels);
    channels.swap_remove(0)
}

fn wait(mut done: impl FnMut() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < Duration::from_secs(120), "it takes too long");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn an_audition_allocates_nothing_in_the_callback_whatever_the_user_does() {
    let rate = 48_000.0;
    let (mut plugin, position) = auditioning(rate);
    let mut channels = [vec![0.0f32; 64], vec![0.0f32; 64]];
    let mut buffer = Buffer::default();
    // SAFETY: both slices have 64 samples and outlive the buffer.
    unsafe {
        buffer.set_slices(64, |slices| {
            slices.extend(channels.iter_mut().map(|channel| channel.as_mut_slice()));
        });
    }
    let mut context = Context::playing_at(rate, position);
    context.transport.playing = false;
    for block in 0..4_000 {
        match block % 1_000 {
            0 => hear(&plugin, -6.0 + block as f32 / 1_000.0),
            900 if block > 3_000 => plugin.worker().commands().send(Command::StopHearing),
            _ => {}
        }
        assert_eq!(counted(|| run(&mut plugin, &mut context, &mut buffer)), 0, "block {block}");
        std::thread::sleep(Duration::from_micros(300));
    }
    hear(&plugin, 3.0);
    wait(|| {
        assert_eq!(counted(|| run(&mut plugin, &mut context, &mut buffer)), 0);
        plugin.audition().is_sounding()
    });
    assert_eq!(counted(|| plugin.stop_processing()), 0);
    assert!(!plugin.audition().is_sounding());
}

#[test]
fn an_audition_ends_when_the_song_plays_and_when_the_editor_closes() {
    let rate = 44_100.0;
    let (mut plugin, position) = auditioning(rate);
    for _ in 0..20 {
        let sound = vec![0.25f32; 64];
        let mut channels = [sound.clone(), sound];
        process(&mut plugin, &mut Context::playing_at(rate, position), &mut channels);
    }
    assert!(!plugin.audition().is_sounding());
    let mut channels = [vec![0.25f32; 64], vec![0.25f32; 64]];
    process(&mut plugin, &mut Context::playing_at(rate, position), &mut channels);
    assert!(channels.iter().flatten().all(|x| *x == 0.25), "the mix passes bit for bit again");
    wait(|| plugin.view().audition.state == AuditionState::Ended(End::SongPlays));

    hear(&plugin, -6.0);
    wait(|| stand(&mut plugin, rate, position) != [0.0; 64]);
    plugin.audition().set_open(false);
    for _ in 0..20 {
        stand(&mut plugin, rate, position);
    }
    assert_eq!(stand(&mut plugin, rate, position), [0.0; 64]);
    // The sound is freed.
    wait(|| plugin.view().audition.playable_s == 0.0);
    assert_eq!(plugin.view().audition.state, AuditionState::Off);
}
