//! The log: events of a run on standard error.

use crate::progress::StderrBetweenBars;
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// Events that are shown if neither `-v` nor `RUST_LOG` asks for others: all crates' warnings, and our runs' milestones.
const USUAL: &str = "warn,mixing_buddy_trainer=info,mixing_buddy_core=info";
/// With `-v`: every event of ours, such as each written checkpoint.
const VERBOSE: &str = "warn,mixing_buddy_trainer=debug,mixing_buddy_core=debug";

/// Starts the log of this process. `RUST_LOG` takes precedence over `verbose`. A second call changes nothing.
pub(super) fn start(verbose: bool) {
    let usual = || EnvFilter::new(if verbose { VERBOSE } else { USUAL });
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| usual());
    // Only fails if a test or another caller has started a log already.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| StderrBetweenBars)
        .with_ansi(std::io::stderr().is_terminal())
        .without_time()
        .with_target(false)
        .try_init();
}
