//! The worker: one thread per instance, with a name and a low priority, joined when the instance is dropped.
//!
//! | module | what it does |
//! | --- | --- |
//! | [`session`] | what one instance knows and does, step by step |
//! | [`advice_model`] | what the worker needs from a model; [`models`] shares one copy among all instances |
//! | [`framer`] | captured audio to windows of features; [`windows`] holds and queues them |
//! | [`tail`] | the last ten seconds of sound, while the editor is open |
//! | [`spool`] | audio of a render that waits for the separator |
//! | [`runs`] | why no window can finish |
//! | [`history`] | advice by position in the song |
//! | [`passes`] | what changed between two passes over the same place |
//! | [`reference`](mod@reference) | measures a file in small steps; [`shelf`] does so with many, for the library |
//!
//! The worker and its parts write `tracing` events; [`log`](crate::log) tells how to see them.

pub mod advice_model;
pub mod framer;
pub mod history;
pub mod models;
pub mod passes;
pub mod reference;
pub mod runs;
pub mod session;
pub mod shelf;
pub mod spool;
pub mod tail;
pub mod windows;

use crate::audition::WorkerSide;
use crate::capture::TapReader;
use crate::params::MixParams;
use crate::platform;
use crate::view::{Activity, Command, Notice, View};
use advice_model::ModelSource;
use arc_swap::ArcSwap;
use crossbeam_channel::{Receiver, Sender, TryRecvError, unbounded};
use mixing_buddy_core::CancelFlag;
use mixing_buddy_core::profile::Library;
use rayon::{ThreadPool, ThreadPoolBuilder};
use session::{Connections, Next, Session};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tracing::error;

/// Name of the thread; Linux shows 15 characters.
pub const THREAD_NAME: &str = "mixing-buddy";
/// Time between two polls of the ring.
const POLL: Duration = Duration::from_millis(15);
/// Longest time that dropping an instance waits for its thread.
const JOIN_BOUND: Duration = Duration::from_millis(200);

enum Message {
    Command(Command),
    Reader(TapReader),
}

/// Sends commands to the worker; for the panel.
#[derive(Clone)]
pub struct Commands(Sender<Message>);

impl Commands {
    /// Sends a command to the worker. Returns at once; does nothing if the instance is gone.
    pub fn send(&self, command: Command) {
        let _ = self.0.send(Message::Command(command));
    }
}

/// The thread of one instance. Dropping it ends and joins the thread.
pub struct Worker {
    commands: Sender<Message>,
    cancel: CancelFlag,
    /// The rayon pool whose only thread `thread` is. The thread ends when the pool is dropped and the work is done.
    pool: Option<ThreadPool>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// Starts the thread, which publishes into `view` and prepares auditions. If the system cannot start it, a notice in
    /// the view says so.
    pub fn start(
        params: Arc<MixParams>,
        view: Arc<ArcSwap<View>>,
        source: Box<dyn ModelSource>,
        audition: WorkerSide,
    ) -> Self {
        let (commands, messages) = unbounded();
        let cancel = CancelFlag::new();
        let library = Library::of_user().ok();
        let connections =
            Connections { params, view: view.clone(), source, library, audition, cancel: cancel.clone() };
        let work = move || {
            let view = connections.view.clone();
            if catch_unwind(AssertUnwindSafe(|| run(connections, &messages))).is_err() {
                error!("the worker panicked");
                stopped(
                    &view,
                    "The analysis stopped because of an internal error. Audio still passes through.".into(),
                );
            }
        };
        match pool_of_one() {
            Ok((pool, thread)) => {
                pool.spawn(work);
                Worker { commands, cancel, pool: Some(pool), thread: Some(thread) }
            }
            Err(error) => {
                stopped(&view, format!("The analysis could not start: {error}."));
                Worker { commands, cancel, pool: None, thread: None }
            }
        }
    }

    /// A sender of commands.
    pub fn commands(&self) -> Commands {
        Commands(self.commands.clone())
    }

    /// Gives the worker the reading end of a new ring. Main thread.
    pub fn set_reader(&self, reader: TapReader) {
        let _ = self.commands.send(Message::Reader(reader));
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.cancel.cancel();
        self.pool = None;
        let Some(thread) = self.thread.take() else { return };
        let started = Instant::now();
        while !thread.is_finished() {
            if started.elapsed() > JOIN_BOUND {
                // The thread hangs in a system call, for instance on a dead network drive. The host must not hang with
                // it, and the code that the call returns to must still be in memory.
                platform::pin_library();
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        // The thread has finished. It caught any panic itself.
        let _ = thread.join();
    }
}

/// A rayon pool of one thread, and that thread, which is ours to name and to join.
///
/// Matrix products run on the rayon pool of their thread. A thread without a pool would start rayon's global one, whose
/// threads never end. A pool around an existing thread (`use_current_thread`) is never freed. The memory of this one is
/// freed when its thread ends.
fn pool_of_one() -> Result<(ThreadPool, JoinHandle<()>), Box<dyn std::error::Error>> {
    let mut handle = None;
    let pool = ThreadPoolBuilder::new()
        .num_threads(1)
        .spawn_handler(|thread| {
            handle = Some(std::thread::Builder::new().name(THREAD_NAME.into()).spawn(|| thread.run())?);
            Ok(())
        })
        .build()?;
    Ok((pool, handle.ok_or("no thread was started")?))
}

fn run(connections: Connections, messages: &Receiver<Message>) {
    platform::lower_priority();
    let cancel = connections.cancel.clone();
    let mut session = Session::new(connections);
    let mut next = Next::Busy;
    while !cancel.is_cancelled() {
        match messages.try_recv() {
            Ok(Message::Command(command)) => session.command(command),
            Ok(Message::Reader(reader)) => session.set_reader(reader),
            // A plain sleep: the channel's own wait first yields to other threads many times, which on a busy computer
            // takes far longer than the sleep.
            Err(TryRecvError::Empty) if next == Next::Idle => std::thread::sleep(POLL),
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => return,
        }
        if !cancel.is_cancelled() {
            next = session.step();
        }
    }
}

fn stopped(view: &ArcSwap<View>, text: String) {
    let mut last = (*view.load_full()).clone();
    last.revision += 1;
    last.activity = Activity::NoModel;
    last.notices.push(Notice { id: u64::MAX, is_error: true, text });
    view.store(Arc::new(last));
}
