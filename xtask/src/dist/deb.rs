//! A package for Debian and its relatives, made by `dpkg-deb`.

use super::{Entry, archive};
use crate::Result;
use crate::cargo::{finish, succeeds};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Packages that the plugin's libraries come from; a test compares them with what the library names.
const DEPENDS: &str = "libgcc-s1, libgl1, libx11-6, libx11-xcb1, libxcb1, libxcursor1";

/// Makes the package; none where `dpkg-deb` is missing.
pub(super) fn make(
    plugin: &[Entry],
    program: &Entry,
    licences: &[Entry],
    out: &Path,
    epoch_s: u64,
) -> Result<Option<PathBuf>> {
    if !succeeds(Command::new("dpkg-deb").arg("--version")) {
        return Ok(None);
    }
    let version = env!("CARGO_PKG_VERSION");
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => return Err(format!("Debian's name for {other} is unknown.")),
    };
    let tree = out.join(format!(".deb-{}", std::process::id()));
    let package = out.join(format!("mixing-buddy_{version}_{arch}.deb"));
    let made = lay_out(plugin, program, licences, &tree, version, arch).and_then(|()| {
        let new = out.join(format!(".new-{}.deb", std::process::id()));
        let mut command = Command::new("dpkg-deb");
        command
            .args(["--root-owner-group", "-Zxz", "--build"])
            .args([&tree, &new])
            .env("SOURCE_DATE_EPOCH", epoch_s.to_string())
            // It says on standard output what is said anyway.
            .stdout(std::process::Stdio::null());
        finish(command, "dpkg-deb")?;
        fs::rename(&new, &package)
            .map_err(|error| format!("{} cannot be written: {error}.", package.display()))
    });
    // What went wrong before is more important.
    let _ = fs::remove_dir_all(&tree);
    made.map(|()| Some(package))
}

/// Writes the tree of the package.
fn lay_out(
    plugin: &[Entry],
    program: &Entry,
    licences: &[Entry],
    tree: &Path,
    version: &str,
    arch: &str,
) -> Result<()> {
    let mut installed_bytes = 0;
    let mut glibc = None;
    let mut put = |entry: &Entry, path: String| -> Result<()> {
        let bytes = entry.bytes()?;
        installed_bytes += bytes.len();
        if path.starts_with("usr/bin/") || path.ends_with(".clap") {
            glibc = glibc.max(newest_glibc(&bytes));
        }
        write(&tree.join(path), &bytes, entry.mode())
    };
    for entry in plugin {
        let format = if entry.path.contains(".clap") { "clap" } else { "vst3" };
        put(entry, format!("usr/lib/{format}/{}", entry.path))?;
    }
    put(program, format!("usr/bin/{}", program.path))?;
    for entry in licences {
        put(entry, format!("usr/share/doc/mixing-buddy/{}", entry.path))?;
    }
    let copyright = "Code: MIT or Apache-2.0, at your choice. Weights: CC-BY-SA-4.0. See the folder licences beside this file.\n";
    put(&Entry::text("", copyright.to_string()), "usr/share/doc/mixing-buddy/copyright".to_string())?;
    let libc = glibc.map_or("libc6".to_string(), |(major, minor)| format!("libc6 (>= {major}.{minor})"));
    let control = format!(
        "Package: mixing-buddy\nVersion: {version}\nArchitecture: {arch}\nSection: sound\nPriority: optional\n\
         Maintainer: {authors}\nHomepage: {home}\nInstalled-Size: {size}\nDepends: {libc}, {DEPENDS}\n\
         Description: advice on the balance of a mix\n \
         An audio plugin (VST3 and CLAP) and a command line that say which stem of a mix is too loud or too\n \
         quiet, and by how many dB. It runs on the computer itself; nothing is sent anywhere.\n",
        authors = env!("CARGO_PKG_AUTHORS"),
        home = env!("CARGO_PKG_REPOSITORY"),
        size = installed_bytes.div_ceil(1024),
    );
    write(&tree.join("DEBIAN/control"), control.as_bytes(), 0o644)
}

/// The newest version of the C library that a program asks for, from the names of its symbols' versions.
fn newest_glibc(bytes: &[u8]) -> Option<(u32, u32)> {
    const MARK: &[u8] = b"GLIBC_2.";
    let versions =
        bytes.windows(MARK.len() + 3).filter(|window| window.starts_with(MARK)).filter_map(|window| {
            let digits = &window[MARK.len()..];
            let end = digits.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
            std::str::from_utf8(&digits[..end]).ok()?.parse().ok()
        });
    versions.max().map(|minor| (2, minor))
}

fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).map_err(|error| format!("{} cannot be made: {error}.", folder.display()))?;
    archive::replace(path, bytes)?;
    set_mode(path, mode).map_err(|error| format!("{} cannot be changed: {error}.", path.display()))?;
    // The folders' modes go into the package, whatever the user's mask is.
    folder.ancestors().take_while(|above| !above.ends_with("dist")).for_each(|above| {
        let _ = set_mode(above, 0o755);
    });
    Ok(())
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn set_mode(_path: &Path, _mode: u32) -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_of_the_c_library_counts() {
        let program = b"\0GLIBC_2.4\0GLIBC_2.17\0GLIBC_2.34\0GLIBC_PRIVATE\0GLIBC_2.9\0";
        assert_eq!(newest_glibc(program), Some((2, 34)));
        assert_eq!(newest_glibc(b"none"), None);
    }
}
