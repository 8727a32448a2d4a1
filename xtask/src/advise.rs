//! `cargo xtask advise`: builds the command line and runs its `advise`.

use crate::Result;
use crate::cargo::{build_workspace, finish, target};
use std::process::Command;

pub(crate) const HELP: &str = "\
Usage: cargo xtask advise [FILE...] [OPTIONS]

Prints advice on songs, without the plugin. Builds the command line program and passes all arguments on to
`mixing-buddy advise`. Without a file it takes the demo song.

Examples:
  cargo xtask advise
  cargo xtask advise song.flac --anchor drums --prompt \"how is my vocal?\"
  cargo xtask advise -- --help
";

pub(crate) fn run(args: &[String]) -> Result<()> {
    let args = args.strip_prefix(&["--".to_string()]).unwrap_or(args);
    build_workspace(false, &["--quiet".into()])?;
    // Started in the user's folder, so that relative paths mean what the user expects.
    let mut command =
        Command::new(target().join("release").join(format!("mixing-buddy{}", std::env::consts::EXE_SUFFIX)));
    command.arg("advise").args(args);
    finish(command, "advise")
}
