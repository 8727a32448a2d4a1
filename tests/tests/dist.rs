//! A release: the same build gives the same archives, and what is in them can be installed, used and removed.
#![cfg(target_os = "linux")]

use anyhow::{Context, Result, ensure};
use mixing_buddy_tests::host::Library;
use mixing_buddy_tests::{bundle, prerequisite};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The time that all files get.
const EPOCH_S: &str = "1764115200";

/// The command line, which cargo builds with the tests of its crate; none if it has not been built.
fn program() -> Option<PathBuf> {
    let program = Path::new(env!("CARGO_BIN_EXE_mixing-buddy-listen")).with_file_name("mixing-buddy");
    if !program.exists() {
        prerequisite::missing("the program mixing-buddy; the tests of the whole workspace build it");
        return None;
    }
    Some(program)
}

/// A copy without line tables, as a release has it: they are three quarters of the file, and packing them takes minutes.
fn light(program: &Path, folder: &Path) -> Result<PathBuf> {
    let copy = folder.join("mixing-buddy");
    std::fs::copy(program, &copy)?;
    let stripped = Command::new("strip").arg("--strip-debug").arg(&copy).status();
    ensure!(stripped.is_ok_and(|status| status.success()), "the program 'strip' comes with the C compiler");
    Ok(copy)
}

fn dist(program: &Path, out: &Path, more: &[&str]) -> Result<()> {
    let clap = bundle::clap();
    let bundles = clap.parent().context("the bundle lies in a folder")?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .current_dir(bundle::workspace())
        .env("SOURCE_DATE_EPOCH", EPOCH_S)
        .args(["run", "--quiet", "--package", "xtask", "--", "dist", "--bundles"])
        .arg(bundles)
        .arg("--program")
        .arg(program)
        .arg("--out")
        .arg(out)
        .args(more);
    succeeded(command.output()?).map(|_| ())
}

fn succeeded(output: Output) -> Result<String> {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    ensure!(output.status.success(), "{}\n{}{}", output.status, text(&output.stdout), text(&output.stderr));
    Ok(text(&output.stdout))
}

fn run(program: &str, args: &[&str], folder: &Path) -> Result<String> {
    succeeded(Command::new(program).args(args).current_dir(folder).output()?)
}

/// Paths of all files below a folder.
fn files(folder: &Path) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(folder)?.to_string_lossy().into_owned());
            }
        }
    }
    Ok(found)
}

/// The file in a folder whose name ends so.
fn ending(folder: &Path, end: &str) -> Result<PathBuf> {
    let mut entries = std::fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.path()));
    entries.find(|path| path.to_string_lossy().ends_with(end)).with_context(|| format!("there is no {end}"))
}

#[test]
fn a_release_is_reproducible_and_can_be_installed_used_and_removed() -> Result<()> {
    let Some(program) = program() else { return Ok(()) };
    let dir = tempfile::tempdir()?;
    let program = light(&program, dir.path())?;
    let (first, second) = (dir.path().join("first"), dir.path().join("second"));
    dist(&program, &first, &[])?;
    dist(&program, &second, &[])?;
    let sums = std::fs::read_to_string(first.join("SHA256SUMS"))?;
    assert_eq!(
        sums,
        std::fs::read_to_string(second.join("SHA256SUMS"))?,
        "the same build, the same archives"
    );
    run("sha256sum", &["--check", "--strict", "SHA256SUMS"], &first)?;
    let names: Vec<&str> = sums.lines().filter_map(|line| line.split_whitespace().nth(1)).collect();
    let hidden = |path: &&String| !path.starts_with('.');
    let written = files(&first)?;
    assert_eq!(written.iter().filter(hidden).count(), names.len() + 1, "nothing else is left: {written:?}");

    archive(&first, dir.path())?;
    if names.iter().any(|name| name.ends_with(".deb")) {
        package(&ending(&first, ".deb")?, dir.path())?;
    } else {
        prerequisite::missing("dpkg-deb");
    }
    Ok(())
}

