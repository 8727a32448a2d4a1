//! Threads that make the examples of coming steps while the current one is computed.
//!
//! Each item depends on its number alone, so that a run is the same to the bit with any number of threads, and however
//! far they are ahead.

use anyhow::{Context, Result, anyhow};
use std::any::Any;
use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// How many threads make the numbered items, and how far ahead.
#[derive(Clone, Debug)]
pub struct LoadAhead {
    /// Threads; with none, each item is made by the thread that takes it.
    pub threads: usize,
    /// Most items that are made and not taken yet: at least as many as are taken at the same time.
    pub ahead: u64,
    /// The items to make, in the order in which they are taken.
    pub numbers: Range<u64>,
    /// Which of them.
    pub share: Share,
}

/// A share of numbers: of every `of` of them, `count` from `first` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Place of the first in each block.
    pub first: u64,
    /// How many of each block.
    pub count: u64,
    /// Length of a block.
    pub of: u64,
}

impl Share {
    /// All numbers.
    pub const ALL: Share = Share { first: 0, count: 1, of: 1 };
}

impl LoadAhead {
    /// The number of the item that is made as the `nth`, if there is one.
    fn number(&self, nth: u64) -> Option<u64> {
        let Share { first, count, of } = self.share;
        let number = self.numbers.start + nth / count * of + first + nth % count;
        (number < self.numbers.end).then_some(number)
    }
}

/// Gives training threads the items that were made for them.
pub struct Loaded<'a, T> {
    plan: LoadAhead,
    make: &'a (dyn Fn(u64) -> Result<T> + Sync),
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    /// How many items threads have begun.
    begun: u64,
    /// How many items were taken.
    taken: u64,
    made: BTreeMap<u64, Result<T>>,
    has_ended: bool,
}

