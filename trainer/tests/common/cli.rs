//! The trainer's binary, run as a user runs it, and a folder for its files.

#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics with the reason")]

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Output};

pub fn trainer() -> Command {
    Command::new(env!("CARGO_BIN_EXE_mixing-buddy-trainer"))
}

/// Runs to the end; returns everything that it wrote.
pub fn answer(args: &[impl AsRef<OsStr>]) -> Output {
    trainer().args(args).output().unwrap()
}

/// Runs to the end; returns its error output where it failed.
pub fn run(args: &[impl AsRef<OsStr>]) -> Result<(), String> {
    let done = answer(args);
    if done.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&done.stderr).into_owned()) }
}

/// A folder of files for one test, as paths in text.
pub struct Place(tempfile::TempDir);

impl Place {
    pub fn new() -> Self {
        Place(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().into()
    }

    pub fn write(&self, name: &str, text: &str) -> String {
        std::fs::write(self.path(name), text).unwrap();
        self.text(name)
    }
}
