//! Ranks as processes of MPI, on one machine or many, started by `mpirun` or `srun`.
//!
//! MPI ends all processes when it cannot pass a message on, or when one of them is gone. So nothing here waits for ever,
//! and no rank goes on without the others: a run that ends in this way resumes from its last checkpoint.

use super::Ranks;
use crate::progress::be_quiet;
use anyhow::{Context, Result, anyhow, bail};
use mixing_buddy_core::output::note;
use mpi::Threading;
use mpi::environment::Universe;
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator, Destination, Root, Source};
use signal_hook::consts::SIGTERM;
use signal_hook::iterator::Signals;
use std::cell::Cell;
use std::fmt::{Display, Formatter};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// What launchers set for the processes that they start: Open MPI, MPICH and Slurm's PMI, PMIx.
const LAUNCHED: [&str; 4] = ["OMPI_COMM_WORLD_SIZE", "PMI_RANK", "PMI_SIZE", "PMIX_RANK"];
/// Number of processes that one call of `srun` started.
const SLURM_TASKS: &str = "SLURM_STEP_NUM_TASKS";
/// Exit code of every process of a run that failed.
const FAILED: i32 = 1;
/// Exit code of a process that SIGTERM ended, as shells count it.
const TERMINATED: i32 = 128 + SIGTERM;
/// Ranks that say that they were ended from outside: the first, and one more in case the first is gone.
const TELLING_RANKS: usize = 2;
/// How long a rank that fails waits for the first to say the same, since an error in a shared file strikes all.
const PATIENCE: Duration = Duration::from_millis(300);
/// Further wait per rank, so that not all speak at once; and the most ranks that it is counted for.
const PATIENCE_PER_RANK: (Duration, u32) = (Duration::from_millis(20), 100);
/// Floats per broadcast: MPI counts in 32 bits.
const BROADCAST: usize = 1 << 24;

/// Which rank this is, where, and what it works on: the start of each of its messages.
struct Whereabouts {
    host: String,
    rank: usize,
    /// The step that is worked on, from 1; 0 before the first.
    step: AtomicUsize,
    /// Whether this rank itself has failed, and says why.
    has_failed: AtomicBool,
}

impl Display for Whereabouts {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "host {}, rank {}, ", self.host, self.rank)?;
        match self.step.load(Ordering::Relaxed) {
            0 => formatter.write_str("before the first step"),
            step => write!(formatter, "step {step}"),
        }
    }
}

/// What a rank has exchanged.
#[derive(Clone, Copy, Default)]
struct Traffic {
    bytes: u64,
    time: Duration,
    steps: u32,
}

/// This process among those that MPI started.
pub struct MpiRanks {
    world: SimpleCommunicator,
    index: usize,
    count: usize,
    whereabouts: Arc<Whereabouts>,
    traffic: Cell<Traffic>,
    // Last: dropping it ends MPI.
    _universe: Universe,
}

impl MpiRanks {
    /// The ranks that the program was started with; none if no launcher started it.
    ///
    /// # Errors
    /// When MPI does not work, or knows less processes than were started.
    pub fn start() -> Result<Option<Self>> {
        let tasks =
            std::env::var(SLURM_TASKS).ok().and_then(|tasks| tasks.parse::<usize>().ok()).unwrap_or(1);
        if tasks == 1 && LAUNCHED.iter().all(|name| std::env::var_os(name).is_none()) {
            return Ok(None);
        }
        // All messages are sent by the thread that trains.
        let (universe, provided) = mpi::initialize_with_threading(Threading::Funneled)
            .context("MPI cannot be started a second time in one process")?;
        if provided < Threading::Funneled {
            bail!("this MPI library does not work with threads");
        }
        let world = universe.world();
        let (index, count) = (world.rank() as usize, world.size() as usize);
        if count == 1 && tasks > 1 {
            bail!(
                "srun started {tasks} processes, but each is alone for MPI; start them with `srun --mpi=pmix` or with \
                 mpirun"
            );
        }
        let host = mpi::environment::processor_name().unwrap_or_else(|_| "unknown".into());
        let whereabouts = Arc::new(Whereabouts {
            host,
            rank: index,
            step: AtomicUsize::new(0),
            has_failed: AtomicBool::new(false),
        });
        if index > 0 {
            be_quiet();
        }
        if count > 1 {
            tell_when_ended(Arc::clone(&whereabouts))?;
        }
        Ok(Some(MpiRanks { world, index, count, whereabouts, traffic: Cell::default(), _universe: universe }))
    }

