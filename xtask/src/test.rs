//! `cargo xtask test`: the checks, then what the tests need, then all tests.

use crate::Result;
use crate::cargo::{cargo, finish};
use crate::report::Report;
use crate::{check, full, needs};

const USAGE: &str = "\
Usage: cargo xtask test
       cargo xtask test [CARGO TEST OPTIONS]
       cargo xtask test --full [NAME...]

Without options: runs the checks (see `cargo xtask check --help`), installs what the tests need, runs all tests of the
workspace, and prints which step passed and how long it took. If a check fails, the tests do not start.

System packages are installed as root on Debian and Ubuntu; elsewhere this command names the ones that are missing. The
VST3 host goes into a Python environment in target/python. The tests run with CI=true: one that lacks a prerequisite then
fails. `cargo test` alone does not set it, and such tests are skipped with a message.

With options of `cargo test`: only those tests, without the checks.

  --full [NAME...]  Also the tests below, or only those named. A test whose variable is not set is skipped
  --debug-allocs    The same as --full debug-allocs

";

const EXAMPLES: &str = "
Examples:
  cargo xtask test
  cargo xtask test --test clap_audio
  cargo xtask test --full debug-allocs
";

/// The text for `--help`.
pub(crate) fn help() -> String {
    format!("{USAGE}Tests of --full:\n{}{EXAMPLES}", full::list())
}

pub(crate) fn run(args: &[String]) -> Result<()> {
    let mut report = Report::default();
    match args.split_first() {
        None => {
            usual(&mut report);
        }
        Some((first, [])) if first == "--debug-allocs" => {
            full::run(&["debug-allocs".to_string()], &mut report, needs::install);
        }
        Some((first, names)) if first == "--full" => {
            full::check_names(names)?;
            if !names.is_empty() || usual(&mut report) {
                full::run(names, &mut report, needs::install);
            }
        }
        Some(_) => {
            needs::install();
            return tests(args);
        }
    }
    report.finish()
}

/// The checks, then all tests. Returns whether the checks passed, so that the tests ran.
fn usual(report: &mut Report) -> bool {
    check::all(report);
    if report.has_failed() {
        report.skip("tests", "a check failed".into());
        return false;
    }
    report.run("needs", || {
        needs::install();
        Ok(())
    });
    report.run("tests", || tests(&[]));
    true
}

fn tests(args: &[String]) -> Result<()> {
    let mut command = cargo(&["test", "--release", "--workspace", "--no-fail-fast"]);
    // A test that lacks a prerequisite fails in place of being skipped.
    command.args(args).env("CI", "true");
    finish(command, "The test run")
}