/// The archive: unpacked, installed into a home, used, removed.
fn archive(dist: &Path, dir: &Path) -> Result<()> {
    let archive = ending(dist, ".tar.gz")?;
    run("tar", &["xzf", &archive.to_string_lossy()], dir)?;
    let name = archive.file_name().context("it has a name")?.to_string_lossy().replace(".tar.gz", "");
    let unpacked = dir.join(name);
    let content = files(&unpacked)?;
    for path in [
        "MixingBuddy.clap",
        "mixing-buddy",
        "install.sh",
        "INSTALL.txt",
        "licences/NOTICE",
        "licences/LICENSE-MIT",
        "licences/fonts-OFL.txt",
        "licences/separator-LICENSE",
        "licences/LIBRARIES.txt",
    ] {
        assert!(content.contains(path), "{path} in {content:?}");
    }
    assert!(content.iter().any(|path| path.starts_with("MixingBuddy.vst3/Contents/")), "{content:?}");
    let libraries = std::fs::read_to_string(unpacked.join("licences/LIBRARIES.txt"))?;
    for said in ["candle-core 0.11.1: ", "nice-plug 0.4.2: ISC", "ebur128", "Permission is hereby granted"] {
        assert!(libraries.contains(said), "{said} in the licences of libraries");
    }
    for ours in ["mixing-buddy-core ", "criterion ", "egui_kittest "] {
        assert!(!libraries.contains(&format!("\n{ours}")), "{ours} does not ship, or is ours");
    }

    let home = dir.join("home");
    std::fs::create_dir(&home)?;
    let install = |args: &[&str]| {
        let mut command = Command::new("sh");
        command.arg(unpacked.join("install.sh")).args(args).env("HOME", &home).env_remove("XDG_DATA_HOME");
        succeeded(command.output()?)
    };
    install(&[])?;
    // Again, as for an update.
    install(&[])?;
    let installed = files(&home)?;
    assert!(installed.contains(".clap/MixingBuddy.clap") && installed.contains(".local/bin/mixing-buddy"));
    assert!(
        installed.iter().any(|path| path.starts_with(".vst3/MixingBuddy.vst3/Contents/")),
        "{installed:?}"
    );
    let library = Library::load(&home.join(".clap/MixingBuddy.clap"))?;
    library.create()?.activate(48_000.0, 512)?;
    drop(library);
    let program = home.join(".local/bin/mixing-buddy");
    let version = run(&program.to_string_lossy(), &["--version"], dir)?;
    assert_eq!(version.trim(), format!("mixing-buddy {}", env!("CARGO_PKG_VERSION")));
    std::fs::create_dir_all(home.join(".local/share/mixing-buddy/references"))?;
    std::fs::write(home.join(".local/share/mixing-buddy/references/mine.json"), "{}")?;
    install(&["--remove"])?;
    assert_eq!(files(&home)?, BTreeSet::from([".local/share/mixing-buddy/references/mine.json".to_string()]));
    assert!(install(&["--nonsense"]).is_err());
    Ok(())
}

