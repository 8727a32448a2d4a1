//! The command line for use without a host: advice on songs, and facts about a model.
//!
//! | module | what it does |
//! | --- | --- |
//! | [`advise`] | advice on songs, window by window and as a whole |
//! | [`aim`] | what a mix is held against |
//! | [`chat`] | questions about a song, one after another |
//! | [`mod@engine`] | the engine that commands ask |
//! | [`info`] | name, version, licence and sizes of a model file |
//! | [`profile`] | the library of references |
//! | [`model`] | larger models: fetched from the hub or the user's own |
//! | [`serve`] | the web page, and the API behind it |
//! | [`demo`] | mixes the shipped demo song with its error |

pub mod advise;
pub mod aim;
pub mod chat;
pub mod demo;
pub mod engine;
pub mod info;
pub mod model;
pub mod profile;
pub mod serve;

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
    /// Judges the balance of each window and of the whole song
    Advise(advise::AdviseArgs),
    /// Measures a song once, then answers questions about it
    Chat(chat::ChatArgs),
    /// Keeps the balance of songs that you like, to aim at
    Profile(profile::ProfileArgs),
    /// Fetches, describes and chooses larger models
    Model(model::ModelArgs),
    /// Gives the advice on a web page, on this computer or in a network
    Serve(serve::ServeArgs),
    /// Shows name, version, licence and sizes of a model file
    Info(info::InfoArgs),
}

/// Runs a command.
///
/// # Errors
/// When the command fails; the message names file and cause.
pub fn run(cli: Cli) -> Result<()> {
    match cli.command {
        Command::Advise(args) => advise::run(&args),
        Command::Chat(args) => chat::run(&args),
        Command::Profile(args) => profile::run(&args),
        Command::Model(args) => model::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Info(args) => info::run(&args),
    }
}
