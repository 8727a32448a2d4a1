//! Programs from crates.io that the checks use: a fixed version each, in `target/tools`.

use crate::Result;
use crate::cargo::{cargo, finish, root, target};
use std::path::PathBuf;
use std::process::Command;

/// Finds dependencies that no source file names.
const MACHETE: (&str, &str) = ("cargo-machete", "0.9.2");

/// Checks that every dependency in a manifest is used.
///
/// # Errors
/// When one is not, or the tool cannot be installed.
pub(crate) fn unused_dependencies() -> Result<()> {
    let mut command = Command::new(tool(MACHETE)?);
    // Named folder by folder: `target` holds manifests of others.
    command.current_dir(root()).args(["plugin", "trainer", "tests", "xtask"]);
    finish(command, "cargo-machete")
}

/// The program of this name and version; installs it unless it is present.
fn tool((name, version): (&str, &str)) -> Result<PathBuf> {
    let folder = target().join("tools");
    let program = folder.join("bin").join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    let installed = Command::new(&program).arg("--version").output();
    if installed.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).trim().ends_with(version)) {
        return Ok(program);
    }
    eprintln!("Installing {name} {version} into {}", folder.display());
    let mut install = cargo(&["install", "--quiet", "--locked", "--force", name, "--version", version]);
    install.arg("--root").arg(&folder);
    finish(install, &format!("Installing {name}"))?;
    Ok(program)
}