/// The Debian package: installed into a system of its own, and removed.
fn package(package: &Path, dir: &Path) -> Result<()> {
    let field = |name: &str| run("dpkg-deb", &["--field", &package.to_string_lossy(), name], dir);
    assert_eq!(field("Package")?.trim(), "mixing-buddy");
    assert_eq!(field("Version")?.trim(), env!("CARGO_PKG_VERSION"));
    let depends = field("Depends")?;
    assert!(depends.starts_with("libc6 (>= 2."), "{depends}");

    let root = dir.join("system");
    for folder in ["info", "updates", "triggers"] {
        std::fs::create_dir_all(root.join("var/lib/dpkg").join(folder))?;
    }
    std::fs::write(root.join("var/lib/dpkg/status"), "")?;
    let root_option = format!("--root={}", root.display());
    let dpkg = |args: &[&str]| {
        // What it depends on is not in this system; without a shell there is nothing that it could run either.
        let mut command = Command::new("dpkg");
        command
            .args([root_option.as_str(), "--force-depends", "--force-not-root", "--no-triggers"])
            .args(args);
        succeeded(command.output()?)
    };
    if succeeded(Command::new("id").arg("-u").output()?)?.trim() != "0" {
        eprintln!("skipped: only root can install a package");
        return Ok(());
    }
    dpkg(&["--install", &package.to_string_lossy()])?;
    let installed = files(&root.join("usr"))?;
    for path in [
        "lib/clap/MixingBuddy.clap",
        "bin/mixing-buddy",
        "share/doc/mixing-buddy/copyright",
        "share/doc/mixing-buddy/licences/NOTICE",
    ] {
        assert!(installed.contains(path), "{path} in {installed:?}");
    }
    let vst3 = "lib/vst3/MixingBuddy.vst3/Contents/";
    assert!(installed.iter().any(|path| path.starts_with(vst3)), "{installed:?}");
    assert!(dpkg(&["--status", "mixing-buddy"])?.contains("Status: install ok installed"));
    dependencies(&root.join("usr/lib/clap/MixingBuddy.clap"), &depends)?;
    Library::load(&root.join("usr/lib/clap/MixingBuddy.clap"))?.create()?;
    dpkg(&["--purge", "mixing-buddy"])?;
    assert_eq!(files(&root.join("usr")).unwrap_or_default(), BTreeSet::new(), "nothing is left");
    Ok(())
}

/// Every library that the plugin names comes from a package that it depends on.
fn dependencies(library: &Path, depends: &str) -> Result<()> {
    const PACKAGES: [(&str, &str); 12] = [
        ("libc.so", "libc6"),
        ("libm.so", "libc6"),
        ("libdl.so", "libc6"),
        ("libpthread.so", "libc6"),
        ("ld-linux", "libc6"),
        ("libgcc_s.so", "libgcc-s1"),
        ("libGL.so", "libgl1"),
        ("libX11.so", "libx11-6"),
        ("libX11-xcb.so", "libx11-xcb1"),
        ("libxcb.so", "libxcb1"),
        ("libXcursor.so", "libxcursor1"),
        ("libstdc++.so", "libstdc++6"),
    ];
    let Ok(output) = Command::new("readelf").arg("--dynamic").arg(library).output() else {
        prerequisite::missing("readelf");
        return Ok(());
    };
    for line in succeeded(output)?.lines().filter(|line| line.contains("(NEEDED)")) {
        let name = line.split(['[', ']']).nth(1).context("readelf names the library in brackets")?;
        let package = PACKAGES.iter().find(|(beginning, _)| name.starts_with(beginning));
        let (_, package) = package.with_context(|| format!("{name} is of an unknown package"))?;
        assert!(
            depends.split(", ").any(|one| one.split(' ').next() == Some(*package)),
            "{package} in {depends}"
        );
    }
    Ok(())
}

#[test]
fn the_archive_for_windows_can_be_read() -> Result<()> {
    let Some(program) = program() else { return Ok(()) };
    let (dir, copy) = (tempfile::tempdir()?, tempfile::tempdir()?);
    dist(&light(&program, copy.path())?, dir.path(), &["--zip"])?;
    let archive = ending(dir.path(), ".zip")?;
    let script = "import sys, zipfile\nz = zipfile.ZipFile(sys.argv[1])\nassert z.testzip() is None\n\
                  print(z.infolist()[0].date_time)\nprint('\\n'.join(z.namelist()))";
    let said = run("python3", &["-c", script, &archive.to_string_lossy()], dir.path())?;
    assert!(said.starts_with("(2025, 11, 26, 0, 0, 0)"), "{said}");
    assert!(said.contains("/MixingBuddy.clap") && said.contains("/licences/NOTICE"), "{said}");
    Ok(())
}
