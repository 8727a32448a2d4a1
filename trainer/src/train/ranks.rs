//! The processes that train one model together: their numbers, and what they exchange.
//!
//! Each works on its share of a step's parts, and all take the same steps ([`super::gradient_sum`]). The first one alone
//! writes: log, checkpoints, weights. A run in one process is the case of one rank.

#[cfg(feature = "mpi")]
pub mod mpi;

use anyhow::{Result, ensure};
use std::hash::{DefaultHasher, Hasher};

/// What launchers set to the number of processes that they start: Open MPI, MPICH, Slurm.
#[cfg(not(feature = "mpi"))]
const SIZES: [&str; 3] = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"];

/// The processes of a run, as one of them sees them. A message that cannot be passed on ends the process, so that no
/// method has an error. All ranks call the broadcasts in the same order.
pub trait Ranks {
    /// Number of this rank, from 0.
    fn index(&self) -> usize;

    /// Number of ranks.
    fn count(&self) -> usize;

    /// Says which step begins, counted from 1; messages name it.
    fn begin_step(&self, step: usize);

    /// Sends gradients to a rank.
    fn send(&self, to: usize, values: &[f32]);

    /// Waits for gradients from a rank.
    fn receive(&self, from: usize, values: &mut [f32]);

    /// Gives the values of one rank to all.
    fn broadcast(&self, from: usize, values: &mut [f32]);

    /// Sends figures to a rank.
    fn send_figures(&self, to: usize, figures: &[f64]);

    /// Waits for figures from a rank.
    fn receive_figures(&self, from: usize, figures: &mut [f64]);

    /// Gives the figures of one rank to all.
    fn broadcast_figures(&self, from: usize, figures: &mut [f64]);

    /// Whether this is the rank that writes files and shows progress.
    fn is_first(&self) -> bool {
        self.index() == 0
    }

    /// What the first rank says.
    fn as_first(&self, flag: bool) -> bool {
        let mut told = [f64::from(u8::from(flag))];
        self.broadcast_figures(0, &mut told);
        told[0] != 0.0
    }
}

/// The one rank of a run in one process.
#[derive(Clone, Copy, Debug, Default)]
pub struct OneProcess;

impl Ranks for OneProcess {
    fn index(&self) -> usize {
        0
    }

    fn count(&self) -> usize {
        1
    }

    fn begin_step(&self, _: usize) {}

    // There is nobody to send to, and what all shall have is here already.

    fn send(&self, _: usize, _: &[f32]) {}

    fn receive(&self, _: usize, _: &mut [f32]) {}

    fn broadcast(&self, _: usize, _: &mut [f32]) {}

    fn send_figures(&self, _: usize, _: &[f64]) {}

    fn receive_figures(&self, _: usize, _: &mut [f64]) {}

    fn broadcast_figures(&self, _: usize, _: &mut [f64]) {}
}

/// Runs `body` on the ranks that the program was started with: those of MPI in a build with the feature `mpi` that
/// `mpirun` or `srun` started, else this process alone.
///
/// # Errors
/// Those of `body` in one process. With several ranks an error is printed and ends all of them.
pub fn with_ranks(body: impl FnOnce(&dyn Ranks) -> Result<()>) -> Result<()> {
    #[cfg(feature = "mpi")]
    if let Some(ranks) = mpi::MpiRanks::start()? {
        return ranks.run(body);
    }
    #[cfg(not(feature = "mpi"))]
    refuse_launcher()?;
    body(&OneProcess)
}

/// Without MPI, the processes of a launcher would know nothing of each other and write into one folder.
#[cfg(not(feature = "mpi"))]
fn refuse_launcher() -> Result<()> {
    let started = |name| std::env::var(name).ok().and_then(|count| count.parse::<usize>().ok());
    let most = SIZES.into_iter().filter_map(started).max().unwrap_or(1);
    ensure!(
        most == 1,
        "{most} processes were started together, but this program was built without MPI: build it with `--features \
         mixing-buddy-trainer/mpi`"
    );
    Ok(())
}

/// Refuses to go on where something is not the same as on the first rank, by its hash ([`hash_of`]). `otherwise` is the
/// start of the sentence.
///
/// # Errors
/// When it is not.
pub fn ensure_same(ranks: &dyn Ranks, hash: u64, otherwise: &str) -> Result<()> {
    // In halves, since a f64 holds 53 bits.
    let own = [(hash >> 32) as u32, hash as u32].map(f64::from);
    let mut first = own;
    ranks.broadcast_figures(0, &mut first);
    ensure!(own == first, "{otherwise} those of rank 0; give all ranks the same program and the same files");
    Ok(())
}

