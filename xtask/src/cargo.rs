//! Running cargo and other programs, and the folders of the workspace.

use crate::Result;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The workspace's folder.
pub(crate) fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_path_buf()
}

/// The folder that cargo builds into: `CARGO_TARGET_DIR` or `target`.
pub(crate) fn target() -> PathBuf {
    // Cargo takes a relative path as relative to its working folder, which here is the workspace's.
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |folder| root().join(folder))
}

/// Cargo in the workspace's folder.
pub(crate) fn cargo<S: AsRef<std::ffi::OsStr>>(args: &[S]) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(root()).args(args);
    command
}

/// Runs a program and waits for its end.
///
/// # Errors
/// When it cannot be started, or fails; `what` names its task in the message.
pub(crate) fn finish(mut command: Command, what: &str) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{what} failed ({status}).")),
        Err(error) => Err(format!("{what} failed: {program} cannot be started: {error}.")),
    }
}

/// Whether a program runs and succeeds. What it prints is dropped.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Builds the libraries and programs of the whole workspace.
///
/// Always the whole workspace: with `-p`, features unify differently and the model's libraries are compiled again.
///
/// # Errors
/// When the build fails.
pub(crate) fn build_workspace(debug: bool, extra: &[String]) -> Result<()> {
    let mut args = vec!["build".to_string(), "--workspace".into(), "--lib".into(), "--bins".into()];
    if !debug {
        args.push("--release".into());
    }
    args.extend_from_slice(extra);
    finish(cargo(&args), "The build")
}
