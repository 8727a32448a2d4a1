//! `cargo xtask bundle`: the plugin in the form that hosts load, VST3 and CLAP, laid out for this platform.

use crate::Result;
use crate::cargo::{build_workspace, target};
use crate::output::note;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) const HELP: &str = "\
Usage: cargo xtask bundle [--debug] [--library FILE] [--out DIR] [CARGO OPTIONS]

Builds the plugin with its weights and lays it out as MixingBuddy.clap and MixingBuddy.vst3.

  --debug         Makes a debug build
  --library FILE  Lays out this library instead of building one
  --out DIR       The folder to write to (default: target/bundled)

Other options go to `cargo build`, for example --features cuda.

Examples:
  cargo xtask bundle
  cargo xtask bundle --debug
  cargo xtask bundle --features cuda
";

/// The plugin's name in the names of folders and files.
pub(crate) const NAME: &str = "MixingBuddy";

/// Identifies the plugin on macOS: the CLAP id, from the file that the plugin reads too.
const IDENTIFIER: &str = include_str!("../../plugin/identifier.txt").trim_ascii();

pub(crate) fn run(args: &[String]) -> Result<()> {
    let (mut debug, mut library, mut out, mut extra) = (false, None, None, Vec::new());
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let mut value = || args.next().map(PathBuf::from).ok_or(format!("{arg} needs a path."));
        match arg.as_str() {
            "--debug" => debug = true,
            "--library" => library = Some(value()?),
            "--out" => out = Some(value()?),
            other => extra.push(other.to_string()),
        }
    }
    let out = out.unwrap_or_else(bundled);
    let library = match library {
        Some(library) => library,
        None => {
            build_workspace(debug, &extra)?;
            let program = built_program(debug);
            put(&program, &out.join(program.file_name().unwrap_or_default()))?;
            built_library(debug)
        }
    };
    for path in lay_out(&library, &out, debug)? {
        note(&path.display().to_string());
    }
    Ok(())
}

/// The folder for bundles.
pub(crate) fn bundled() -> PathBuf {
    target().join("bundled")
}

