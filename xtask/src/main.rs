//! The project's own commands: one `match`, one file a command. It links nothing else of the workspace.

mod advise;
mod bundle;
mod cargo;
mod install;
mod listen;
mod needs;
mod shot;
mod test;

use std::process::ExitCode;

const USAGE: &str = "\
Usage: cargo xtask COMMAND [OPTIONS]

Commands:
  bundle   Builds the plugin: VST3 and CLAP in target/bundled
  install  Builds it and puts it into your plugin folders
  listen   Plays a song, or the demo, through the built plugin and prints its advice
  advise   The same advice without the plugin, from the command line
  shot     Takes pictures of the panel's states into target/shots
  test     Gets what the tests need, then runs all of them

cargo xtask COMMAND --help says more.
";

/// What went wrong, as a sentence for a person.
type Result<T> = std::result::Result<T, String>;
/// A command: takes what follows its name.
type Run = fn(&[String]) -> Result<()>;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("Error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[String]) -> Result<()> {
    let Some((command, rest)) = args.split_first() else {
        return Err(format!("a command is missing.\n\n{USAGE}"));
    };
    let (help, run): (&str, Run) = match command.as_str() {
        "bundle" => (bundle::HELP, bundle::run),
        "install" => (install::HELP, install::run),
        "listen" => (listen::HELP, listen::run),
        "advise" => (advise::HELP, advise::run),
        "shot" => (shot::HELP, shot::run),
        "test" => (test::HELP, test::run),
        "help" | "--help" | "-h" => return say(USAGE),
        other => return Err(format!("there is no command '{other}'.\n\n{USAGE}")),
    };
    // What follows "--" belongs to the program that the command starts.
    if rest.iter().take_while(|arg| *arg != "--").any(|arg| arg == "--help" || arg == "-h") {
        return say(help);
    }
    run(rest)
}

#[expect(clippy::print_stdout, reason = "help was asked for")]
fn say(text: &str) -> Result<()> {
    print!("{text}");
    Ok(())
}
