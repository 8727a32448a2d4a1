//! What a fetch does, for a person as a bar and sentences on standard error, for a program as lines of JSON on standard output.

use super::catalogue::{Address, size_text};
use super::hub::Remote;
use anyhow::Result;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use mixing_buddy_core::output::{note, print_line};
use serde_json::{Value, json};
use std::io::IsTerminal;
use std::path::Path;
use std::time::{Duration, Instant};

/// Time between two lines of JSON about progress.
const BETWEEN_LINES: Duration = Duration::from_millis(500);

/// Something that a fetch does.
pub enum Event<'a> {
    /// What the hub says of the file, and where it will lie.
    Found {
        /// The file.
        address: &'a Address,
        /// What the hub says.
        remote: &'a Remote,
        /// Its licence.
        licence: &'a str,
        /// The folder.
        folder: &'a Path,
    },
    /// Another program fetches the same file.
    Waiting,
    /// It goes on behind so many bytes of an earlier fetch.
    Resumed(u64),
    /// So many bytes are here.
    Progress(u64),
    /// The connection broke; another try follows.
    Retrying {
        /// Why.
        reason: &'a str,
        /// When.
        wait: Duration,
    },
    /// It begins anew, and why.
    Restarted(&'a str),
    /// The file is whole and has its name.
    Done {
        /// Where.
        path: &'a Path,
        /// Whether it was there before.
        is_old: bool,
    },
    /// Stopped by the user or the caller, with so many bytes kept.
    Stopped(u64),
    /// Nothing more happens, and why.
    Failed(&'a str),
}

/// Tells the events.
pub struct Reporter {
    json: bool,
    bar: Option<ProgressBar>,
    size_bytes: u64,
    /// When the bytes began to arrive, and how many were there.
    began: Option<(Instant, u64)>,
    last_line: Option<Instant>,
}

impl Reporter {
    /// A reporter for a person or a program.
    pub fn new(json: bool) -> Self {
        Reporter { json, bar: None, size_bytes: 0, began: None, last_line: None }
    }

    /// Tells an event.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub fn tell(&mut self, event: Event<'_>) -> Result<()> {
        if let Event::Found { remote, .. } = event {
            self.size_bytes = remote.size_bytes;
        }
        if let Event::Resumed(bytes) = event {
            self.began = Some((Instant::now(), bytes));
        }
        if let Event::Restarted(_) = event {
            self.began = None;
        }
        if self.json { self.tell_program(&event) } else { self.tell_person(&event) }
    }

    /// Bytes in a second since they began to arrive; none at the start.
    fn speed(&mut self, bytes: u64) -> Option<f64> {
        let (since, before) = *self.began.get_or_insert_with(|| (Instant::now(), bytes));
        let seconds = since.elapsed().as_secs_f64();
        (seconds > 0.2 && bytes > before).then(|| (bytes - before) as f64 / seconds)
    }

    fn tell_program(&mut self, event: &Event<'_>) -> Result<()> {
        let value = match *event {
            Event::Found { address, remote, licence, folder } => json!({
                "event": "found", "name": address.name, "repository": address.repository, "file": address.file,
                "commit": remote.commit, "sha256": remote.sha256, "size_bytes": remote.size_bytes,
                "licence": licence, "folder": folder.display().to_string(),
            }),
            Event::Waiting => json!({ "event": "waiting" }),
            Event::Resumed(bytes) => {
                json!({ "event": "resumed", "bytes": bytes, "size_bytes": self.size_bytes })
            }
            Event::Progress(bytes) => {
                let speed = self.speed(bytes);
                let is_due = self.last_line.is_none_or(|last| last.elapsed() >= BETWEEN_LINES);
                if !is_due && bytes < self.size_bytes {
                    return Ok(());
                }
                self.last_line = Some(Instant::now());
                progress(bytes, self.size_bytes, speed)
            }
            Event::Retrying { reason, wait } => {
                json!({ "event": "retrying", "reason": reason, "wait_s": wait.as_secs_f64() })
            }
            Event::Restarted(reason) => json!({ "event": "restarted", "reason": reason }),
            Event::Done { path, is_old } => {
                json!({ "event": "done", "path": path.display().to_string(), "was_present": is_old })
            }
            Event::Stopped(bytes) => {
                json!({ "event": "stopped", "bytes": bytes, "size_bytes": self.size_bytes })
            }
            Event::Failed(reason) => json!({ "event": "failed", "reason": reason }),
        };
        Ok(print_line(&value.to_string())?)
    }

    fn tell_person(&mut self, event: &Event<'_>) -> Result<()> {
        match *event {
            Event::Found { address, remote, licence, folder } => note(&format!(
                "{}: {} of {} on the hub\n  Size: {} ({} bytes)\n  Licence: {licence}\n  Folder: {}",
                address.name,
                address.file,
                address.repository,
                size_text(remote.size_bytes),
                remote.size_bytes,
                folder.display()
            )),
            Event::Waiting => {
                note("Another program fetches this file; waiting for it. Ctrl-C stops waiting.")
            }
            Event::Resumed(bytes) => {
                note(&format!("Going on behind the {} of an earlier fetch.", size_text(bytes)));
                self.bar().reset_eta();
                self.bar().set_position(bytes);
            }
            Event::Progress(bytes) => self.bar().set_position(bytes),
            Event::Retrying { reason, wait } => {
                let text = format!("{}. Trying again in {:.1} s.", capital(reason), wait.as_secs_f64());
                self.bar().suspend(|| note(&text));
            }
            Event::Restarted(reason) => {
                let text = format!("{}. Starting over.", capital(reason));
                self.bar().suspend(|| note(&text));
                self.bar().reset();
            }
            Event::Done { path, is_old } => {
                self.clear();
                let what = if is_old { "Is here already, and its checksum is right" } else { "Fetched" };
                print_line(&format!("{what}: {}", path.display()))?;
            }
            Event::Stopped(bytes) => {
                self.clear();
                let (here, all) = (size_text(bytes), size_text(self.size_bytes));
                note(&format!("{here} of {all} are kept; the same command goes on from there."));
            }
            Event::Failed(_) => self.clear(),
        }
        Ok(())
    }

    fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    /// The bar, drawn on a terminal only.
    fn bar(&mut self) -> &ProgressBar {
        let size_bytes = self.size_bytes;
        self.bar.get_or_insert_with(|| {
            let target = match std::io::stderr().is_terminal() {
                true => ProgressDrawTarget::stderr(),
                false => ProgressDrawTarget::hidden(),
            };
            let template =
                "{wide_bar} {decimal_bytes}/{decimal_total_bytes}, {decimal_bytes_per_sec}, {eta} left";
            let style = ProgressStyle::with_template(template).unwrap_or(ProgressStyle::default_bar());
            ProgressBar::with_draw_target(Some(size_bytes), target).with_style(style)
        })
    }
}

fn progress(bytes: u64, size_bytes: u64, speed: Option<f64>) -> Value {
    let left = speed.map(|speed| (size_bytes.saturating_sub(bytes) as f64 / speed).ceil());
    json!({
        "event": "progress", "bytes": bytes, "size_bytes": size_bytes,
        "bytes_per_s": speed.map(f64::round), "seconds_left": left,
    })
}

/// With a capital letter first, unless it is a name with a point in it, such as a host's.
fn capital(sentence: &str) -> String {
    let first_word = sentence.split(' ').next().unwrap_or_default();
    let mut letters = sentence.chars();
    match letters.next() {
        Some(first) if !first_word.contains('.') => first.to_uppercase().chain(letters).collect(),
        _ => sentence.to_string(),
    }
}
