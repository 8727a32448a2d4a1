//! Parses the command line, runs the command, and prints what went wrong.

use clap::Parser;
use std::process::ExitCode;

/// A training step makes and drops hundreds of tensors of megabytes. The system's allocator gives such pages back each
/// time and has them cleared again: with it, a step of the encoder took 1.8 times as long (`trainer/RUNS.md`).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
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
