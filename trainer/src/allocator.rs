//! The trainer's allocator.
//!
//! A training step allocates and frees hundreds of tensors of megabytes. The system's allocator returns such pages to
//! the system each time, which clears them again; so does mimalloc after ten milliseconds, unless it is told to keep
//! them (`trainer/RUNS.md` states what each costs).

use libmimalloc_sys::{mi_option_large_os_pages, mi_option_set, mi_option_t};

pub use mimalloc::MiMalloc;

/// `mi_option_purge_delay` of mimalloc's header: milliseconds until free pages are returned, -1 for never.
const PURGE_DELAY: mi_option_t = 15;

/// Keeps freed pages for the next tensor, and takes large ones where the system has them.
///
/// For programs whose global allocator is [`MiMalloc`]; to be called first in `main`.
pub fn keep_pages() {
    // SAFETY: both are options of the mimalloc that is linked (its version is pinned), and take any number.
    unsafe {
        mi_option_set(PURGE_DELAY, -1);
        mi_option_set(mi_option_large_os_pages, 1);
    }
}
