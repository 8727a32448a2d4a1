//! The log: events of a run on standard error.

use crate::progress::{StderrBetweenBars, is_quiet};
use std::io::IsTerminal;
use tracing::Level;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{dynamic_filter_fn, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Events that are shown if neither `-v` nor `RUST_LOG` asks for others: all crates' warnings, and our runs' milestones.
const USUAL: &str = "warn,mixing_buddy_trainer=info,mixing_buddy_core=info";
/// With `-v`: every event of ours, such as each written checkpoint.
const VERBOSE: &str = "warn,mixing_buddy_trainer=debug,mixing_buddy_core=debug";

/// Crates that log what they send, keys included. Nothing of theirs is shown, whatever `RUST_LOG` asks for.
const TELL_SECRETS: [&str; 2] = ["ureq", "rustls"];

/// Starts the log of this process. `RUST_LOG` takes precedence over `verbose`. A second call changes nothing.
pub(super) fn start(verbose: bool) {
    let usual = || EnvFilter::new(if verbose { VERBOSE } else { USUAL });
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| usual());
    // Only fails if a test or another caller has started a log already.
    let _ = tracing_subscriber::registry()
        .with(filter)
        .with(filter_fn(|event| !TELL_SECRETS.iter().any(|name| event.target().starts_with(name))))
        // Dynamic, because a process learns only after its start that another one logs for it.
        .with(dynamic_filter_fn(|event, _| *event.level() <= Level::WARN || !is_quiet()))
        .with(
            tracing_subscriber::fmt::layer()
                .with_writer(|| StderrBetweenBars)
                .with_ansi(std::io::stderr().is_terminal())
                .without_time()
                .with_target(false),
        )
        .try_init();
}
