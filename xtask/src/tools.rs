//! Programs from crates.io that the checks use: a fixed version of each, in `target/tools`.

use crate::Result;
use crate::cargo::{cargo, finish, root, target};
use crate::output::note;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Finds dependencies that no source file uses, those of tests and of the workspace's own list included.
///
/// A new version may need a newer compiler than the workspace does: 1.14 does.
const SHEAR: Tool = Tool { name: "cargo-shear", version: "1.11.0" };

/// A program on crates.io.
struct Tool {
    name: &'static str,
    version: &'static str,
}

/// Checks that every dependency in a manifest is used.
///
/// # Errors
/// When one is not, or the tool cannot be installed.
pub(crate) fn unused_dependencies() -> Result<()> {
    let mut command = Command::new(SHEAR.installed()?);
    command.current_dir(root()).arg("--locked");
    finish(command, SHEAR.name)
}

impl Tool {
    /// Path of the program; installs it unless this version is present.
    fn installed(&self) -> Result<PathBuf> {
        let Self { name, version } = self;
        let folder = target().join("tools");
        let program = folder.join("bin").join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
        if !self.is_in(&folder) {
            note(&format!("Installing {name} {version} into {}", folder.display()));
            let mut install =
                cargo(&["install", "--quiet", "--locked", "--force", name, "--version", version]);
            install.arg("--root").arg(&folder);
            finish(install, &format!("Installing {name}"))?;
        }
        Ok(program)
    }

    /// Asks cargo, since not every program knows its own version.
    fn is_in(&self, folder: &Path) -> bool {
        let list = cargo(&["install", "--list", "--root"]).arg(folder).output();
        let wanted = format!("{} v{}:", self.name, self.version);
        list.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).lines().any(|line| line == wanted))
    }
}
