//! Log output for a person who debugs the worker. Off unless the user asks for it.
//!
//! The worker writes `tracing` events: a model loaded or failed, a device failed, a window analyzed (with its time),
//! audio lost, a break in the song, a state that could not be read. The audio callback writes none. To see the events,
//! set the environment variable [`VARIABLE`] before the host starts:
//!
//! | value | where the events go |
//! | --- | --- |
//! | `stderr` | the standard error of the host |
//! | anything else | the end of the file with this path |
//!
//! The framework's own logger is not used. It writes files from a thread that never ends, and it replaces the
//! process's panic hook with code in this library. Both crash a host that unloads the library.

use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::sync::Mutex;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;

/// The environment variable that turns the log on.
pub const VARIABLE: &str = "MIXING_BUDDY_LOG";
/// Everything of ours; of the libraries below only what went wrong.
const FILTER: &str = "warn,mixing_buddy=debug";

/// Starts the log if [`VARIABLE`] is set; true if it started. Call once, when the library is loaded.
pub fn start() -> bool {
    std::env::var_os(VARIABLE).and_then(|target| writer(&target)).is_some_and(|writer| {
        tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::new(FILTER))
            .with_ansi(false)
            .with_writer(writer)
            .try_init()
            .is_ok()
    })
}

/// Where events go; none if the file cannot be opened. Nobody can be told then, so there is no log.
fn writer(target: &OsStr) -> Option<BoxMakeWriter> {
    match target.to_str() {
        Some("") => None,
        Some("stderr") => Some(BoxMakeWriter::new(std::io::stderr)),
        _ => {
            let file = OpenOptions::new().create(true).append(true).open(target).ok()?;
            Some(BoxMakeWriter::new(Mutex::new(file)))
        }
    }
}
