//! A song on its way from upload to verdict, and what is known of it.

use crate::clips::Clips;
use crate::store::Folder;
use mixing_buddy_core::decoder::ReferenceBalance;
use mixing_buddy_core::lines::{Kind, json_line};
use mixing_buddy_core::{Advice, Analysis, CancelFlag, PerStem, Stem};
use serde_json::{Value, json};
use std::fmt::{Display, Formatter};
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::sync::watch;

/// Names a job. Nobody can guess it, so that it is also the key to the job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct JobId(u128);

impl JobId {
    /// A new one.
    pub fn random() -> Self {
        JobId(rand::random())
    }
}

impl Display for JobId {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:032x}", self.0)
    }
}

impl FromStr for JobId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let is_hex = text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if is_hex { u128::from_str_radix(text, 16).map(JobId).map_err(|_| ()) } else { Err(()) }
    }
}

/// An uploaded file.
#[derive(Clone, Debug)]
pub struct Upload {
    /// Where we keep it.
    pub path: PathBuf,
    /// How the client calls it: text to be shown, never a path.
    pub name: String,
}

impl Upload {
    /// A message of the core about this file, with the client's name for it.
    pub fn named(&self, message: &str) -> String {
        message.replace(&self.path.display().to_string(), &self.name)
    }
}

/// A window with its advice.
#[derive(Clone, Debug)]
pub struct Judged {
    /// Start in the song, in seconds.
    pub start_s: f64,
    /// End in the song, in seconds.
    pub end_s: f64,
    /// The measurement.
    pub analysis: Analysis,
    /// The advice.
    pub advice: Advice,
}

/// The verdict on the song.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// All windows pooled.
    pub analysis: Analysis,
    /// The advice.
    pub advice: Advice,
    /// Levels of the reference in LU, where there is one.
    pub reference_lu: Option<PerStem<Option<f32>>>,
}

/// Which file is being listened to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The reference, which comes first.
    Reference,
    /// The song.
    Song,
}

/// How far a job has come.
#[derive(Clone, Debug)]
pub enum State {
    /// It is in the queue.
    Waiting,
    /// The model listens to it.
    Listening {
        /// To which file.
        part: Part,
        /// Seconds heard so far.
        heard_s: f64,
        /// Length of the file in seconds, if it states one.
        length_s: Option<f64>,
    },
    /// The verdict is there.
    Done,
    /// It ended with this sentence.
    Failed(String),
}

impl State {
    /// Name as in JSON.
    pub const fn name(&self) -> &'static str {
        match self {
            State::Waiting => "waiting",
            State::Listening { .. } => "listening",
            State::Done => "done",
            State::Failed(_) => "failed",
        }
    }

    /// Whether nothing more will happen.
    pub const fn is_final(&self) -> bool {
        matches!(self, State::Done | State::Failed(_))
    }
}

/// What changes while a job is worked on.
#[derive(Debug)]
pub struct Known {
    /// How far it has come.
    pub state: State,
    /// The windows so far.
    pub windows: Vec<Judged>,
    /// The verdict on the song, once it is there.
    pub verdict: Option<Verdict>,
    /// The balance to aim at, once the reference is measured.
    pub balance: Option<ReferenceBalance>,
    /// What of the files was corrected or lost.
    pub warnings: Vec<String>,
    /// When somebody last asked for it.
    last_seen: Instant,
    /// How many are told of each change.
    watchers: usize,
}

/// A job.
#[derive(Debug)]
pub struct Job {
    /// Its name.
    pub id: JobId,
    /// The address that it counts for.
    pub owner: IpAddr,
    /// The song.
    pub song: Upload,
    /// The song to aim at.
    pub reference: Option<Upload>,
    /// A stem that is right.
    pub anchor: Option<Stem>,
    /// The files.
    pub folder: Folder,
    /// Raised when the job is no longer wanted.
    pub cancel: CancelFlag,
    /// Windows that are ready to be heard. Held while one is prepared.
    pub clips: tokio::sync::Mutex<Clips>,
    known: Mutex<Known>,
    changes: watch::Sender<u64>,
}

