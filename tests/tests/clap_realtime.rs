//! The CLAP in a host: its `process` allocates nothing, frees nothing and makes no system call, in the release build
//! that users get, while its worker is busy (Linux with glibc).
//!
//! To count allocations, this program exports `malloc` and the related functions, which the plugin's allocator then
//! calls. To forbid system calls, the audio thread enters the kernel's strict seccomp mode, in which every call but
//! `read`, `write` and `exit` ends it.
#![cfg(all(target_os = "linux", target_env = "gnu"))]

use anyhow::{Context, Result};
use mixing_buddy_tests::host::{Instance, Library, Transport};
use mixing_buddy_tests::saved::framed;
use mixing_buddy_tests::{bundle, song};
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

thread_local! {
    // `const` and without a destructor, so that the first use does not allocate.
    static IS_WATCHED: Cell<bool> = const { Cell::new(false) };
}
static CALLS: AtomicUsize = AtomicUsize::new(0);

fn count() {
    // A thread that ends no longer has the value, and is not watched.
    if IS_WATCHED.try_with(Cell::get).unwrap_or(false) {
        CALLS.fetch_add(1, Ordering::Relaxed);
    }
}

mod instead_of_libc {
    use super::count;
    use std::ffi::c_void;

    unsafe extern "C" {
        fn __libc_malloc(size: usize) -> *mut c_void;
        fn __libc_calloc(count: usize, size: usize) -> *mut c_void;
        fn __libc_realloc(memory: *mut c_void, size: usize) -> *mut c_void;
        fn __libc_memalign(alignment: usize, size: usize) -> *mut c_void;
        fn __libc_free(memory: *mut c_void);
    }

    // SAFETY of the names: the C library allows a program to replace them all together ("Replacing malloc" in its
    // manual). SAFETY of the calls: each passes on the arguments of its caller.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn malloc(size: usize) -> *mut c_void {
        count();
        // SAFETY: see above.
        unsafe { __libc_malloc(size) }
    }

    // SAFETY: see above.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn calloc(number: usize, size: usize) -> *mut c_void {
        count();
        // SAFETY: see above.
        unsafe { __libc_calloc(number, size) }
    }

    // SAFETY: see above.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn realloc(memory: *mut c_void, size: usize) -> *mut c_void {
        count();
        // SAFETY: see above.
        unsafe { __libc_realloc(memory, size) }
    }

    // SAFETY: see above.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn aligned_alloc(alignment: usize, size: usize) -> *mut c_void {
        count();
        // SAFETY: see above.
        unsafe { __libc_memalign(alignment, size) }
    }

    // SAFETY: see above.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn posix_memalign(to: *mut *mut c_void, alignment: usize, size: usize) -> i32 {
        count();
        // SAFETY: see above; the caller gives `to` to be written.
        unsafe {
            *to = __libc_memalign(alignment, size);
            if (*to).is_null() { libc::ENOMEM } else { 0 }
        }
    }

    // SAFETY: see above.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn free(memory: *mut c_void) {
        count();
        // SAFETY: see above.
        unsafe { __libc_free(memory) }
    }
}

const RATE_HZ: f64 = 48_000.0;
const BLOCK: usize = 64;

