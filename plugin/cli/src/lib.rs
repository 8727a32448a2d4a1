//! What an engineer runs without a host: advice on songs, and what is known of a model.
//!
//! | module | what it does |
//! | --- | --- |
//! | [`advise`] | a song's advice, window by window and as a whole |
//! | [`info`] | what a model file says of itself |
//! | [`song`] | a file, analyzed window by window in memory that does not grow |
//! | [`lines`] | advice as lines of text or JSON |
//! | [`demo`] | the shipped demo song with its error |

pub mod advise;
pub mod demo;
pub mod info;
pub mod lines;
pub mod song;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Advice on the balance of a mix, without a host.
#[derive(Parser)]
#[command(name = "mixing-buddy", version, about)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Says for each window, and for the whole song, whether the balance is right
    Advise(advise::AdviseArgs),
    /// Shows name, version, licence and sizes of a model
    Info(info::InfoArgs),
}

/// Runs a command.
///
/// # Errors
/// Whatever the command fails with, as a sentence that names file and cause.
pub fn run(cli: Cli) -> Result<()> {
    match cli.command {
        Command::Advise(args) => advise::run(&args),
        Command::Info(args) => info::run(&args),
    }
}

/// Prints a line of a command's output.
#[expect(clippy::print_stdout, reason = "it is what the command was asked for")]
pub(crate) fn print_line(line: &str) {
    println!("{line}");
}
