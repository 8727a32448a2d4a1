//! `cargo xtask dist`: what a release offers for the platform that it runs on.

mod archive;
mod deb;
mod licences;
pub(crate) mod space;

use crate::Result;
use crate::bundle::{NAME, build_and_lay_out, light};
use crate::cargo::{root, target};
use crate::output::note;
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) const HELP: &str = "\
Usage: cargo xtask dist [--out DIR] [--bundles DIR --program FILE] [--zip]

Builds a release for this platform: an archive with the plugin, the command line, licences and an installer, on Debian
also a package, and SHA256SUMS. Times in them are SOURCE_DATE_EPOCH, or else the time of the last commit, so that the
same build gives the same archives.

  --out DIR       The folder to write to (default: target/dist)
  --bundles DIR   Takes MixingBuddy.clap and MixingBuddy.vst3 from there instead of building them
  --program FILE  Takes this as the command line instead of building it
  --zip           Makes a .zip, as on Windows, in place of a .tar.gz

Examples:
  cargo xtask dist
  SOURCE_DATE_EPOCH=1764115200 cargo xtask dist --out /tmp/dist
";

/// A file of a release.
pub(crate) struct Entry {
    /// Its path in the archive, with `/`.
    path: String,
    content: Content,
    is_executable: bool,
}

enum Content {
    File(PathBuf),
    Text(String),
}

impl Entry {
    fn text(path: &str, text: String) -> Self {
        Entry { path: path.to_string(), content: Content::Text(text), is_executable: false }
    }

    fn bytes(&self) -> Result<Vec<u8>> {
        match &self.content {
            Content::Text(text) => Ok(text.clone().into_bytes()),
            Content::File(path) => {
                fs::read(path).map_err(|error| format!("{} cannot be read: {error}.", path.display()))
            }
        }
    }

    fn mode(&self) -> u32 {
        if self.is_executable { 0o755 } else { 0o644 }
    }
}

pub(crate) fn run(args: &[String]) -> Result<()> {
    let (mut out, mut bundles, mut program, mut is_zip) = (target().join("dist"), None, None, cfg!(windows));
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let mut value = || args.next().map(PathBuf::from).ok_or(format!("{arg} needs a path."));
        match arg.as_str() {
            "--out" => out = value()?,
            "--bundles" => bundles = Some(value()?),
            "--program" => program = Some(value()?),
            "--zip" => is_zip = true,
            other => return Err(format!("dist has no option '{other}'.")),
        }
    }
    let epoch_s = epoch_s()?;
    fs::create_dir_all(&out).map_err(|error| format!("{} cannot be made: {error}.", out.display()))?;
    let (bundles, program) = match (bundles, program) {
        (Some(bundles), Some(program)) => {
            ([".clap", ".vst3"].map(|ending| bundles.join(format!("{NAME}{ending}"))), program)
        }
        (None, None) => {
            let bundles = build_and_lay_out()?;
            let built =
                target().join("release").join(format!("mixing-buddy{}", std::env::consts::EXE_SUFFIX));
            let program = out.join(format!(".mixing-buddy-{}", std::process::id()));
            light(&built, &program)?;
            (bundles, program)
        }
        _ => return Err("--bundles and --program belong together.".into()),
    };
    let is_ours = program.starts_with(&out);
    let made = make(&bundles, &program, &out, epoch_s, is_zip);
    if is_ours {
        // What went wrong before is more important.
        let _ = fs::remove_file(&program);
    }
    for path in made? {
        note(&path.display().to_string());
    }
    Ok(())
}

