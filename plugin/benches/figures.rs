//! What the plugin costs, with the shipped model. Times are CPU time where the system has a clock for it, so that a
//! busy computer changes them little.
//!
//! `cargo bench --workspace --bench figures`; add names to run only some figures:
//! `-- process audition window song load memory library`.
//! Without `--bench`, as under `cargo test`, nothing runs.

#[path = "../tests/common/host.rs"]
mod host;

use arc_swap::ArcSwap;
use host::{Context, run};
use mixing_buddy::MixingBuddy;
use mixing_buddy::audition::link;
use mixing_buddy::capture::{BlockInfo, Flow, tap};
use mixing_buddy::params::MixParams;
use mixing_buddy::view::{Command, Trial, View};
use mixing_buddy::worker::models::SharedModels;
use mixing_buddy::worker::session::{Connections, Next, Session};
use mixing_buddy_core::audition::Version;
use mixing_buddy_core::decoder::ReferenceBalance;
use mixing_buddy_core::encoder::StemReading;
use mixing_buddy_core::profile::{Library, SongProfile};
use mixing_buddy_core::{Analysis, CancelFlag, PerStem, Stem};
use nice_plug::prelude::Buffer;
use std::sync::Arc;
use std::time::{Duration, Instant};

const RATE_HZ: f32 = 48_000.0;
const BLOCK: usize = 64;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if !arguments.iter().any(|argument| argument == "--bench") {
        return;
    }
    let wanted = |name: &str| {
        let names: Vec<&String> = arguments.iter().filter(|a| !a.starts_with("--")).collect();
        names.is_empty() || names.iter().any(|asked| *asked == name)
    };
    // Memory first: it would include what the other figures leave behind.
    if wanted("memory") {
        memory();
    }
    if wanted("library") {
        library();
    }
    if wanted("load") {
        load();
    }
    if wanted("process") {
        process_calls();
    }
    if wanted("audition") {
        audition_calls();
    }
    if wanted("window") || wanted("song") {
        song();
    }
}

fn row(what: &str, measured: String, most: &str) {
    // A benchmark's results are its output.
    #[allow(clippy::print_stdout)]
    {
        println!("{what:<58} {measured:>14}   at most {most}");
    }
}

/// CPU time of the calling thread.
fn cpu() -> Duration {
    #[cfg(unix)]
    {
        clock(libc::CLOCK_THREAD_CPUTIME_ID)
    }
    #[cfg(not(unix))]
    {
        wall()
    }
}

/// CPU time of all threads.
fn cpu_of_all() -> Duration {
    #[cfg(unix)]
    {
        clock(libc::CLOCK_PROCESS_CPUTIME_ID)
    }
    #[cfg(not(unix))]
    {
        wall()
    }
}

