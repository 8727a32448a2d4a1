//! Parses the command line, runs the command, and prints what went wrong.

use clap::Parser;
use mixing_buddy_trainer::allocator::{MiMalloc, keep_pages};
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    keep_pages();
    for name in ["RAYON_NUM_THREADS", "CANDLE_NUM_THREADS"] {
        if std::env::var_os(name).is_none() {
            // SAFETY: no other thread runs yet. One thread a matrix product: whole passes side by side use the cores.
            unsafe { std::env::set_var(name, "1") };
        }
    }
    match mixing_buddy_trainer::cli::run(mixing_buddy_trainer::cli::Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("Error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
