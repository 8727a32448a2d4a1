//! `cargo xtask shot`: pictures of the panel's states.

use crate::Result;
use crate::cargo::{cargo, finish, target};

pub(crate) const HELP: &str = "\
Usage: cargo xtask shot [DIR]

Draws the panel in each of its main states, without a window, into DIR (target/shots). Needs a Vulkan driver; on a
machine without a graphics card Mesa's software driver serves.

Example:
  cargo xtask shot
";

pub(crate) fn run(args: &[String]) -> Result<()> {
    let folder = match args {
        [] => target().join("shots"),
        [folder] => std::path::absolute(folder).map_err(|error| format!("{folder}: {error}."))?,
        _ => return Err("shot takes one folder at most.".into()),
    };
    let mut command =
        cargo(&["run", "--quiet", "--release", "--package", "mixing-buddy", "--example", "shot", "--"]);
    command.arg(folder);
    finish(command, "shot")
}