/// An instance whose worker has the demo to analyze.
fn busy(library: &Library) -> Result<Instance> {
    let mut plugin = library.create()?;
    plugin.activate(RATE_HZ, BLOCK as u32)?;
    let demo = song::demo()?.pcm;
    let audio = plugin.audio()?;
    for start in (0..(10.2 * RATE_HZ) as usize).step_by(BLOCK) {
        let block = [&demo.left[start..start + BLOCK], &demo.right[start..start + BLOCK]];
        let transport = Transport { is_playing: true, position_s: start as f64 / RATE_HZ };
        audio.play(&block, Some(transport))?;
        if start % 4800 == 0 {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
    Ok(plugin)
}

/// The transports of many blocks: playing, stopped, seeking, none, until the ring overflows.
fn transports() -> impl Iterator<Item = Option<Transport>> {
    (0..40_000usize).map(|block| {
        let is_playing = !(2_000..2_500).contains(&block);
        let position_s = (block + if block > 10_000 { 90_000 } else { 0 }) as f64 * BLOCK as f64 / RATE_HZ;
        (block % 5_000 != 4_999).then_some(Transport { is_playing, position_s })
    })
}

#[test]
fn process_allocates_and_frees_nothing() -> Result<()> {
    let library = Library::load(&bundle::clap())?;
    // First check that the counter sees the plugin's own allocations: a state with a thousand fields makes the plugin
    // allocate a thousand strings, and the host none.
    let fields: Vec<String> = (0..1000).map(|number| format!("\"unknown{number}\":\"\"")).collect();
    let state = framed(
        format!("{{\"version\":\"0\",\"params\":{{}},\"fields\":{{{}}}}}", fields.join(",")).as_bytes(),
    );
    let mut other = library.create()?;
    IS_WATCHED.set(true);
    let restored = other.restore(&state);
    IS_WATCHED.set(false);
    restored?;
    let seen = CALLS.swap(0, Ordering::Relaxed);
    assert!(seen > 1000, "the counter saw {seen} calls only");
    drop(other);
    let mut plugin = busy(&library)?;
    let audio = plugin.audio()?;
    audio.prepare(&[&[0.1; BLOCK], &[0.2; BLOCK]])?;
    // The first call may fill tables of the host.
    audio.call(BLOCK, None)?;
    for transport in transports() {
        IS_WATCHED.set(true);
        let result = audio.call(BLOCK, transport);
        IS_WATCHED.set(false);
        result?;
    }
    assert_eq!(CALLS.load(Ordering::Relaxed), 0, "calls of the allocator in process()");
    Ok(())
}

/// Tells a copy of this program to play instead of testing.
const PLAYER_VARIABLE: &str = "MIXING_BUDDY_TEST_PLAYER";

#[test]
fn process_makes_no_system_call() -> Result<()> {
    if let Ok(wanted) = std::env::var(PLAYER_VARIABLE) {
        return play_without_system_calls(wanted == "call");
    }
    let player = |what: &str| -> Result<std::process::Output> {
        std::process::Command::new(std::env::current_exe()?)
            .args(["--exact", "process_makes_no_system_call", "--nocapture"])
            .env(PLAYER_VARIABLE, what)
            .output()
            .context("a copy of this test cannot be started")
    };
    // First check that a system call is noticed.
    let seen = player("call")?;
    let said = String::from_utf8_lossy(&seen.stderr).into_owned();
    if said.contains("skipped:") {
        eprintln!("{said}");
        return Ok(());
    }
    assert!(!seen.status.success() && said.contains("a system call ended the audio thread"), "{said}");
    let output = player("play")?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

fn play_without_system_calls(makes_one: bool) -> Result<()> {
    static BLOCKS: AtomicUsize = AtomicUsize::new(0);
    let library = Library::load(&bundle::clap())?;
    let mut plugin = busy(&library)?;
    let audio = plugin.audio()?;
    audio.prepare(&[&[0.1; BLOCK], &[0.2; BLOCK]])?;
    audio.call(BLOCK, None)?;
    let expected = transports().count();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // SAFETY: a plain call. From here on this thread may only read, write and exit.
            if unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_STRICT) } != 0 {
                BLOCKS.store(usize::MAX, Ordering::Release);
                return;
            }
            for transport in transports() {
                if audio.call(BLOCK, transport).is_err() {
                    break;
                }
                if makes_one {
                    std::thread::yield_now();
                }
                BLOCKS.fetch_add(1, Ordering::Release);
            }
            // SAFETY: ends only this thread, without the clean-up, which makes system calls.
            unsafe { libc::syscall(libc::SYS_exit, 0) };
        });
        // The scope would wait for the clean-up, which never runs, so the process exits from within it.
        let start = Instant::now();
        let mut blocks = (0, Instant::now());
        loop {
            std::thread::sleep(Duration::from_millis(20));
            let now = BLOCKS.load(Ordering::Acquire);
            if now == usize::MAX {
                eprintln!("skipped: the kernel has no seccomp");
                std::process::exit(0);
            }
            if now == expected {
                eprintln!("{expected} blocks without a system call in {:?}", start.elapsed());
                std::process::exit(0);
            }
            if now != blocks.0 {
                blocks = (now, Instant::now());
            }
            // On a busy computer a thread may wait for its turn, but not this long.
            if blocks.1.elapsed() > Duration::from_secs(5) {
                eprintln!("a system call ended the audio thread after {now} blocks");
                std::process::exit(1);
            }
        }
    });
    Ok(())
}
