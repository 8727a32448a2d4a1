//! `cargo xtask check`: the checks that need no run of the program.

use crate::Result;
use crate::cargo::{cargo, finish};
use crate::report::Report;
use crate::tools;

pub(crate) const HELP: &str = "\
Usage: cargo xtask check [CHECK...]

Runs the checks that need no test run, the quickest first:
  fmt     rustfmt would change nothing
  unused  No crate depends on another without using it (cargo-shear, installed into target/tools)
  clippy  No compiler warning and no clippy warning, tests and benchmarks included
  doc     The documentation builds without a warning, private items included

All of them run, also after one that fails. `cargo xtask test` starts with the same checks.

Examples:
  cargo xtask check
  cargo xtask check fmt clippy
";

/// A check: its name, and what it runs.
struct Check {
    name: &'static str,
    run: fn() -> Result<()>,
}

/// The quickest first.
///
/// clippy and rustdoc use the release profile: the tests do too, so that all of them share build scripts and procedural
/// macros, and a cold run compiles those once.
const CHECKS: [Check; 4] = [
    Check { name: "fmt", run: fmt },
    Check { name: "unused", run: tools::unused_dependencies },
    Check { name: "clippy", run: clippy },
    Check { name: "doc", run: doc },
];

pub(crate) fn run(args: &[String]) -> Result<()> {
    if let Some(unknown) = args.iter().find(|arg| CHECKS.iter().all(|check| check.name != arg.as_str())) {
        let names: Vec<&str> = CHECKS.iter().map(|check| check.name).collect();
        return Err(format!("there is no check '{unknown}'. The checks are {}.", names.join(", ")));
    }
    let mut report = Report::default();
    for check in CHECKS.iter().filter(|check| args.is_empty() || args.iter().any(|arg| arg == check.name)) {
        report.run(check.name, check.run);
    }
    report.finish()
}

/// Runs every check.
pub(crate) fn all(report: &mut Report) {
    for check in &CHECKS {
        report.run(check.name, check.run);
    }
}

fn fmt() -> Result<()> {
    // Not `--all`, which takes in the libraries in plugin/vendor too.
    finish(cargo(&["fmt", "--check"]), "rustfmt")
}

fn clippy() -> Result<()> {
    finish(
        cargo(&[
            "clippy",
            "--release",
            "--workspace",
            "--all-targets",
            "--keep-going",
            "--",
            "--deny",
            "warnings",
        ]),
        "clippy",
    )
}

fn doc() -> Result<()> {
    let mut command =
        cargo(&["doc", "--release", "--workspace", "--no-deps", "--document-private-items", "--keep-going"]);
    command.env("RUSTDOCFLAGS", "--deny warnings");
    finish(command, "rustdoc")
}