/// The library that cargo built.
pub(crate) fn built_library(debug: bool) -> PathBuf {
    let (prefix, suffix) = (std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    target().join(if debug { "debug" } else { "release" }).join(format!("{prefix}mixing_buddy{suffix}"))
}

/// The command line that cargo built. The plugin starts it to fetch models.
pub(crate) fn built_program(debug: bool) -> PathBuf {
    let name = format!("mixing-buddy{}", std::env::consts::EXE_SUFFIX);
    target().join(if debug { "debug" } else { "release" }).join(name)
}

/// Builds the release and lays it out; returns the CLAP and the VST3.
///
/// # Errors
/// When the build fails or the folder cannot be written.
pub(crate) fn build_and_lay_out() -> Result<[PathBuf; 2]> {
    build_workspace(false, &[])?;
    lay_out(&built_library(false), &bundled(), false)
}

/// Lays the library out in `folder`; returns the CLAP and the VST3.
///
/// # Errors
/// When the library is missing or the folder cannot be written.
fn lay_out(library: &Path, folder: &Path, debug: bool) -> Result<[PathBuf; 2]> {
    if !library.is_file() {
        return Err(format!("{} does not exist, so there is nothing to lay out.", library.display()));
    }
    if debug {
        return lay_out_as_is(library, folder);
    }
    let small = folder.join(format!(".{NAME}.light-{}", std::process::id()));
    let laid_out = light(library, &small).and_then(|()| lay_out_as_is(&small, folder));
    // Also after a failure, such as a full disk, which it would keep full.
    let removed = remove(&small);
    let laid_out = laid_out?;
    removed?;
    Ok(laid_out)
}

/// Copies a library or program without its line tables.
///
/// # Errors
/// When it cannot be read or written.
pub(crate) fn light(from: &Path, to: &Path) -> Result<()> {
    put(from, to)?;
    strip(to);
    Ok(())
}

/// Removes line tables: on Linux they are in the library itself and are three quarters of it. Function names stay, for
/// crash reports. Without the program `strip`, which comes with the C compiler, the library is only larger.
fn strip(library: &Path) {
    if !cfg!(target_os = "linux") {
        return;
    }
    match Command::new("strip").arg("--strip-debug").arg(library).output() {
        Ok(done) if done.status.success() => {}
        Ok(done) => note(&format!(
            "The plugin is larger than necessary, because 'strip' failed: {}",
            String::from_utf8_lossy(&done.stderr).trim()
        )),
        Err(_) => note("The program 'strip' is missing, so the plugin is larger than necessary."),
    }
}

fn lay_out_as_is(library: &Path, folder: &Path) -> Result<[PathBuf; 2]> {
    let version = env!("CARGO_PKG_VERSION");
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    let clap = folder.join(format!("{NAME}.clap"));
    let vst3 = folder.join(format!("{NAME}.vst3"));
    match os {
        // Both formats are what Apple calls a bundle: a folder with an Info.plist.
        "macos" => {
            for bundle in [&clap, &vst3] {
                let contents = bundle.join("Contents");
                put(library, &contents.join("MacOS").join(NAME))?;
                write(&contents.join("Info.plist"), &info_plist(version))?;
                write(&contents.join("PkgInfo"), "BNDL????")?;
            }
        }
        // Steinberg, "VST 3 Locations / Format": the folder is named by architecture and system.
        "windows" => {
            put(library, &clap)?;
            let folder = if arch == "aarch64" { "arm64-win" } else { "x86_64-win" };
            put(library, &vst3.join("Contents").join(folder).join(format!("{NAME}.vst3")))?;
        }
        "linux" | "freebsd" => {
            put(library, &clap)?;
            put(library, &vst3.join("Contents").join(format!("{arch}-linux")).join(format!("{NAME}.so")))?;
        }
        other => return Err(format!("the layout of plugins on {other} is unknown.")),
    }
    Ok([clap, vst3])
}

fn info_plist(version: &str) -> String {
    let entry = |key: &str, value: &str| format!("  <key>{key}</key><string>{value}</string>\n");
    [
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n\
         <plist version=\"1.0\"><dict>\n",
        &entry("CFBundleExecutable", NAME),
        &entry("CFBundleIdentifier", IDENTIFIER),
        &entry("CFBundleName", NAME),
        &entry("CFBundlePackageType", "BNDL"),
        &entry("CFBundleSignature", "????"),
        &entry("CFBundleShortVersionString", version),
        &entry("CFBundleVersion", version),
        "</dict></plist>\n",
    ]
    .concat()
}

/// Copies a file or a folder to `to`: first under another name in the same folder, then renamed, because a host may have
/// the old one open.
///
/// # Errors
/// When something cannot be read or written; the message names it.
pub(crate) fn put(from: &Path, to: &Path) -> Result<()> {
    let parent = to.parent().ok_or_else(|| format!("{} is not a path of a file.", to.display()))?;
    fs::create_dir_all(parent).map_err(|error| format!("{} cannot be made: {error}.", parent.display()))?;
    let name = to.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let new = parent.join(format!(".{name}.new-{}", std::process::id()));
    remove(&new)?;
    let copied = copy(from, &new).and_then(|()| {
        if to.is_dir() {
            remove(to)?;
        }
        fs::rename(&new, to).map_err(|error| format!("{} cannot be written: {error}.", to.display()))
    });
    if copied.is_err() {
        // The first error is the one to report.
        let _ = remove(&new);
    }
    copied
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    if !from.is_dir() {
        return fs::copy(from, to)
            .map(|_| ())
            .map_err(|error| format!("{} cannot be copied to {}: {error}.", from.display(), folder_of(to)));
    }
    fs::create_dir_all(to).map_err(|error| format!("{} cannot be made: {error}.", to.display()))?;
    let entries =
        fs::read_dir(from).map_err(|error| format!("{} cannot be read: {error}.", from.display()))?;
    for entry in entries.flatten() {
        copy(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}

/// For messages: the copy has a temporary name, so they name its folder.
fn folder_of(path: &Path) -> String {
    path.parent().unwrap_or(path).display().to_string()
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).map_err(|error| format!("{} cannot be written: {error}.", path.display()))
}

fn remove(path: &Path) -> Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(format!("{} cannot be removed: {error}.", path.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_info_plist_has_the_plugins_identifier_and_version() {
        let plist = info_plist("1.2.3");
        let entry = |key: &str, value: &str| format!("<key>{key}</key><string>{value}</string>");
        assert!(plist.contains(&entry("CFBundleIdentifier", "org.mixing-buddy.mixing-buddy")), "{plist}");
        assert!(plist.contains(&entry("CFBundleVersion", "1.2.3")), "{plist}");
    }
}