/// Makes archive, package and checksums; returns their paths.
fn make(
    bundles: &[PathBuf; 2],
    program: &Path,
    out: &Path,
    epoch_s: u64,
    is_zip: bool,
) -> Result<Vec<PathBuf>> {
    let version = env!("CARGO_PKG_VERSION");
    let (arch, os) = (std::env::consts::ARCH, std::env::consts::OS);
    let name = format!("mixing-buddy-{version}-{arch}-{os}");
    let plugin = plugin(bundles)?;
    let program = Entry {
        path: format!("mixing-buddy{}", std::env::consts::EXE_SUFFIX),
        content: Content::File(program.to_path_buf()),
        is_executable: true,
    };
    let licences = licences::entries()?;
    let mut made = Vec::new();

    let (script, script_text, remove) = if os == "windows" {
        ("install.ps1", include_str!("../../dist/install.ps1"), "-Remove")
    } else {
        ("install.sh", include_str!("../../dist/install.sh"), "--remove")
    };
    let shell = if os == "windows" { "powershell -ExecutionPolicy Bypass -File" } else { "sh" };
    let untested = "\nNobody has run this version on this system yet. Tell us how it goes.";
    let guide = include_str!("../../dist/INSTALL.txt")
        .replace("{version}", version)
        .replace("{platform}", &format!("{os} ({arch})"))
        .replace("{install}", &format!("{shell} {script}"))
        .replace("{remove}", &format!("{shell} {script} {remove}"))
        .replace("{note}", if os == "linux" { "" } else { untested });
    let mut guides = vec![Entry::text("INSTALL.txt", guide.trim_end().to_string() + "\n")];
    guides.push(Entry { is_executable: true, ..Entry::text(script, script_text.to_string()) });
    let mut all: Vec<&Entry> = plugin.iter().chain([&program]).chain(&licences).chain(&guides).collect();
    all.sort_by(|a, b| a.path.cmp(&b.path));
    let archive = out.join(format!("{name}{}", if is_zip { ".zip" } else { ".tar.gz" }));
    if is_zip {
        archive::zip(&all, &name, epoch_s, &archive)?;
    } else {
        archive::tar_gz(&all, &name, epoch_s, &archive)?;
    }
    made.push(archive);

    if os == "linux" {
        match deb::make(&plugin, &program, &licences, out, epoch_s)? {
            Some(package) => made.push(package),
            None => note("The program 'dpkg-deb' is missing, so there is no .deb."),
        }
    }
    made.push(checksums(&made, out)?);
    Ok(made)
}

/// The files of both bundles.
fn plugin(bundles: &[PathBuf; 2]) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for bundle in bundles {
        let name = bundle.file_name().unwrap_or_default().to_string_lossy().into_owned();
        collect(bundle, &name, &mut entries)?;
    }
    Ok(entries)
}

fn collect(from: &Path, path: &str, entries: &mut Vec<Entry>) -> Result<()> {
    let failed = |error: std::io::Error| format!("{} cannot be read: {error}.", from.display());
    if !fs::metadata(from).map_err(failed)?.is_dir() {
        // Libraries of plugins need no permission to be executed, as those of Debian's packages do not.
        let content = Content::File(from.to_path_buf());
        entries.push(Entry { path: path.to_string(), content, is_executable: false });
        return Ok(());
    }
    for entry in fs::read_dir(from).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        collect(&entry.path(), &format!("{path}/{}", entry.file_name().to_string_lossy()), entries)?;
    }
    Ok(())
}

/// Seconds since 1970 that all files have: `SOURCE_DATE_EPOCH`, or else the last commit's.
fn epoch_s() -> Result<u64> {
    let parse = |text: &str| text.trim().parse::<u64>().ok();
    if let Ok(text) = std::env::var("SOURCE_DATE_EPOCH") {
        return parse(&text).ok_or(format!("SOURCE_DATE_EPOCH is no number of seconds: '{text}'."));
    }
    let git = Command::new("git").current_dir(root()).args(["log", "-1", "--format=%ct"]).output();
    git.ok()
        .and_then(|output| parse(&String::from_utf8_lossy(&output.stdout)))
        .ok_or("the time of the last commit is unknown; set SOURCE_DATE_EPOCH.".into())
}

/// `SHA256SUMS`, as `sha256sum --check` reads it.
fn checksums(files: &[PathBuf], out: &Path) -> Result<PathBuf> {
    let mut lines = String::new();
    for path in files {
        let bytes = fs::read(path).map_err(|error| format!("{} cannot be read: {error}.", path.display()))?;
        let hash: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        lines += &format!("{hash}  {}\n", path.file_name().unwrap_or_default().to_string_lossy());
    }
    let path = out.join("SHA256SUMS");
    archive::replace(&path, lines.as_bytes())?;
    Ok(path)
}
