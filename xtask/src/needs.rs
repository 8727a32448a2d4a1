//! What the tests need besides cargo: system packages and a Python environment.

use crate::Result;
use crate::cargo::{finish, root, succeeds, target};
use crate::output::note;
use std::path::PathBuf;
use std::process::Command;

/// A Debian package, what it is for, and a command that shows that it is installed.
struct Package {
    name: &'static str,
    purpose: &'static str,
    /// A command for the shell: it prints something if the package is installed.
    check: &'static str,
}

const fn package(name: &'static str, purpose: &'static str, check: &'static str) -> Package {
    Package { name, purpose, check }
}

/// What the tests use on a Debian-like system.
const PACKAGES: [Package; 14] = [
    package("ffmpeg", "codecs of the audio tests", "command -v ffmpeg"),
    package("xvfb", "a screen for the plugin's window", "command -v Xvfb"),
    package("openbox", "a window manager on it", "command -v openbox"),
    package("xsettingsd", "desktop settings that the VST3 host asks for", "command -v xsettingsd"),
    package("chromium", "a browser for the page of a study and for the web page", "command -v chromium"),
    package("libx11-xcb1", "windows", "ldconfig -p | grep -q libX11-xcb.so.1"),
    package("libxcursor1", "windows", "ldconfig -p | grep -q libXcursor.so.1"),
    package("libxinerama1", "windows", "ldconfig -p | grep -q libXinerama.so.1"),
    package("libxrandr2", "windows", "ldconfig -p | grep -q libXrandr.so.2"),
    package("libgl1", "OpenGL in the plugin's window", "ldconfig -p | grep -q libGL.so.1"),
    package("libegl1", "OpenGL without a screen", "ldconfig -p | grep -q libEGL.so.1"),
    package(
        "libgl1-mesa-dri",
        "OpenGL in software",
        "ls /usr/lib/*/dri/swrast_dri.so /usr/lib/*/libgallium-*.so",
    ),
    package(
        "mesa-vulkan-drivers",
        "Vulkan in software, for the panel's pictures",
        "ls /usr/share/vulkan/icd.d/lvp*",
    ),
    package("python3-venv", "an environment for the VST3 host", "python3 -c 'import venv, ensurepip'"),
];

/// Installs both. What cannot be installed is reported, and the tests that need it fail.
pub(crate) fn install() {
    system_packages();
    if let Err(message) = python_packages() {
        note(&format!("The tests of the VST3 will fail. {message}"));
    }
}

/// The Python environment that holds the VST3 host.
fn python_environment() -> PathBuf {
    target().join("python")
}

/// Installs the system packages as root on Debian; elsewhere on Linux it names the ones that are missing.
fn system_packages() {
    if !cfg!(target_os = "linux") {
        return;
    }
    let missing: Vec<&Package> = PACKAGES
        .iter()
        .filter(|package| {
            // `ls` fails if one of its files is missing, but one of them is enough: so look at what it prints.
            let check = format!(
                "PATH=$PATH:/usr/sbin:/sbin; test -n \"$({} 2>/dev/null && echo yes)\"",
                package.check
            );
            !succeeds(Command::new("sh").args(["-c", &check]))
        })
        .collect();
    if missing.is_empty() {
        return;
    }
    let names: Vec<&str> = missing.iter().map(|package| package.name).collect();
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.starts_with(b"0"));
    if is_root && succeeds(Command::new("apt-get").arg("--version")) {
        note(&format!("Installing {}", names.join(", ")));
        let apt = |args: &[&str]| {
            let mut command = Command::new("apt-get");
            command.env("DEBIAN_FRONTEND", "noninteractive").args(args);
            finish(command, &format!("apt-get {}", args[0]))
        };
        let install = [&["install", "--yes", "--no-install-recommends"], names.as_slice()].concat();
        match apt(&["update", "--quiet"]).and_then(|()| apt(&install)) {
            Ok(()) => return,
            Err(message) => note(&message),
        }
    }
    note("Missing, so some tests will fail:");
    for package in missing {
        note(&format!("  {} ({})", package.name, package.purpose));
    }
    note(&format!("On Debian or Ubuntu: sudo apt-get install {}", names.join(" ")));
}

/// Makes the Python environment with the VST3 host, once per version of its list of packages.
///
/// # Errors
/// When Python is missing or a package cannot be installed.
fn python_packages() -> Result<()> {
    let list = root().join("tests/vst3/requirements.txt");
    let wanted = std::fs::read_to_string(&list).map_err(|error| format!("{}: {error}.", list.display()))?;
    let environment = python_environment();
    let done = environment.join("installed.txt");
    if std::fs::read_to_string(&done).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    let mut venv = Command::new("python3");
    venv.args(["-m", "venv"]).arg(&environment);
    finish(venv, "Making a Python environment")?;
    let mut pip =
        Command::new(environment.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" }));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]).arg(&list);
    finish(pip, "Installing the VST3 host")?;
    std::fs::write(&done, wanted).map_err(|error| format!("{} cannot be written: {error}.", done.display()))
}
