//! The project's own commands: one `match`, one file per command. It links no other crate of the workspace.

mod advise;
mod bundle;
mod cargo;
mod check;
mod dist;
mod full;
mod install;
mod listen;
mod needs;
#[path = "../../plugin/core/src/output.rs"]
#[expect(dead_code, reason = "errors here are sentences, and the end of the program is simpler")]
mod output;
mod report;
mod shot;
mod test;
mod tools;

use output::{OutputError, note, print_line};
use std::process::ExitCode;

const USAGE: &str = "\
Usage: cargo xtask COMMAND [OPTIONS]

Commands:
  bundle   Builds the plugin: VST3 and CLAP in target/bundled
  dist     Builds a release for this platform: archive, package, checksums
  space    Writes a folder for a Space on Hugging Face, which serves the web page
  install  Builds the plugin and copies it into your plugin folders
  listen   Plays a song, or the demo, through the built plugin and prints its advice
  advise   Prints the same advice from the command line, without the plugin
  shot     Draws the panel in each of its states into target/shots
  check    Runs rustfmt, clippy, rustdoc and a search for unused dependencies
  test     Runs the checks, installs what the tests need, then runs all tests

cargo xtask COMMAND --help says more.
";

/// What went wrong, as a sentence for a person.
type Result<T> = std::result::Result<T, String>;
/// A command: takes the arguments after its name.
type Run = fn(&[String]) -> Result<()>;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            note(&format!("Error: {message}"));
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[String]) -> Result<()> {
    let Some((command, rest)) = args.split_first() else {
        return Err(format!("a command is missing.\n\n{USAGE}"));
    };
    let (help, run): (String, Run) = match command.as_str() {
        "bundle" => (bundle::HELP.into(), bundle::run),
        "dist" => (dist::HELP.into(), dist::run),
        "space" => (dist::space::HELP.into(), dist::space::run),
        "install" => (install::HELP.into(), install::run),
        "listen" => (listen::HELP.into(), listen::run),
        "advise" => (advise::HELP.into(), advise::run),
        "shot" => (shot::HELP.into(), shot::run),
        "check" => (check::HELP.into(), check::run),
        "test" => (test::help(), test::run),
        "help" | "--help" | "-h" => return print_help(USAGE),
        other => return Err(format!("there is no command '{other}'.\n\n{USAGE}")),
    };
    // What follows "--" belongs to the program that the command starts.
    if rest.iter().take_while(|arg| *arg != "--").any(|arg| arg == "--help" || arg == "-h") {
        return print_help(&help);
    }
    run(rest)
}

fn print_help(text: &str) -> Result<()> {
    match print_line(text.trim_end()) {
        // Whoever read the output has stopped: no fault.
        Ok(()) | Err(OutputError::Closed) => Ok(()),
        Err(failed) => Err(failed.to_string()),
    }
}
