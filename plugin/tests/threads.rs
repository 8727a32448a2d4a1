//! No thread outlives its instance, whatever the instance does. With the shipped model. One test, because another
//! test's threads would be counted.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

#[path = "common/host.rs"]
mod host;

use host::{Context, process};
use mixing_buddy::MixingBuddy;
use mixing_buddy::view::{Activity, Command};
use std::time::{Duration, Instant};

const RATE_HZ: f32 = 48_000.0;

fn threads() -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir("/proc/self/task")
        .unwrap()
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok())
        .map(|name| name.trim().to_string())
        .collect();
    names.sort();
    names
}

/// Plays a window and a second more, faster than real time and slower than the worker reads. The separator needs a little of
/// the sound after the window.
fn play(plugin: &mut MixingBuddy) {
    for block in 0..1100 {
        let sound: Vec<f32> =
            (0..480).map(|n| ((n * 7919 + block * 31) % 1009) as f32 / 2018.0 - 0.25).collect();
        let mut channels = [sound.clone(), sound];
        process(plugin, &mut Context::playing_at(RATE_HZ, 480 * block as i64), &mut channels);
        if block % 50 == 0 {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn wait(plugin: &MixingBuddy, what: &str, done: impl Fn(&mixing_buddy::view::View) -> bool) {
    let started = Instant::now();
    while !done(&plugin.view()) {
        assert!(started.elapsed() < Duration::from_secs(60), "{what}: {:?}", plugin.view());
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn drop_in_time(plugin: MixingBuddy, doing: &str) {
    let started = Instant::now();
    drop(plugin);
    let took = started.elapsed();
    // The join takes 200 ms at most; the rest is for a busy computer.
    assert!(took < Duration::from_millis(400), "dropped while {doing}: {took:?}");
}

#[test]
fn no_thread_outlives_its_instance() {
    let before = threads();

    let mut plugin = MixingBuddy::default();
    for _ in 0..10 {
        plugin.prepare(RATE_HZ, false);
    }
    wait(&plugin, "the model is loaded", |view| view.activity != Activity::Loading);
    play(&mut plugin);
    wait(&plugin, "a window is analyzed", |view| view.newest.is_some() && view.song.is_some());
    plugin.worker().commands().send(Command::Ask("Are the drums too loud?".into()));
    wait(&plugin, "a question is answered", |view| view.answer.as_ref().is_some_and(|a| a.advice.is_some()));
    let mut while_advising = threads();
    let ours = while_advising
        .iter()
        .position(|name| name == "mixing-buddy")
        .expect("the worker thread has its name");
    while_advising.remove(ours);
    assert_eq!(while_advising, before, "one thread per instance and no other");
    drop_in_time(plugin, "idle");
    assert_eq!(threads(), before);

    drop_in_time(MixingBuddy::default(), "just created");
    for wait_ms in [1, 5, 20, 50, 100, 200] {
        let mut plugin = MixingBuddy::default();
        plugin.prepare(RATE_HZ, false);
        std::thread::sleep(Duration::from_millis(wait_ms));
        drop_in_time(plugin, "loading");
    }
    for wait_ms in [1, 40, 120, 300] {
        let mut plugin = MixingBuddy::default();
        plugin.prepare(RATE_HZ, false);
        wait(&plugin, "the model is loaded", |view| view.activity != Activity::Loading);
        play(&mut plugin);
        std::thread::sleep(Duration::from_millis(wait_ms));
        drop_in_time(plugin, "analyzing");
    }
    let song = std::env::temp_dir().join(format!("mixing-buddy-threads-{}.wav", std::process::id()));
    write_wav(&song, 300);
    for wait_ms in [1, 50, 200] {
        let plugin = MixingBuddy::default();
        wait(&plugin, "the model is loaded", |view| view.activity != Activity::Loading);
        plugin.worker().commands().send(Command::LoadReference(song.clone()));
        std::thread::sleep(Duration::from_millis(wait_ms));
        drop_in_time(plugin, "measuring a reference");
    }
    std::fs::remove_file(&song).unwrap();
    let eight: Vec<MixingBuddy> = (0..8).map(|_| MixingBuddy::default()).collect();
    for plugin in &eight {
        wait(plugin, "the model is loaded", |view| view.activity != Activity::Loading);
    }
    assert_eq!(threads().len(), before.len() + 8);
    drop(eight);
    assert_eq!(threads(), before);
}

fn write_wav(path: &std::path::Path, seconds: u32) {
    let samples = seconds * 44_100;
    let mut bytes = b"RIFF".to_vec();
    bytes.extend((36 + 2 * samples).to_le_bytes());
    bytes.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    bytes.extend(44_100u32.to_le_bytes());
    bytes.extend(88_200u32.to_le_bytes());
    bytes.extend(b"\x02\0\x10\0data");
    bytes.extend((2 * samples).to_le_bytes());
    bytes.extend((0..samples).flat_map(|n| ((n.wrapping_mul(7919) % 20011) as i16 - 10_000).to_le_bytes()));
    std::fs::write(path, bytes).unwrap();
}
