//! What all requests share.

use crate::address::Addresses;
use crate::job::{Job, JobId};
use crate::listen::listen;
use crate::settings::Settings;
use crate::store::Store;
use crate::workers::Workers;
use mixing_buddy_core::Engine;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The sentence for songs that end because the server ends.
const STOPPING: &str = "The server is being stopped.";

/// The state of a server.
pub struct App {
    /// The model.
    pub engine: Arc<Engine>,
    /// Limits and addresses.
    pub settings: Settings,
    /// Temporary files.
    pub store: Arc<Store>,
    /// The threads that run the model.
    pub workers: Workers,
    /// Who asks, and how much.
    pub addresses: Addresses,
    jobs: Mutex<HashMap<JobId, Arc<Job>>>,
    stops: AtomicBool,
}

impl App {
    /// Everything but the network.
    pub fn new(engine: Arc<Engine>, settings: Settings, store: Arc<Store>, workers: Workers) -> Self {
        let addresses = Addresses::new(&settings);
        let (jobs, stops) = (Mutex::default(), AtomicBool::new(false));
        App { engine, settings, store, workers, addresses, jobs, stops }
    }

    /// What a worker does with a song.
    pub fn listener(engine: &Arc<Engine>, settings: &Settings) -> crate::workers::Listen {
        let (engine, most_song_s) = (Arc::clone(engine), settings.most_song_s);
        Arc::new(move |job, between| listen(&engine, job, most_song_s, between))
    }

    fn jobs(&self) -> MutexGuard<'_, HashMap<JobId, Arc<Job>>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a job.
    pub fn add(&self, job: Arc<Job>) {
        self.jobs().insert(job.id, job);
    }

    /// The job of a name, which counts as seen now.
    pub fn job(&self, name: &str) -> Option<Arc<Job>> {
        let job = self.jobs().get(&name.parse().ok()?).cloned()?;
        job.see();
        Some(job)
    }

    /// Removes a job. Its files go with the last request that uses them.
    pub fn remove(&self, job: &Job, reason: &str) {
        self.jobs().remove(&job.id);
        job.cancel.cancel();
        job.fail(reason);
        self.workers.drop_cancelled();
    }

    /// Removes what nobody wants any longer. Called every second or so.
    pub fn tidy(&self) {
        let all: Vec<Arc<Job>> = self.jobs().values().cloned().collect();
        for job in all {
            let (unseen, is_final) = job.unseen_for();
            let most = if is_final { self.settings.keep } else { self.settings.leave_after };
            if unseen.is_some_and(|unseen| unseen > most) {
                self.remove(&job, "Nobody has asked for the song any longer.");
            }
        }
        self.addresses.tidy();
    }

    /// Whether the server is being stopped.
    pub fn stops(&self) -> bool {
        self.stops.load(Ordering::Acquire)
    }

    /// Ends all jobs; no other is taken.
    pub fn stop(&self) {
        self.stops.store(true, Ordering::Release);
        let all: Vec<Arc<Job>> = self.jobs().drain().map(|(_, job)| job).collect();
        for job in all {
            job.fail(STOPPING);
            job.cancel.cancel();
        }
        self.workers.drop_cancelled();
    }
}
