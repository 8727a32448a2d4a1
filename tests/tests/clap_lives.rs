//! The CLAP in a host: instances come and go, many at once, and leave no thread behind. One test, so that no other
//! test's threads are counted.

use anyhow::Result;
use mixing_buddy_tests::host::{Instance, Library, Transport};
use mixing_buddy_tests::{bundle, playback, saved, song, threads};
use std::time::{Duration, Instant};

const RATE_HZ: f64 = 48_000.0;
const BLOCK: usize = 480;
/// An instance may take this long to go, and the system a moment more to forget its threads.
const LONGEST_GOODBYE: Duration = Duration::from_millis(200);

/// Plays quiet noise for a while as fast as the plugin takes it.
fn play(plugin: &mut Instance, blocks: usize) -> Result<()> {
    let sound: Vec<f32> = (0..BLOCK).map(|n| ((n * 7919) % 1009) as f32 / 10_090.0).collect();
    let audio = plugin.audio()?;
    for block in 0..blocks {
        let transport = Transport { is_playing: true, position_s: (block * BLOCK) as f64 / RATE_HZ };
        audio.play(&[&sound, &sound], Some(transport))?;
    }
    Ok(())
}

/// Drops it and says how long that took.
fn farewell(plugin: Instance) -> Duration {
    let start = Instant::now();
    drop(plugin);
    start.elapsed()
}

fn assert_nothing_left(before: &std::collections::BTreeMap<u64, String>, when: &str) {
    let left = threads::left_behind(before, Duration::from_millis(500));
    assert!(left.is_empty(), "{when}: threads {left:?} are still there");
}

#[test]
fn instances_come_and_go_and_leave_nothing_behind() -> Result<()> {
    let before = threads::all();
    let library = Library::load(&bundle::clap())?;
    assert_nothing_left(&before, "after loading the library");

    // Two hundred lives, of all lengths: dropped at once, while the model loads, with sound waiting.
    let mut longest = Duration::ZERO;
    for life in 0..200 {
        let mut plugin = library.create()?;
        if life % 4 != 0 {
            plugin.activate(RATE_HZ, BLOCK as u32)?;
            play(&mut plugin, life % 50)?;
            std::thread::sleep(Duration::from_millis([0, 0, 1, 5, 20][life % 5]));
        }
        longest = longest.max(farewell(plugin));
    }
    assert_nothing_left(&before, "after two hundred lives");
    // The bound on a join is 200 ms of the plugin's; the rest is leave for a busy machine.
    assert!(longest < 2 * LONGEST_GOODBYE, "the longest goodbye took {longest:?}");
    eprintln!("longest goodbye of two hundred: {longest:?}");

    // Dropped while it judges: ten seconds of the demo are in, and a second of work is ahead.
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
        let took = farewell(plugin);
        assert!(took < 2 * LONGEST_GOODBYE, "dropped {wait_ms} ms into its work it took {took:?}");
        assert_nothing_left(&before, "after a drop in the middle of work");
    }

    // Dropped after its work is done, whatever that has started.
    let mut plugin = library.create()?;
    playback::play(&mut plugin, &demo.pcm, |_| {})?;
    farewell(plugin);
    assert_nothing_left(&before, "after the demo was judged");

    // Eight at once, each with a worker of its own, all of them heard.
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
        farewell(plugin);
    }
    assert_nothing_left(&before, "after eight at once");

    drop(library);
    assert_nothing_left(&before, "after unloading the library");
    Ok(())
}