/// A hash that is the same in every process of the same program.
pub fn hash_of(feed: impl FnOnce(&mut dyn Hasher)) -> u64 {
    let mut hasher = DefaultHasher::new();
    feed(&mut hasher);
    hasher.finish()
}

/// Ranks as threads of one process, for tests.
#[cfg(test)]
pub(crate) mod threads {
    use super::Ranks;
    use std::sync::Mutex;
    use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

    /// A way from one rank to another. A message waits until it is taken, as large ones of MPI do, so that a test finds
    /// ranks that wait for each other in a circle.
    struct Way(SyncSender<Vec<f64>>, Mutex<Receiver<Vec<f64>>>);

    /// A way without a limit, for broadcasts, in which ranks may be ahead.
    struct Cast(Sender<Vec<f64>>, Mutex<Receiver<Vec<f64>>>);

    /// One of several threads that play ranks.
    pub struct ThreadRanks<'a> {
        index: usize,
        count: usize,
        ways: &'a [Way],
        casts: &'a [Cast],
    }

    /// Runs `body` as each of `count` ranks; returns their results.
    pub fn as_ranks<T: Send>(count: usize, body: impl Fn(&dyn Ranks) -> T + Sync) -> Vec<T> {
        let ways: Vec<Way> = (0..count * count)
            .map(|_| {
                let (sender, receiver) = sync_channel(0);
                Way(sender, Mutex::new(receiver))
            })
            .collect();
        let casts: Vec<Cast> = (0..count * count)
            .map(|_| {
                let (sender, receiver) = channel();
                Cast(sender, Mutex::new(receiver))
            })
            .collect();
        let (ways, casts, body) = (&ways, &casts, &body);
        std::thread::scope(|scope| {
            let handles: Vec<_> = (0..count)
                .map(|index| scope.spawn(move || body(&ThreadRanks { index, count, ways, casts })))
                .collect();
            handles.into_iter().map(|handle| handle.join().expect("no rank panics")).collect()
        })
    }

    fn wide(values: &[f32]) -> Vec<f64> {
        values.iter().copied().map(f64::from).collect()
    }

    fn narrow(values: &mut [f32], from: &[f64]) {
        values.iter_mut().zip(from).for_each(|(value, from)| *value = *from as f32);
    }

    impl Ranks for ThreadRanks<'_> {
        fn index(&self) -> usize {
            self.index
        }

        fn count(&self) -> usize {
            self.count
        }

        fn begin_step(&self, _: usize) {}

        fn send(&self, to: usize, values: &[f32]) {
            self.send_figures(to, &wide(values));
        }

        fn receive(&self, from: usize, values: &mut [f32]) {
            let mut figures = wide(values);
            self.receive_figures(from, &mut figures);
            narrow(values, &figures);
        }

        fn broadcast(&self, from: usize, values: &mut [f32]) {
            let mut figures = wide(values);
            self.broadcast_figures(from, &mut figures);
            narrow(values, &figures);
        }

        fn send_figures(&self, to: usize, figures: &[f64]) {
            self.ways[self.index * self.count + to].0.send(figures.to_vec()).expect("it is received");
        }

        fn receive_figures(&self, from: usize, figures: &mut [f64]) {
            let way = self.ways[from * self.count + self.index].1.lock().expect("no receiver panics");
            figures.copy_from_slice(&way.recv().expect("it was sent"));
        }

        fn broadcast_figures(&self, from: usize, figures: &mut [f64]) {
            if self.index == from {
                for to in (0..self.count).filter(|to| *to != from) {
                    self.casts[from * self.count + to].0.send(figures.to_vec()).expect("it is received");
                }
            } else {
                let cast = self.casts[from * self.count + self.index].1.lock().expect("no receiver panics");
                figures.copy_from_slice(&cast.recv().expect("it was sent"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::threads::as_ranks;
    use super::*;

    #[test]
    fn the_first_rank_decides_and_another_text_is_refused() {
        let told =
            as_ranks(3, |ranks| (ranks.as_first(ranks.index() == 0), ranks.as_first(ranks.index() == 1)));
        assert_eq!(told, [(true, false); 3]);
        let texts = ["steps = 1", "steps = 1", "steps = 2"];
        let answers = as_ranks(3, |ranks| {
            let hash = hash_of(|hasher| hasher.write(texts[ranks.index()].as_bytes()));
            ensure_same(ranks, hash, "the settings are not").map_err(|error| error.to_string())
        });
        assert!(answers[0].is_ok() && answers[1].is_ok());
        let sentence = answers[2].as_ref().expect_err("another text");
        assert!(sentence.starts_with("the settings are not those of rank 0"), "{sentence}");
    }
}
