//! `model`: the larger models, which the user fetches or has: list, fetch, choose, describe, remove.
//!
//! | module | what it does |
//! | --- | --- |
//! | [`catalogue`] | the models known, and addresses on the hub |
//! | [`settings`] | the hub's variables of the environment |
//! | [`store`] | the hub's folder on this computer: files, locks |
//! | [`hub`] | requests to the hub, and why it refuses them |
//! | [`transfer`] | one file: resumed, checked, tried again |
//! | [`stop`] | Ctrl-C, and standard input that is closed |
//! | [`report`] | what a fetch does, as a bar or as lines of JSON |
//! | [`mod@file`] | a model file, opened and checked; whether an adapter fits |
//! | [`fetch`], [`list`], [`info`], [`choose`], [`remove`] | the commands |
//!
//! Nothing is sent but the requests for the files; nothing is fetched unless the user asks for it and agrees.

pub mod catalogue;
pub mod choose;
pub mod fetch;
pub mod file;
pub mod hub;
pub mod info;
pub mod list;
pub mod remove;
pub mod report;
pub mod settings;
pub mod stop;
pub mod store;
pub mod transfer;

use anyhow::Result;
use clap::{Args, Subcommand};

/// Options of `model`.
#[derive(Args)]
#[command(
    after_help = "Files lie in the hub's own folder (~/.cache/huggingface/hub), where other programs find them too. \
    The variables HF_HOME, HF_HUB_CACHE, HF_TOKEN, HF_ENDPOINT and HF_HUB_OFFLINE are honoured.\n\nExamples:\n  \
    mixing-buddy model list\n  \
    mixing-buddy model fetch qwen2-0.5b\n  \
    mixing-buddy model use qwen2-0.5b\n  \
    mixing-buddy model use ~/Downloads/qwen2.5-coder-0.5b-instruct-q8_0.gguf\n  \
    mixing-buddy model info --json\n  \
    mixing-buddy model use compact"
)]
pub struct ModelArgs {
    #[command(subcommand)]
    command: ModelCommand,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum ModelCommand {
    /// Lists the models: what is there, what can be fetched, which one is chosen
    List,
    /// Fetches a model from Hugging Face's hub, after a question
    Fetch(fetch::FetchArgs),
    /// Describes a model: sizes, quantisation, licence, place, whether an adapter fits
    Info(info::InfoArgs),
    /// Chooses the model for all projects
    Use(choose::UseArgs),
    /// Removes a model that was fetched
    Remove(remove::RemoveArgs),
}

/// Runs a command on models.
///
/// # Errors
/// When a name is not known, the hub refuses, a file cannot be used or written.
pub fn run(args: &ModelArgs) -> Result<()> {
    match &args.command {
        ModelCommand::List => list::run(args.json),
        ModelCommand::Fetch(fetch) => fetch::run(fetch, args.json),
        ModelCommand::Info(info) => info::run(info, args.json),
        ModelCommand::Use(choose) => choose::run(choose, args.json),
        ModelCommand::Remove(remove) => remove::run(remove, args.json),
    }
}
