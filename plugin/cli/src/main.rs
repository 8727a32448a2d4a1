//! Parses the command line, runs the command, and prints what went wrong.

use clap::Parser;
use mixing_buddy_cli::{Cli, run};
use mixing_buddy_core::audio::hide_caught_panics;
use mixing_buddy_core::output::exit_code;
use std::process::ExitCode;

fn main() -> ExitCode {
    hide_caught_panics();
    for name in ["RAYON_NUM_THREADS", "CANDLE_NUM_THREADS"] {
        if std::env::var_os(name).is_none() {
            // SAFETY: no other thread runs yet. One thread a matrix product: the compact model's are too small to share.
            unsafe { std::env::set_var(name, "1") };
        }
    }
    let result = run(Cli::parse());
    exit_code(result.as_ref().err().map(|error| (error.as_ref(), format!("{error:#}"))))
}