    /// Runs `body` as this rank.
    ///
    /// # Errors
    /// Those of `body` if there is one rank. An error, or a panic, of one of several is printed and ends all.
    pub fn run(self, body: impl FnOnce(&dyn Ranks) -> Result<()>) -> Result<()> {
        // An unwinding process would wait for the others before MPI ends, and they for its gradients.
        let result = catch_unwind(AssertUnwindSafe(|| body(&self)))
            .unwrap_or_else(|_| Err(anyhow!("the training thread panicked")));
        match result {
            Err(error) if self.count > 1 => self.fail(&error),
            Ok(()) if self.count > 1 => self.log_traffic(),
            _ => {}
        }
        result
    }

    /// Prints an error and ends all ranks.
    fn fail(&self, error: &anyhow::Error) -> ! {
        self.whereabouts.has_failed.store(true, Ordering::Relaxed);
        if self.index > 0 {
            let (each, most) = PATIENCE_PER_RANK;
            std::thread::sleep(PATIENCE + each * most.min(self.index as u32));
        }
        note(&format!("Error: {}: {error:#}", self.whereabouts));
        self.world.abort(FAILED)
    }

    /// What a step exchanged and how long this rank was in MPI for it, waiting for the others included.
    fn log_traffic(&self) {
        let Traffic { bytes, time, steps } = self.traffic.get();
        if steps > 0 {
            tracing::info!(
                "{} ranks: in a step, rank {} exchanged {:.2} MB in {:.2} ms, waiting for others included",
                self.count,
                self.index,
                bytes as f64 / f64::from(steps) / 1e6,
                time.as_secs_f64() / f64::from(steps) * 1e3
            );
        }
    }

    /// Exchanges these bytes and counts them.
    fn counted(&self, bytes: usize, exchange: impl FnOnce()) {
        let began = Instant::now();
        exchange();
        let mut traffic = self.traffic.get();
        traffic.bytes += bytes as u64;
        traffic.time += began.elapsed();
        self.traffic.set(traffic);
    }
}

/// Says where this rank was when it is ended from outside: MPI does so when another one is gone.
fn tell_when_ended(whereabouts: Arc<Whereabouts>) -> Result<()> {
    let mut signals = Signals::new([SIGTERM]).context("SIGTERM cannot be handled")?;
    let wait = move || {
        if signals.forever().next().is_some() {
            if whereabouts.rank < TELLING_RANKS && !whereabouts.has_failed.load(Ordering::Relaxed) {
                note(&format!(
                    "Error: {whereabouts}: stopped from outside, because another rank has ended or the job was \
                     cancelled; the run goes on from its last checkpoint with --resume"
                ));
            }
            // Nothing is cleaned up: the training thread may be inside MPI.
            signal_hook::low_level::exit(TERMINATED);
        }
    };
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(wait)
        .map(drop)
        .context("the thread that waits for signals cannot be started")
}

impl Ranks for MpiRanks {
    fn index(&self) -> usize {
        self.index
    }

    fn count(&self) -> usize {
        self.count
    }

    fn begin_step(&self, step: usize) {
        self.whereabouts.step.store(step, Ordering::Relaxed);
        let mut traffic = self.traffic.get();
        if traffic.steps == 0 {
            // What came before the first step is no part of a step.
            traffic = Traffic::default();
        }
        traffic.steps += 1;
        self.traffic.set(traffic);
    }

    fn send(&self, to: usize, values: &[f32]) {
        self.counted(size_of_val(values), || self.world.process_at_rank(to as i32).send(values));
    }

    fn receive(&self, from: usize, values: &mut [f32]) {
        self.counted(size_of_val(values), || {
            self.world.process_at_rank(from as i32).receive_into(values);
        });
    }

    fn broadcast(&self, from: usize, values: &mut [f32]) {
        self.counted(size_of_val(values), || {
            let root = self.world.process_at_rank(from as i32);
            values.chunks_mut(BROADCAST).for_each(|chunk| root.broadcast_into(chunk));
        });
    }

    fn send_figures(&self, to: usize, figures: &[f64]) {
        self.counted(size_of_val(figures), || self.world.process_at_rank(to as i32).send(figures));
    }

    fn receive_figures(&self, from: usize, figures: &mut [f64]) {
        self.counted(size_of_val(figures), || {
            self.world.process_at_rank(from as i32).receive_into(figures);
        });
    }

    fn broadcast_figures(&self, from: usize, figures: &mut [f64]) {
        self.counted(size_of_val(figures), || {
            self.world.process_at_rank(from as i32).broadcast_into(figures);
        });
    }
}