/// Runs `body` while `make(number)` runs ahead of it on threads of its own; they have ended when this returns.
///
/// # Errors
/// Those of `body`.
pub fn load_ahead<T: Send, R>(
    plan: LoadAhead,
    make: impl Fn(u64) -> Result<T> + Sync,
    body: impl FnOnce(&Loaded<'_, T>) -> Result<R>,
) -> Result<R> {
    let state = State { begun: 0, taken: 0, made: BTreeMap::new(), has_ended: false };
    let loaded = Loaded { plan, make: &make, state: Mutex::new(state), changed: Condvar::new() };
    std::thread::scope(|scope| {
        for _ in 0..loaded.plan.threads {
            scope.spawn(|| loaded.work());
        }
        // Also when the body panics: otherwise the threads would wait for room for ever, and the scope for them.
        let _end = End(&loaded);
        body(&loaded)
    })
}

struct End<'a, 'b, T>(&'a Loaded<'b, T>);

impl<T> Drop for End<'_, '_, T> {
    fn drop(&mut self) {
        self.0.lock().has_ended = true;
        self.0.changed.notify_all();
    }
}

impl<T> Loaded<'_, T> {
    /// The item with this number; waits until it is made. Each can be taken once.
    ///
    /// # Errors
    /// When making it failed or panicked.
    pub fn take(&self, number: u64) -> Result<T> {
        if self.plan.threads == 0 {
            return self.make(number);
        }
        let mut state = self.lock();
        loop {
            if let Some(made) = state.made.remove(&number) {
                state.taken += 1;
                self.changed.notify_all();
                return made;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn work(&self) {
        let mut state = self.lock();
        while !state.has_ended
            && let Some(number) = self.plan.number(state.begun)
        {
            if state.begun >= state.taken + self.plan.ahead {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            state.begun += 1;
            drop(state);
            let made = self.make(number);
            state = self.lock();
            state.made.insert(number, made);
            self.changed.notify_all();
        }
    }

    /// A panic here must reach the training loop as an error: no other thread would make the item that it waits for.
    fn make(&self, number: u64) -> Result<T> {
        catch_unwind(AssertUnwindSafe(|| (self.make)(number)))
            .unwrap_or_else(|panic| Err(anyhow!("a thread panicked: {}", message_of(&*panic))))
            .with_context(|| format!("the examples of part {number} cannot be made"))
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // No code that can panic runs under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn message_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a message")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    fn plan(threads: usize, ahead: u64, numbers: Range<u64>) -> LoadAhead {
        LoadAhead { threads, ahead, numbers, share: Share::ALL }
    }

    #[test]
    fn the_number_of_threads_does_not_change_the_items() {
        for threads in [0, 1, 3] {
            let taken = load_ahead(
                plan(threads, 4, 5..50),
                |number| Ok(number * number),
                |loaded| (5..50).map(|number| loaded.take(number)).collect::<Result<Vec<u64>>>(),
            )
            .unwrap();
            assert_eq!(taken, (5..50).map(|number| number * number).collect::<Vec<_>>(), "{threads} threads");
        }
    }

    #[test]
    fn a_share_is_made_and_nothing_else() {
        for threads in [0, 2] {
            let share = Share { first: 2, count: 2, of: 6 };
            let plan = LoadAhead { share, ..plan(threads, 2, 12..30) };
            let made = Mutex::new(Vec::new());
            let make = |number: u64| {
                made.lock().unwrap().push(number);
                Ok(number)
            };
            load_ahead(plan, make, |loaded| {
                for number in [14, 15, 20, 21, 26, 27] {
                    assert_eq!(loaded.take(number)?, number);
                }
                Ok(())
            })
            .unwrap();
            let mut made = made.into_inner().unwrap();
            made.sort_unstable();
            assert_eq!(made, [14, 15, 20, 21, 26, 27], "{threads} threads");
        }
    }

    #[test]
    fn threads_are_never_further_ahead_than_they_may_be() {
        let (made, most) = (AtomicU64::new(0), AtomicU64::new(0));
        let make = |number: u64| {
            made.fetch_add(1, Ordering::SeqCst);
            Ok(number)
        };
        load_ahead(plan(2, 3, 0..40), make, |loaded| {
            for number in 0..40 {
                std::thread::sleep(std::time::Duration::from_millis(1));
                most.fetch_max(made.load(Ordering::SeqCst) - number, Ordering::SeqCst);
                loaded.take(number)?;
            }
            Ok(())
        })
        .unwrap();
        assert!((1..=3).contains(&most.into_inner()));
    }

    #[test]
    fn errors_and_panics_reach_the_taker() {
        for threads in [0, 2] {
            let make = |number: u64| match number {
                2 => Err(anyhow!("the song is gone")),
                3 => panic!("at {number}"),
                number => Ok(number),
            };
            load_ahead(plan(threads, 2, 0..6), make, |loaded| {
                assert_eq!(loaded.take(0)? + loaded.take(1)?, 1);
                let sentence = format!("{:#}", loaded.take(2).unwrap_err());
                assert_eq!(sentence, "the examples of part 2 cannot be made: the song is gone");
                let sentence = format!("{:#}", loaded.take(3).unwrap_err());
                assert!(sentence.ends_with("a thread panicked: at 3"), "{sentence}");
                loaded.take(4)
            })
            .unwrap();
        }
    }

    #[test]
    fn threads_end_when_the_body_ends_in_any_way() {
        // Each of these would hang if a thread still waited for room.
        let stopped = load_ahead(plan(3, 2, 0..1_000_000), Ok, |loaded| loaded.take(0));
        assert_eq!(stopped.unwrap(), 0);
        let failed = load_ahead(plan(3, 2, 0..1_000_000), Ok, |_| -> Result<()> { Err(anyhow!("no")) });
        assert_eq!(failed.unwrap_err().to_string(), "no");
        let panicked =
            catch_unwind(|| load_ahead(plan(3, 2, 0..10), Ok, |_| -> Result<()> { panic!("body") }));
        assert!(panicked.is_err());
    }
}
