//! The audio callback: audio passes through bit for bit, and nothing is allocated.
#![allow(clippy::unwrap_used)]

#[path = "common/host.rs"]
mod host;

use host::{Context, process, run};
use mixing_buddy::MixingBuddy;
use nice_plug::prelude::{Buffer, Plugin};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

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
