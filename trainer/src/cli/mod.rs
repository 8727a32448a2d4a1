//! The commands, one file each.

mod data;
mod evaluate;
mod export;
mod training;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Trains, evaluates and tries out MixingBuddy's models.
#[derive(Parser)]
#[command(name = "mixing-buddy-trainer", version, about)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Moved: `mixing-buddy advise`
    #[command(hide = true, disable_help_flag = true)]
    Advise {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
        args: Vec<String>,
    },
    /// Runs the benchmark on a folder of songs with stems
    Evaluate(evaluate::EvaluateArgs),
    /// Imports collections of songs and makes training samples of them
    #[command(subcommand)]
    Data(data::DataCommand),
    /// Computes the feature maps of a folder of songs, once
    Prepare(training::PrepareArgs),
    /// Trains one part of the model
    #[command(subcommand)]
    Train(training::TrainCommand),
    /// Puts trained weights into one file and calibrates them on the `calib` songs
    Bundle(training::BundleArgs),
    /// Trains the same encoder or advisor with one thing changed at a time, and measures each on unheard songs
    Ablate(training::AblateArgs),
    /// Writes the result of an advisor run for the plugin, or for Hugging Face's libraries
    Export(export::ExportArgs),
    /// Reads an adapter that is laid out as PEFT does
    ImportAdapter(export::ImportAdapterArgs),
    /// Trains the tokenizer on the templates
    Tokenizer(training::TokenizerArgs),
    /// Fits the summary of usual balances to a table of stem levels
    Norms(training::NormsArgs),
}

/// Runs a command.
///
/// # Errors
/// Whatever the command fails with, as a sentence that names file and cause.
pub fn run(cli: Cli) -> Result<()> {
    match cli.command {
        Command::Advise { .. } => anyhow::bail!(
            "`advise` moved to the command line for engineers: run `mixing-buddy advise`, or `cargo xtask advise` here"
        ),
        Command::Evaluate(args) => evaluate::run(&args),
        Command::Data(command) => data::run(&command),
        Command::Prepare(args) => training::prepare_songs(&args),
        Command::Train(command) => training::train(&command),
        Command::Bundle(args) => training::bundle(&args),
        Command::Ablate(args) => training::ablate(&args),
        Command::Export(args) => export::export(&args),
        Command::ImportAdapter(args) => export::import(&args),
        Command::Tokenizer(args) => training::tokenizer(&args),
        Command::Norms(args) => training::norms(&args),
    }
}
