//! Instances leave no memory behind. One test, because another test's allocations would be counted.
#![allow(clippy::unwrap_used)]

use mixing_buddy::MixingBuddy;
use mixing_buddy::view::Activity;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// Counts the bytes in use.
struct Counting;

static IN_USE: AtomicI64 = AtomicI64::new(0);

// SAFETY: all calls go to the system's allocator; counting only touches an atomic number.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.fetch_add(layout.size() as i64, Ordering::Relaxed);
        // SAFETY: the caller guarantees what `System.alloc` requires.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size() as i64, Ordering::Relaxed);
        // SAFETY: the pointer came from `System.alloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn live_and_die(rounds: usize) {
    for _ in 0..rounds {
        let mut plugin = MixingBuddy::default();
        plugin.prepare(8_000.0, false);
    }
}

#[test]
fn two_thousand_instances_leave_no_memory_behind() {
    // One instance keeps the model, so that the others share it.
    let keeper = MixingBuddy::default();
    while keeper.view().activity == Activity::Loading {
        std::thread::sleep(Duration::from_millis(5));
    }
    live_and_die(100);
    let before = IN_USE.load(Ordering::Relaxed);
    live_and_die(2000);
    let per_instance = (IN_USE.load(Ordering::Relaxed) - before) as f64 / 2000.0;
    eprintln!("{per_instance:.1} bytes per instance");
    // A pool that is not freed takes 8 kB per instance. A little is for what the system's libraries keep for later.
    assert!(per_instance < 100.0, "every instance leaves {per_instance:.1} bytes");
}
