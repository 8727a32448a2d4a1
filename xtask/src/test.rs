//! `cargo xtask test`: gets what the tests need, then runs all of them.

use crate::Result;
use crate::bundle;
use crate::cargo::{cargo, finish, target};
use crate::needs;

pub(crate) const HELP: &str = "\
Usage: cargo xtask test [--debug-allocs] [CARGO TEST OPTIONS]

Installs what the tests need (as root on Debian, else it names the packages; the VST3 host goes into a Python
environment in target/python), then runs all tests of the workspace. What cannot be had is skipped with a word.

  --debug-allocs  Instead: the tests of the CLAP in its host on a debug build that aborts when the audio callback
                  allocates. It compiles everything once more.

Examples:
  cargo xtask test
  cargo xtask test --test clap_audio
  cargo xtask test --debug-allocs
";

pub(crate) fn run(args: &[String]) -> Result<()> {
    if let Some(at) = args.iter().position(|arg| arg == "--debug-allocs") {
        return debug_allocs(&[&args[..at], &args[at + 1..]].concat());
    }
    needs::system_packages();
    if let Err(message) = needs::python_packages() {
        eprintln!("The tests of the VST3 skip. {message}");
    }
    let mut command = cargo(&["test", "--release", "--workspace"]);
    command.args(args);
    finish(command, "The test run")
}

fn debug_allocs(args: &[String]) -> Result<()> {
    // A folder of its own: builds with other features of one library must not overwrite each other.
    let folder = target().join("debug-allocs");
    let mut build = cargo(&["build", "--package", "mixing-buddy", "--features", "assert_process_allocs"]);
    build.arg("--target-dir").arg(&folder);
    finish(build, "The debug build")?;
    let library = bundle::built_library(true);
    let name = library.file_name().unwrap_or_default();
    // The whole workspace, as ever: with one package, features unify differently and candle is compiled once more.
    let mut command = cargo(&["test", "--release", "--workspace", "--test", "clap_audio"]);
    command.args(["--test", "clap_advice"]).args(args);
    command.env("MIXING_BUDDY_TEST_LIBRARY", folder.join("debug").join(name));
    finish(command, "The test run")
}
