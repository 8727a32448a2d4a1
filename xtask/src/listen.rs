//! `cargo xtask listen`: plays a song through the built plugin, in a host.

use crate::Result;
use crate::bundle::build_and_lay_out;
use crate::cargo::{finish, target};
use std::process::Command;

pub(crate) const HELP: &str = "\
Usage: cargo xtask listen [FILE] [--json]

Builds the plugin, loads its CLAP into a small host, plays a song through it as fast as the plugin can follow, and
prints the advice that the plugin gave: for each window, then for the song. Without a file it plays the demo song, in
which one stem has a wrong level.

  --json  Prints one JSON object per line, in the form of `mixing-buddy advise --json`

Examples:
  cargo xtask listen
  cargo xtask listen song.wav
  cargo xtask listen mix.flac --json > advice.jsonl
";

pub(crate) fn run(args: &[String]) -> Result<()> {
    let [clap, _] = build_and_lay_out()?;
    let program = format!("mixing-buddy-listen{}", std::env::consts::EXE_SUFFIX);
    let mut command = Command::new(target().join("release").join(program));
    command.arg("--plugin").arg(clap).args(args);
    finish(command, "listen")
}