#[cfg(unix)]
fn clock(which: libc::clockid_t) -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: fills the struct it is given.
    unsafe { libc::clock_gettime(which, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[cfg(not(unix))]
fn wall() -> Duration {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

/// Resident memory in MB.
fn resident_mb() -> f64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: f64 = text.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or(0.0);
    pages * 4096.0 / 1e6
}

/// A substitute for music: noise with a pulse and a tone.
fn sound(seconds: usize) -> Vec<f32> {
    let mut state = 1u32;
    (0..seconds * RATE_HZ as usize)
        .map(|n| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = (state >> 8) as f32 / 8_388_608.0 - 1.0;
            let t = n as f32 / RATE_HZ;
            let pulse = (-(t % 0.5) * 30.0).exp();
            0.2 * pulse * noise + 0.1 * (std::f32::consts::TAU * 80.0 * t).sin() + 0.02 * noise
        })
        .collect()
}

fn play(plugin: &mut MixingBuddy, sound: &[f32], position: &mut i64) {
    for piece in sound.chunks(4800) {
        let mut channels = [piece.to_vec(), piece.to_vec()];
        host::process(plugin, &mut Context::playing_at(RATE_HZ, *position), &mut channels);
        *position += piece.len() as i64;
        while plugin.waiting_s() > 2.0 {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

fn wait(plugin: &MixingBuddy, done: impl Fn(&View) -> bool) {
    let started = Instant::now();
    while !done(&plugin.view()) && started.elapsed() < Duration::from_secs(120) {
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A library of 200 songs: reading it, as when the panel's list opens, and what it keeps in memory.
fn library() {
    const SONGS: usize = 200;
    let dir = tempfile::tempdir();
    let Ok(dir) = dir else { return row("a library of 200 songs", "no folder".into(), "-") };
    let library = Library::at(dir.path());
    let stem = StemReading { level_db: -5.123_456, error_db: 1.234_567, presence: 1.0, summary: Vec::new() };
    let analysis = Analysis {
        silent: false,
        reading: PerStem::from_fn(|_| stem.clone()),
        levels_lu: PerStem::all(Some(-4.321_098)),
    };
    let analyses = vec![analysis; 24];
    let balance = ReferenceBalance::of_windows(analyses.iter().map(|analysis| &analysis.reading));
    for number in 0..SONGS {
        let Ok(id) = format!("{number:032x}").parse() else { continue };
        let name = format!("Song {number} of a library, by somebody.flac");
        let profile = SongProfile::new(id, &name, "compact 0.5.0".into(), balance, &analyses);
        if let Err(error) = library.put_song(&profile) {
            return row("a library of 200 songs", error.to_string(), "-");
        }
    }
    let before_mb = resident_mb();
    let started = Instant::now();
    let listing = library.list();
    let ms = started.elapsed().as_secs_f64() * 1e3;
    let songs = listing.as_ref().map_or(0, |listing| listing.songs.len());
    row(&format!("opening a library of {songs} songs"), format!("{ms:.0} ms"), "100 ms");
    row("  memory that it takes", format!("{:.1} MB", resident_mb() - before_mb), "5 MB");
}

fn memory() {
    const FURTHER: usize = 8;
    let music = sound(31);
    let ready = |plugin: &mut MixingBuddy| {
        plugin.prepare(RATE_HZ, false);
        wait(plugin, |view| !view.model.name.is_empty());
        play(plugin, &music, &mut 0);
        wait(plugin, |view| view.song.is_some() && view.history.len() >= 2);
    };
    let before = resident_mb();
    let mut first = MixingBuddy::default();
    ready(&mut first);
    let with_first = resident_mb();
    let mut further: Vec<MixingBuddy> = Vec::new();
    for _ in 0..FURTHER {
        let mut plugin = MixingBuddy::default();
        ready(&mut plugin);
        further.push(plugin);
    }
    let with_all = resident_mb();
    row("memory of the first instance", format!("{:.1} MB", with_first - before), "250 MB");
    row("memory of each further one", format!("{:.1} MB", (with_all - with_first) / FURTHER as f64), "12 MB");
}

fn load() {
    let mut worst = Duration::ZERO;
    for _ in 0..20 {
        let started = Instant::now();
        let mut plugin = MixingBuddy::default();
        plugin.prepare(RATE_HZ, false);
        worst = worst.max(started.elapsed());
    }
    row(
        "load until the host may continue (slowest of 20)",
        format!("{:.2} ms", worst.as_secs_f64() * 1e3),
        "50 ms",
    );
}

fn process_calls() {
    const CALLS: usize = 1_000_000;
    let mut plugin = MixingBuddy::default();
    plugin.prepare(RATE_HZ, false);
    wait(&plugin, |view| !view.model.name.is_empty());
    let music = sound(10);
    let mut channels = [vec![0.0f32; BLOCK], vec![0.0f32; BLOCK]];
    let mut times: Vec<u32> = Vec::with_capacity(CALLS);
    let mut position = 0i64;
    while times.len() < CALLS {
        // Seven seconds at a time fit into the ring. Then the worker catches up, and analyzes at the same time.
        for _ in 0..5_000 {
            let at = position as usize % (music.len() - BLOCK);
            for channel in &mut channels {
                channel.copy_from_slice(&music[at..at + BLOCK]);
            }
            let mut buffer = Buffer::default();
            // SAFETY: both slices have `BLOCK` samples and outlive the buffer.
            unsafe {
                buffer.set_slices(BLOCK, |slices| {
                    slices.extend(channels.iter_mut().map(|channel| channel.as_mut_slice()));
                });
            }
            let mut context = Context::playing_at(RATE_HZ, position);
            let started = cpu();
            run(&mut plugin, &mut context, &mut buffer);
            times.push((cpu() - started).as_nanos() as u32);
            position += BLOCK as i64;
        }
        while plugin.waiting_s() > 1.0 {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
    times.sort_unstable();
    let at = |share: f64| f64::from(times[((times.len() - 1) as f64 * share) as usize]) / 1e3;
    let dropped = plugin.view().model.dropped_s;
    row("process(), 64 samples, stereo, 48 kHz: median", format!("{:.2} µs", at(0.5)), "-");
    row("  99.9th percentile of 10^6 calls, worker busy", format!("{:.2} µs", at(0.999)), "13 µs");
    row("  audio lost during the calls", format!("{dropped:.0} s"), "-");
}

/// `process()` while an audition sounds and the user moves a fader, and the time from the click to the sound.
fn audition_calls() {
    const CALLS: usize = 1_000_000;
    let mut plugin = MixingBuddy::default();
    plugin.prepare(RATE_HZ, false);
    plugin.audition().set_open(true);
    wait(&plugin, |view| !view.model.name.is_empty());
    let mut position = 0;
    play(&mut plugin, &sound(12), &mut position);
    let hear = |plugin: &MixingBuddy, gain_db: f32| {
        let gains_db = PerStem::all(0.0).with(Stem::Vocals, gain_db);
        let trial = Trial { gains_db, version: Version::Altered, over_song: false };
        plugin.worker().commands().send(Command::Hear(trial));
    };
    let mut channels = [vec![0.0f32; BLOCK], vec![0.0f32; BLOCK]];
    let mut call = |plugin: &mut MixingBuddy| {
        channels.iter_mut().for_each(|channel| channel.fill(0.0));
        let mut buffer = Buffer::default();
        // SAFETY: both slices have `BLOCK` samples and outlive the buffer.
        unsafe {
            buffer.set_slices(BLOCK, |slices| {
                slices.extend(channels.iter_mut().map(|channel| channel.as_mut_slice()));
            });
        }
        let mut context = Context::playing_at(RATE_HZ, position);
        context.transport.playing = false;
        let started = cpu();
        run(plugin, &mut context, &mut buffer);
        (cpu() - started).as_nanos() as u32
    };
    // The song stands: the separator no longer waits for the sound after the last seconds.
    call(&mut plugin);
    wait(&plugin, |view| view.audition.playable_s > 9.0 && !view.history.is_empty());
    let mut clicks: Vec<f64> = Vec::new();
    for round in 0..10 {
        hear(&plugin, -6.0 + round as f32);
        let started = cpu_of_all();
        while !plugin.audition().is_sounding() {
            call(&mut plugin);
            std::thread::sleep(Duration::from_micros(500));
        }
        clicks.push((cpu_of_all() - started).as_secs_f64() * 1e3);
        if round < 9 {
            plugin.worker().commands().send(Command::StopHearing);
            while plugin.audition().is_sounding() {
                call(&mut plugin);
                std::thread::sleep(Duration::from_micros(500));
            }
        }
    }
    clicks.sort_by(f64::total_cmp);
    let mut times: Vec<u32> = Vec::with_capacity(CALLS);
    while times.len() < CALLS {
        if times.len().is_multiple_of(2_000) {
            hear(&plugin, (times.len() / 2_000 % 24) as f32 - 12.0);
        }
        times.push(call(&mut plugin));
    }
    assert!(plugin.audition().is_sounding(), "the audition sounded all the time");
    times.sort_unstable();
    let at = |share: f64| f64::from(times[((times.len() - 1) as f64 * share) as usize]) / 1e3;
    row("process() while auditioning, 64 samples: median", format!("{:.2} µs", at(0.5)), "-");
    row("  99.9th percentile of 10^6 calls, faders moving", format!("{:.2} µs", at(0.999)), "13 µs");
    // The worker looks for commands every 15 ms, and the callback's next block is a millisecond away.
    row("from the click to the sound, median of 10", format!("{:.0} ms", clicks[clicks.len() / 2]), "280 ms");
    row("  slowest", format!("{:.0} ms", clicks[clicks.len() - 1]), "280 ms");
}

fn song() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build();
    assert!(pool.is_ok(), "this thread belongs to no pool yet");
    let view = Arc::new(ArcSwap::from_pointee(View::default()));
    let mut session = Session::new(Connections {
        params: Arc::new(MixParams::default()),
        view,
        source: Box::new(SharedModels),
        audition: link().1,
        library: None,
        cancel: CancelFlag::new(),
    });
    let (mut tap, reader) = tap(RATE_HZ as u32, false);
    session.set_reader(reader);
    let loading = cpu();
    while session.view().model.name.is_empty() {
        session.step();
    }
    row("loading the model, on the worker", format!("{:.0} ms", (cpu() - loading).as_secs_f64() * 1e3), "-");
    const SECONDS: usize = 180;
    let music = sound(SECONDS);
    let started = cpu();
    let mut windows: Vec<f64> = Vec::new();
    let mut seen = 0;
    for (index, piece) in music.chunks(720).enumerate() {
        tap.block(&[piece, piece], BlockInfo { flow: Flow::Playing, position: Some(720 * index as i64) });
        let before = cpu();
        // One poll of the ring per 15 ms of music, as on the worker's thread, and the work that follows.
        while session.step() == Next::Busy {}
        if session.view().history.len() > seen {
            seen = session.view().history.len();
            windows.push((cpu() - before).as_secs_f64());
        }
    }
    let whole = (cpu() - started).as_secs_f64();
    windows.sort_by(f64::total_cmp);
    if let Some(slowest) = windows.last() {
        row(
            "window complete to advice, median (song line included)",
            format!("{:.2} s", windows[windows.len() / 2]),
            "1.5 s",
        );
        row("  slowest", format!("{slowest:.2} s"), "1.5 s");
    }
    row(
        &format!("worker's CPU over {SECONDS} s of song, hop 5 s"),
        format!("{:.1} %", 100.0 * whole / SECONDS as f64),
        "25 %",
    );
}
