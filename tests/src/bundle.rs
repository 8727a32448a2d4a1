//! The plugin under test, laid out as users get it.
//!
//! The tests depend on the plugin's crate, so cargo builds its dynamic library before they run. `cargo xtask bundle
//! --library` lays out that file, so nothing is compiled twice.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Names another library to test than the one that cargo built with the tests.
const LIBRARY_VARIABLE: &str = "MIXING_BUDDY_TEST_LIBRARY";

static FOLDER: OnceLock<PathBuf> = OnceLock::new();

/// `MixingBuddy.clap`.
///
/// # Panics
/// When the bundle cannot be made.
pub fn clap() -> PathBuf {
    folder().join("MixingBuddy.clap")
}

/// `MixingBuddy.vst3`.
///
/// # Panics
/// When the bundle cannot be made.
pub fn vst3() -> PathBuf {
    folder().join("MixingBuddy.vst3")
}

/// The workspace's folder.
pub fn workspace() -> &'static Path {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests)
}

/// Cargo's target folder, in which this test program lies.
///
/// # Panics
/// When the path of this program is unknown.
pub fn target() -> PathBuf {
    let program = std::env::current_exe()
        .unwrap_or_else(|error| panic!("the path of this program is unknown: {error}"));
    // target/PROFILE/deps/PROGRAM
    program.ancestors().nth(3).map_or_else(|| workspace().join("target"), Path::to_path_buf)
}

fn folder() -> &'static Path {
    FOLDER.get_or_init(|| {
        let (library, folder) = match std::env::var_os(LIBRARY_VARIABLE) {
            Some(library) => {
                let library = PathBuf::from(library);
                let folder = library.with_file_name("bundled");
                (library, folder)
            }
            None => {
                let (prefix, suffix) = (std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
                let program = std::env::current_exe()
                    .unwrap_or_else(|error| panic!("the path of this program is unknown: {error}"));
                (
                    program.with_file_name(format!("{prefix}mixing_buddy{suffix}")),
                    target().join("bundled-for-tests"),
                )
            }
        };
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .current_dir(workspace())
            .args(["run", "--quiet", "--package", "xtask", "--", "bundle"])
            .arg("--library")
            .arg(&library)
            .arg("--out")
            .arg(&folder)
            .output()
            .unwrap_or_else(|error| panic!("cargo cannot be started: {error}"));
        assert!(
            output.status.success(),
            "the bundle cannot be laid out:\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        folder
    })
}
