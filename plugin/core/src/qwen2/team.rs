//! A few threads that work on one forward pass and end with it.
//!
//! The threads are scoped: none outlives the call, so a plugin may use them in a host. With one thread, none is started.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

/// Rounds of waiting without giving the core to another thread: a few microseconds, the time between two products.
const SPINS: usize = 2_000;

type Job<'a> = &'a (dyn Fn() + Sync);

/// A job whose lifetime is hidden; see [`Team::run`].
#[derive(Clone, Copy)]
struct Hidden(*const (dyn Fn() + Sync));

// SAFETY: the pointer is used only while `Team::run` waits, and what it points to is `Sync`.
unsafe impl Send for Hidden {}

struct Shared {
    /// Number of the current job; 0 before the first.
    job_number: AtomicUsize,
    job: Mutex<Option<Hidden>>,
    /// Helpers that have not finished the current job.
    busy: AtomicUsize,
    has_ended: AtomicBool,
    has_panicked: AtomicBool,
}

/// The calling thread and its helpers.
pub struct Team<'a> {
    shared: Option<&'a Shared>,
    helpers: usize,
}

/// Ends the helpers, also when the caller panics.
struct Ending<'a>(&'a Shared);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.has_ended.store(true, Ordering::Release);
    }
}

impl Team<'_> {
    /// Calls `work` with a team of `threads`, the calling one included.
    pub fn with<R>(threads: usize, work: impl FnOnce(&Team<'_>) -> R) -> R {
        if threads <= 1 {
            return work(&Team { shared: None, helpers: 0 });
        }
        let shared = Shared {
            job_number: AtomicUsize::new(0),
            job: Mutex::new(None),
            busy: AtomicUsize::new(0),
            has_ended: AtomicBool::new(false),
            has_panicked: AtomicBool::new(false),
        };
        thread::scope(|scope| {
            let _ending = Ending(&shared);
            // Where the system starts no further thread, those that run do the work.
            let helpers = (1..threads)
                .take_while(|_| {
                    let named = thread::Builder::new().name("mixing-buddy-team".into());
                    named.spawn_scoped(scope, || help(&shared)).is_ok()
                })
                .count();
            work(&Team { shared: Some(&shared), helpers })
        })
    }

    /// Calls `work` for parts of `0..count` on all threads. Parts start at multiples of `step`.
    pub fn split(&self, count: usize, step: usize, work: &(dyn Fn(Range<usize>) + Sync)) {
        if self.helpers == 0 {
            return work(0..count);
        }
        // Several parts per thread, for a thread that the system interrupts.
        let part = count.div_ceil(4 * (self.helpers + 1)).next_multiple_of(step);
        let next = AtomicUsize::new(0);
        self.run(&|| {
            loop {
                let start = next.fetch_add(part, Ordering::Relaxed);
                if start >= count {
                    break;
                }
                work(start..(start + part).min(count));
            }
        });
    }

    /// Calls `job` once on each thread and waits for all.
    fn run(&self, job: Job<'_>) {
        let Some(shared) = self.shared else { return job() };
        // SAFETY: only the lifetime changes. The helpers use the job between the store below and their decrement of `busy`,
        // for which this function waits before it returns, even when its own part of the job panics.
        let hidden = Hidden(unsafe { std::mem::transmute::<Job<'_>, Job<'static>>(job) });
        *shared.job.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(hidden);
        shared.busy.store(self.helpers, Ordering::Relaxed);
        shared.job_number.fetch_add(1, Ordering::Release);
        let own = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
        wait_until(|| shared.busy.load(Ordering::Acquire) == 0);
        if let Err(panic) = own {
            std::panic::resume_unwind(panic);
        }
        assert!(!shared.has_panicked.load(Ordering::Acquire), "a helping thread panicked");
    }
}

fn help(shared: &Shared) {
    let mut done = 0;
    loop {
        wait_until(|| {
            shared.job_number.load(Ordering::Acquire) != done || shared.has_ended.load(Ordering::Acquire)
        });
        let number = shared.job_number.load(Ordering::Acquire);
        if number == done {
            return;
        }
        done = number;
        let job = *shared.job.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(Hidden(job)) = job {
            // SAFETY: see `Team::run`.
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| unsafe { (*job)() }));
            if result.is_err() {
                shared.has_panicked.store(true, Ordering::Release);
            }
        }
        shared.busy.fetch_sub(1, Ordering::Release);
    }
}

fn wait_until(is_true: impl Fn() -> bool) {
    let mut spins = 0;
    while !is_true() {
        if spins < SPINS {
            spins += 1;
            std::hint::spin_loop();
        } else {
            thread::yield_now();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_part_is_worked_on_once() {
        for threads in 1..5 {
            Team::with(threads, |team| {
                for count in [0, 1, 15, 16, 17, 1000] {
                    let seen = Mutex::new(Vec::new());
                    team.split(count, 16, &|part| {
                        assert!(part.start % 16 == 0);
                        seen.lock().unwrap().extend(part);
                    });
                    let seen = seen.into_inner().unwrap();
                    assert_eq!(seen.len(), count);
                    assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), (0..count).collect());
                }
            });
        }
    }

    #[test]
    fn a_panic_in_a_part_reaches_the_caller() {
        let result = std::panic::catch_unwind(|| {
            Team::with(3, |team| team.split(100, 1, &|part| assert!(!part.contains(&50), "part of 50")));
        });
        assert!(result.is_err());
    }
}