impl Job {
    /// A job that waits.
    pub fn new(
        owner: IpAddr,
        folder: Folder,
        song: Upload,
        reference: Option<Upload>,
        anchor: Option<Stem>,
    ) -> Self {
        let known = Known {
            state: State::Waiting,
            windows: Vec::new(),
            verdict: None,
            balance: None,
            warnings: Vec::new(),
            last_seen: Instant::now(),
            watchers: 0,
        };
        Job {
            id: JobId::random(),
            owner,
            song,
            reference,
            anchor,
            folder,
            cancel: CancelFlag::new(),
            clips: tokio::sync::Mutex::default(),
            known: Mutex::new(known),
            changes: watch::Sender::new(0),
        }
    }

    /// What is known now. Never held over a wait.
    pub fn known(&self) -> MutexGuard<'_, Known> {
        // Each change is a single assignment, so that a panic leaves nothing half-changed.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is known and tells the watchers.
    pub fn change(&self, change: impl FnOnce(&mut Known)) {
        change(&mut self.known());
        self.tell();
    }

    /// Sets the state, unless the job has ended, and tells the watchers.
    pub fn advance(&self, state: State) {
        self.change(|known| {
            if !known.state.is_final() {
                known.state = state;
            }
        });
    }

    /// Ends the job with a sentence, unless it has ended.
    pub fn fail(&self, reason: &str) {
        self.advance(State::Failed(reason.to_string()));
    }

    /// Tells the watchers that something has changed, here or in the queue.
    pub fn tell(&self) {
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Tells of each change from now on.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Somebody asks for it.
    pub fn see(&self) {
        self.known().last_seen = Instant::now();
    }

    /// For how long nobody has watched it or asked for it, and whether it has ended. None while it is watched.
    pub fn unseen_for(&self) -> (Option<std::time::Duration>, bool) {
        let known = self.known();
        let unseen = (known.watchers == 0).then(|| known.last_seen.elapsed());
        (unseen, known.state.is_final())
    }

    /// The line of a window, as of `advise --json`.
    pub fn window_line(&self, window: &Judged) -> Value {
        json_line(&self.song.name, Kind::Window, window.start_s, window.end_s, &window.advice)
    }

    /// The line of the song with this advice, as of `advise --json`.
    pub fn song_line(&self, known: &Known, advice: &Advice) -> Value {
        let end_s = known.windows.last().map_or(0.0, |window| window.end_s);
        json_line(&self.song.name, Kind::Song, 0.0, end_s, advice)
    }

    /// Its state as JSON; `place` is its place in the queue and the length of the queue.
    pub fn state_json(&self, known: &Known, place: Option<(usize, usize)>) -> Value {
        let (part, heard_s, length_s) = match &known.state {
            State::Listening { part, heard_s, length_s } => (
                Some(if *part == Part::Song { "song" } else { "reference" }),
                Some((heard_s * 10.0).round() / 10.0),
                length_s.map(|length_s| (length_s * 10.0).round() / 10.0),
            ),
            _ => (None, None, None),
        };
        let error = match &known.state {
            State::Failed(reason) => Some(reason),
            _ => None,
        };
        json!({
            "id": self.id.to_string(),
            "state": known.state.name(),
            "place": place.map(|(place, _)| place),
            "waiting": place.map(|(_, waiting)| waiting),
            "part": part,
            "heard_s": heard_s,
            "length_s": length_s,
            "windows": known.windows.len(),
            "file": self.song.name,
            "reference": self.reference.as_ref().map(|upload| &upload.name),
            "anchor": self.anchor.map(Stem::name),
            "reference_lu": known.verdict.as_ref().and_then(|verdict| verdict.reference_lu),
            "warnings": known.warnings,
            "error": error,
        })
    }

    /// Counts a watcher until the result is dropped.
    pub fn watch(self: &std::sync::Arc<Self>) -> Watching {
        self.known().watchers += 1;
        Watching(std::sync::Arc::clone(self))
    }
}

/// Somebody is told of each change.
pub struct Watching(pub std::sync::Arc<Job>);

impl Drop for Watching {
    fn drop(&mut self) {
        let mut known = self.0.known();
        known.watchers -= 1;
        known.last_seen = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_a_job_is_32_hexadecimal_digits() {
        let id = JobId::random();
        assert_eq!(id.to_string().parse(), Ok(id));
        for text in ["", "..", "+0000000000000000000000000000001", "0000000000000000000000000000000G"] {
            assert_eq!(text.parse::<JobId>(), Err(()), "{text}");
        }
    }
}
