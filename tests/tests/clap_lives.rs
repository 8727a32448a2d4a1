//! The CLAP in a host: many instances are created and dropped, and no thread is left. One test, because another test's
//! threads would be counted.

use anyhow::Result;
use mixing_buddy_tests::host::{Instance, Library, Transport};
use mixing_buddy_tests::{bundle, playback, saved, song, threads};
use std::time::{Duration, Instant};

const RATE_HZ: f64 = 48_000.0;
const BLOCK: usize = 480;
/// Longest time to drop an instance: the plugin's own bound on the join of its thread.
const LONGEST_DROP: Duration = Duration::from_millis(200);

/// Plays blocks of quiet noise as fast as the plugin takes them.
fn play(plugin: &mut Instance, blocks: usize) -> Result<()> {
    let sound: Vec<f32> = (0..BLOCK).map(|n| ((n * 7919) % 1009) as f32 / 10_090.0).collect();
    let audio = plugin.audio()?;
    for block in 0..blocks {
        let transport = Transport { is_playing: true, position_s: (block * BLOCK) as f64 / RATE_HZ };
        audio.play(&[&sound, &sound], Some(transport))?;
    }
    Ok(())
}

/// Drops an instance and returns how long that took.
fn time_of_drop(plugin: Instance) -> Duration {
    let start = Instant::now();
    drop(plugin);
    start.elapsed()
}

fn assert_nothing_left(before: &std::collections::BTreeMap<u64, String>, when: &str) {
    let left = threads::left_behind(before, Duration::from_millis(500));
    assert!(left.is_empty(), "{when}: threads {left:?} still run");
}

#[test]
fn dropped_instances_leave_no_thread() -> Result<()> {
    let before = threads::all();
    let library = Library::load(&bundle::clap())?;
    assert_nothing_left(&before, "after loading the library");

    // Two hundred instances: dropped at once, while the model loads, or with audio in the ring.
    let mut longest = Duration::ZERO;
    for round in 0..200 {
        let mut plugin = library.create()?;
        if round % 4 != 0 {
            plugin.activate(RATE_HZ, BLOCK as u32)?;
            play(&mut plugin, round % 50)?;
            std::thread::sleep(Duration::from_millis([0, 0, 1, 5, 20][round % 5]));
        }
        longest = longest.max(time_of_drop(plugin));
    }
    assert_nothing_left(&before, "after two hundred instances");
    // The plugin waits 200 ms at most; the rest is for a busy computer.
    assert!(longest < 2 * LONGEST_DROP, "the longest drop took {longest:?}");
    eprintln!("longest drop of two hundred: {longest:?}");

    // Dropped during the analysis: ten seconds of the demo are in the queue, which is about a second of work.
    let demo = song::demo()?;
    for wait_ms in [0, 100, 300, 700] {
        let mut plugin = library.create()?;
        let rate = demo.pcm.sample_rate_hz;
        plugin.activate(f64::from(rate), 1024)?;
        plugin.set_offline(true)?;
        let audio = plugin.audio()?;
        for start in (0..(11 * rate as usize)).step_by(1024) {
            let block = [&demo.pcm.left[start..start + 1024], &demo.pcm.right[start..start + 1024]];
            let transport = Transport { is_playing: true, position_s: start as f64 / f64::from(rate) };
            audio.play(&block, Some(transport))?;
        }
        std::thread::sleep(Duration::from_millis(wait_ms));
        let took = time_of_drop(plugin);
        assert!(took < 2 * LONGEST_DROP, "dropped {wait_ms} ms into its work it took {took:?}");
        assert_nothing_left(&before, "after a drop during the analysis");
    }

    // Dropped after its work is done.
    let mut plugin = library.create()?;
    playback::play(&mut plugin, &demo.pcm, |_| {})?;
    time_of_drop(plugin);
    assert_nothing_left(&before, "after the demo was analyzed");

    // Eight at once, each with a worker of its own.
    let mut eight = (0..8).map(|_| library.create()).collect::<Result<Vec<_>>>()?;
    for plugin in &mut eight {
        plugin.activate(RATE_HZ, BLOCK as u32)?;
    }
    for plugin in &mut eight {
        play(plugin, 20)?;
    }
    let running = threads::all().len().saturating_sub(before.len());
    if !before.is_empty() {
        assert!((8..=16).contains(&running), "eight instances have {running} threads: {:?}", threads::all());
    }
    for mut plugin in eight {
        assert!(saved::State::read(&plugin.save()?).is_ok());
        time_of_drop(plugin);
    }
    assert_nothing_left(&before, "after eight at once");

    drop(library);
    assert_nothing_left(&before, "after unloading the library");
    Ok(())
}
