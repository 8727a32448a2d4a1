//! `cargo xtask advise`: the trainer's `advise`.

use crate::Result;
use crate::cargo::{cargo, finish};

pub(crate) const HELP: &str = "\
Usage: cargo xtask advise [FILE...] [OPTIONS]

Advice without the plugin. Everything is passed to `mixing-buddy-trainer advise`.

Examples:
  cargo xtask advise
  cargo xtask advise song.flac --anchor drums --prompt \"how is my vocal?\"
  cargo xtask advise -- --help
";

pub(crate) fn run(args: &[String]) -> Result<()> {
    let args = args.strip_prefix(&["--".to_string()]).unwrap_or(args);
    let here = std::env::current_dir().map_err(|error| format!("The current folder is unknown: {error}."))?;
    // Files are named from where the user stands, so cargo is not sent to the workspace's folder.
    let mut command = cargo(&["run", "--quiet", "--release", "--package", "mixing-buddy-trainer"]);
    command.current_dir(here).args(["--", "advise"]).args(args);
    finish(command, "advise")
}
