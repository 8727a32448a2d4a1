//! The threads that run the model: as many as the settings say, fed by one queue of songs and one of short tasks.
//!
//! Short tasks, such as a question, go first. A worker that listens to a song does one after each window, so that they wait
//! for a window and not for a song.

use crate::job::Job;
use crate::queue::{FairQueue, Full};
use crate::settings::Settings;
use mixing_buddy_core::CancelFlag;
use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// Most short tasks that wait.
const MOST_TASKS: usize = 64;

type Task = Box<dyn FnOnce() + Send>;

/// Why a task gave no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotDone {
    /// Too many wait.
    Busy,
    /// It panicked, or the server stops.
    Gone,
}

struct Lists {
    songs: FairQueue<Arc<Job>>,
    tasks: VecDeque<Task>,
    stops: bool,
}

struct Shared {
    lists: Mutex<Lists>,
    ready: Condvar,
}

impl Shared {
    fn lists(&self) -> MutexGuard<'_, Lists> {
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a worker does with a song; it calls the function between two windows.
pub type Listen = Arc<dyn Fn(&Job, &dyn Fn()) + Send + Sync>;

/// The workers. They end with [`Workers::stop`].
pub struct Workers {
    shared: Arc<Shared>,
    /// Each is the pool of one thread, which works on it: candle's operations then stay on this thread.
    _pools: Vec<ThreadPool>,
    /// Closed when all workers have ended.
    ended: Mutex<Receiver<()>>,
}

impl Workers {
    /// Starts them.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(settings: &Settings, listen: Listen) -> Result<Workers, ThreadPoolBuildError> {
        let songs = FairQueue::new(settings.most_waiting, settings.most_waiting_per_address);
        let lists = Lists { songs, tasks: VecDeque::new(), stops: false };
        let shared = Arc::new(Shared { lists: Mutex::new(lists), ready: Condvar::new() });
        let (ends, ended) = channel();
        let mut pools = Vec::new();
        for number in 0..settings.workers.max(1) {
            let name = move |_| format!("listener {number}");
            let pool = ThreadPoolBuilder::new().num_threads(1).thread_name(name).build()?;
            let (shared, listen, ends) = (Arc::clone(&shared), Arc::clone(&listen), ends.clone());
            pool.spawn(move || work(&shared, &listen, ends));
            pools.push(pool);
        }
        Ok(Workers { shared, _pools: pools, ended: Mutex::new(ended) })
    }

    /// Puts a song into the queue.
    ///
    /// # Errors
    /// When there is no room.
    pub fn push(&self, job: &Arc<Job>) -> Result<(), Full> {
        self.shared.lists().songs.push(job.owner, Arc::clone(job))?;
        self.shared.ready.notify_one();
        Ok(())
    }

    /// Takes cancelled songs out of the queue, and tells the others.
    pub fn drop_cancelled(&self) {
        let mut lists = self.shared.lists();
        lists.songs.retain(|job| !job.cancel.is_cancelled());
        tell_waiting(&lists);
    }

    /// Place of a job in the queue, from 1, and length of the queue. None for one that does not wait.
    pub fn place(&self, job: &Job) -> Option<(usize, usize)> {
        let lists = self.shared.lists();
        let at = lists.songs.in_order().into_iter().position(|other| other.id == job.id)?;
        Some((at + 1, lists.songs.len()))
    }

    /// Runs a short task on a worker. When the future is dropped, the flag is raised.
    ///
    /// # Errors
    /// When too many wait, or it ends without a result.
    pub async fn run<T: Send + 'static>(
        &self,
        task: impl FnOnce(&CancelFlag) -> T + Send + 'static,
    ) -> Result<T, NotDone> {
        let (send, receive) = oneshot::channel();
        let raised = RaisedOnDrop(CancelFlag::new());
        let cancel = raised.0.clone();
        {
            let mut lists = self.shared.lists();
            if lists.stops {
                return Err(NotDone::Gone);
            }
            if lists.tasks.len() >= MOST_TASKS {
                return Err(NotDone::Busy);
            }
            lists.tasks.push_back(Box::new(move || {
                if !cancel.is_cancelled() {
                    // Nobody waits for it any longer if this fails.
                    let _ = send.send(task(&cancel));
                }
            }));
        }
        self.shared.ready.notify_one();
        receive.await.map_err(|_| NotDone::Gone)
    }

    /// Lets them end what they do, and waits for that, but not for longer than `within`. Whether all have ended.
    pub fn stop(&self, within: Duration) -> bool {
        {
            let mut lists = self.shared.lists();
            lists.stops = true;
            lists.tasks.clear();
            lists.songs.retain(|_| false);
        }
        self.shared.ready.notify_all();
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        // Nothing is ever sent: the channel closes with the last worker.
        matches!(ended.recv_timeout(within), Err(std::sync::mpsc::RecvTimeoutError::Disconnected))
    }
}

struct RaisedOnDrop(CancelFlag);

impl Drop for RaisedOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

fn tell_waiting(lists: &Lists) {
    lists.songs.in_order().into_iter().for_each(|job| job.tell());
}

/// What a worker does until the end; `_ends` is dropped with it.
fn work(shared: &Shared, listen: &Listen, _ends: Sender<()>) {
    let one_task = || {
        let task = shared.lists().tasks.pop_front();
        if let Some(task) = task {
            run(task);
        }
    };
    loop {
        let mut lists = shared.lists();
        let job = loop {
            if lists.stops {
                return;
            }
            if let Some(task) = lists.tasks.pop_front() {
                drop(lists);
                run(task);
                lists = shared.lists();
            } else if let Some(job) = lists.songs.pop() {
                tell_waiting(&lists);
                break job;
            } else {
                lists = shared.ready.wait(lists).unwrap_or_else(PoisonError::into_inner);
            }
        };
        drop(lists);
        if catch_unwind(AssertUnwindSafe(|| listen(&job, &one_task))).is_err() {
            tracing::error!(job = %job.id, "a song led to a panic");
            job.fail("The song led to a fault in the program. Please report it.");
        }
    }
}

/// Runs a task. A panic has dropped its way to answer, which its caller notices.
fn run(task: Task) {
    if catch_unwind(AssertUnwindSafe(task)).is_err() {
        tracing::error!("a task led to a panic");
    }
}
