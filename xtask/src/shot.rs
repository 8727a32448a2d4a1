//! `cargo xtask shot`: draws pictures of the panel's states.

use crate::Result;
use crate::cargo::{cargo, finish, target};
use std::path::PathBuf;
use std::process::Command;

pub(crate) const HELP: &str = "\
Usage: cargo xtask shot [DIR] [STATE...]

Draws the panel in each of its main states, or in those named, into DIR (default: target/shots). It opens no window. It
needs a Vulkan driver; on a machine without a graphics card, Mesa's software driver is enough.

Examples:
  cargo xtask shot
  cargo xtask shot pictures advice
";

pub(crate) fn run(args: &[String]) -> Result<()> {
    let folder = args.first().map_or_else(|| target().join("shots"), PathBuf::from);
    // Built as part of the whole workspace, for the reason that `build_workspace` gives.
    finish(cargo(&["build", "--quiet", "--release", "--workspace", "--example", "shot"]), "The build")?;
    let program = format!("shot{}", std::env::consts::EXE_SUFFIX);
    let mut command = Command::new(target().join("release/examples").join(program));
    command.arg(folder).args(args.iter().skip(1));
    finish(command, "shot")
}
