//! The commands, one file each.

mod audition;
mod conversations;
mod data;
mod evaluate;
mod export;
mod judge;
mod large;
mod logging;
mod prepare;
mod report;
mod study;
mod training;
mod words;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Makes, measures and exports MixingBuddy's models.
#[derive(Parser)]
#[command(name = "mixing-buddy-trainer", version, about)]
pub struct Cli {
    /// Logs more, such as every written checkpoint; RUST_LOG=debug, RUST_LOG=off and so on choose exactly
    #[arg(short, long, global = true)]
    verbose: bool,
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
    /// Compares two reports of `evaluate` on the same songs
    Compare(evaluate::CompareArgs),
    /// Compares a bundle's language model with a large one, behind the same ears
    CompareSizes(large::SizesArgs),
    /// Measures how close the advice of an evaluation is to what experts say
    Similarity(words::SimilarityArgs),
    /// Lets an LLM rate the advice of an evaluation, and shows how far that judge may be believed
    Judge(judge::JudgeArgs),
    /// Joins all results into one HTML page, and writes the tables of the model card
    Report(report::ReportArgs),
    /// Makes and scores a study with human raters
    #[command(subcommand)]
    Study(study::StudyCommand),
    /// Measures how near the plugin's auditions come to true remixes, on a folder of songs with stems
    Audition(audition::AuditionArgs),
    /// Imports collections of songs and makes training samples from them
    #[command(subcommand)]
    Data(data::DataCommand),
    /// Fits the temperatures of a large model's adapter
    CalibrateAdapter(large::CalibrateArgs),
    /// Lets a large model answer conversations
    AnswerConversations(large::AnswerArgs),
    /// Checks the answers of a large model: contradictions, own words, the stem that was asked for, noes
    ScoreConversations(conversations::ScoreConversationsArgs),
    /// Computes the feature maps of a folder of songs, once
    Prepare(prepare::PrepareArgs),
    /// Trains one part of the model, or all of them by a plan
    #[command(subcommand)]
    Train(training::TrainCommand),
    /// Puts trained weights into one bundle and calibrates it on the `calib` songs
    Bundle(export::BundleArgs),
    /// Trains the same encoder or advisor with one thing changed at a time, and measures each on held-out songs
    Ablate(training::AblateArgs),
    /// Writes the result of an advisor run for the plugin, or for Hugging Face's libraries
    Export(export::ExportArgs),
    /// Reads an adapter in the layout of PEFT
    ImportAdapter(export::ImportAdapterArgs),
    /// Trains the tokenizer on the templates
    Tokenizer(training::TokenizerArgs),
    /// Fits the summary of usual balances to a table of stem levels
    Norms(training::NormsArgs),
}

/// Runs a command.
///
/// # Errors
/// The error of the command, as a sentence that names file and cause.
pub fn run(cli: Cli) -> Result<()> {
    logging::start(cli.verbose);
    match cli.command {
        Command::Advise { .. } => anyhow::bail!(
            "`advise` is now a command of another program: run `mixing-buddy advise`, or `cargo xtask advise` in the repository"
        ),
        Command::Evaluate(args) => evaluate::run(&args),
        Command::Compare(args) => evaluate::run_compare(&args),
        Command::CompareSizes(args) => large::compare_sizes(&args),
        Command::Similarity(args) => words::run(&args),
        Command::Judge(args) => judge::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Study(command) => study::run(&command),
        Command::Audition(args) => audition::run(&args),
        Command::Data(command) => data::run(&command),
        Command::CalibrateAdapter(args) => large::calibrate(&args),
        Command::AnswerConversations(args) => large::answer(&args),
        Command::ScoreConversations(args) => conversations::score(&args),
        Command::Prepare(args) => prepare::run(&args),
        Command::Train(command) => training::train(&command),
        Command::Bundle(args) => export::bundle(&args),
        Command::Ablate(args) => training::ablate(&args),
        Command::Export(args) => export::export(&args),
        Command::ImportAdapter(args) => export::import(&args),
        Command::Tokenizer(args) => training::tokenizer(&args),
        Command::Norms(args) => training::norms(&args),
    }
}
