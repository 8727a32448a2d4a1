//! Parses the command line, runs the command, and prints the error if it fails.

use clap::Parser;
use mixing_buddy_core::audio::hide_caught_panics;
use mixing_buddy_core::output::exit_code;
use mixing_buddy_trainer::allocator::{MiMalloc, keep_pages};
use mixing_buddy_trainer::cli::{Cli, run};
use mixing_buddy_trainer::denormals::without_denormals;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    keep_pages();
    hide_caught_panics();
    for name in ["RAYON_NUM_THREADS", "CANDLE_NUM_THREADS"] {
        if std::env::var_os(name).is_none() {
            // SAFETY: no other thread runs yet. One thread per matrix product: whole passes in parallel use the cores.
            unsafe { std::env::set_var(name, "1") };
        }
    }
    let command = Cli::parse();
    let result = without_denormals(|| run(command));
    exit_code(result.as_ref().err().map(|error| (error.as_ref(), format!("{error:#}"))))
}
