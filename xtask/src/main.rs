//! The project's own commands: `cargo xtask advise [ARGS]`, `cargo xtask test`.

use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let Some((command, rest)) = args.split_first() else { return usage() };
    let advise = ["run", "--release", "-p", "mixing-buddy-trainer", "--", "advise"];
    match command.as_str() {
        "advise" => cargo(&advise, rest),
        "test" => cargo(&["test", "--release", "--workspace"], rest),
        _ => usage(),
    }
}

fn usage() -> ExitCode {
    eprintln!("Usage: cargo xtask advise [FILE...] [OPTIONS]\n       cargo xtask test");
    ExitCode::FAILURE
}

/// Runs cargo and passes its success on.
fn cargo(args: &[&str], rest: &[String]) -> ExitCode {
    match Command::new(env!("CARGO")).args(args).args(rest).status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("Error: cargo cannot be run: {error}");
            ExitCode::FAILURE
        }
    }
}
