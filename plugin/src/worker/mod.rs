//! The worker: one thread an instance, named, of low priority, joined when the instance goes.
//!
//! | part | what it does |
//! | --- | --- |
//! | [`session`] | what an instance knows and does, step by step |
//! | [`advisor`] | what is needed of a model; [`models`] shares one copy among all instances |
//! | [`framer`] | captured sound to windows of features; [`windows`] holds and queues them |
//! | [`history`] | judged windows by place |
//! | [`reference`](mod@reference) | measures a file in small steps |
//! | [`platform`] | priority, and keeping the library in memory |

pub mod advisor;
pub mod framer;
pub mod history;
pub mod models;
pub mod platform;
pub mod reference;
pub mod session;
pub mod windows;

use crate::capture::TapReader;
use crate::params::MixParams;
use crate::view::{Activity, Command, Notice, View};
use advisor::ModelSource;
use arc_swap::ArcSwap;
use crossbeam_channel::{Receiver, Sender, TryRecvError, unbounded};
use mixing_buddy_core::CancelFlag;
use session::{Next, Parts, Session};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Name of the thread; Linux shows 15 characters.
pub const THREAD_NAME: &str = "mixing-buddy";
/// Between two looks into the ring.
const POLL: Duration = Duration::from_millis(15);
/// An instance that goes waits this long for its thread.
const JOIN_BOUND: Duration = Duration::from_millis(200);

enum Message {
    Command(Command),
    Reader(TapReader),
}

/// Sends commands to the worker; for the panel.
#[derive(Clone)]
pub struct Commands(Sender<Message>);

impl Commands {
    /// Asks something of the worker. Returns at once; nothing happens when the instance is gone.
    pub fn send(&self, command: Command) {
        let _ = self.0.send(Message::Command(command));
    }
}

/// The thread of one instance. Dropping it ends and joins the thread.
pub struct Worker {
    commands: Sender<Message>,
    cancel: CancelFlag,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// Starts the thread, which publishes into `view`. Where the system gives no thread, the view says so.
    pub fn start(params: Arc<MixParams>, view: Arc<ArcSwap<View>>, source: Box<dyn ModelSource>) -> Self {
        let (commands, messages) = unbounded();
        let cancel = CancelFlag::new();
        let parts = Parts { params, view: view.clone(), source, cancel: cancel.clone() };
        let spawned = std::thread::Builder::new().name(THREAD_NAME.into()).spawn(move || {
            let view = parts.view.clone();
            if catch_unwind(AssertUnwindSafe(|| run(parts, &messages))).is_err() {
                stopped(
                    &view,
                    "The advisor stopped: a fault in the program. Sound still passes through.".into(),
                );
            }
        });
        let thread = spawned
            .inspect_err(|error| stopped(&view, format!("The advisor could not be started: {error}.")))
            .ok();
        Worker { commands, cancel, thread }
    }

    /// The way in for commands.
    pub fn commands(&self) -> Commands {
        Commands(self.commands.clone())
    }

    /// Hands over the reader's end of a new ring. Main thread.
    pub fn listen_to(&self, reader: TapReader) {
        let _ = self.commands.send(Message::Reader(reader));
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.cancel.cancel();
        let Some(thread) = self.thread.take() else { return };
        let started = Instant::now();
        while !thread.is_finished() {
            if started.elapsed() > JOIN_BOUND {
                // It hangs in the system, on a dead network drive for instance. The host must not hang with it, and
                // the code that it will come back to must still be there.
                platform::pin_library();
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        // It has nothing left to do but to end; a panic was caught inside.
        let _ = thread.join();
    }
}

fn run(parts: Parts, messages: &Receiver<Message>) {
    platform::lower_priority();
    keep_rayon_here();
    let cancel = parts.cancel.clone();
    let mut session = Session::new(parts);
    let mut next = Next::Busy;
    while !cancel.is_cancelled() {
        match messages.try_recv() {
            Ok(Message::Command(command)) => session.command(command),
            Ok(Message::Reader(reader)) => session.set_reader(reader),
            // A plain nap: the channel's own wait yields to other threads many times first, which on a busy machine
            // takes far longer than the nap.
            Err(TryRecvError::Empty) if next == Next::Idle => std::thread::sleep(POLL),
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => return,
        }
        if !cancel.is_cancelled() {
            next = session.step();
        }
    }
}

/// Makes this thread a pool of one: matrix products that would start rayon's pool of many threads, which never ends,
/// run here instead. The pool's few kilobytes are not given back when the thread ends; a thread can be in one only.
fn keep_rayon_here() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build();
    debug_assert!(pool.is_ok(), "a new thread is in no pool");
}

fn stopped(view: &ArcSwap<View>, text: String) {
    let mut last = (*view.load_full()).clone();
    last.revision += 1;
    last.activity = Activity::NoModel;
    last.notices.push(Notice { id: u64::MAX, is_error: true, text });
    view.store(Arc::new(last));
}
