//! `cargo xtask space`: a folder for a Space on Hugging Face, which serves the web page.

use super::licences;
use super::{Entry, archive};
use crate::Result;
use crate::bundle::light;
use crate::cargo::{build_workspace, root, target};
use crate::output::note;
use std::fs;
use std::path::PathBuf;

pub(crate) const HELP: &str = "\
Usage: cargo xtask space [--out DIR] [--program FILE]

Writes a folder for a Space on Hugging Face (Docker): the command line as in a release for this platform, which must be
Linux, a Dockerfile that runs `mixing-buddy serve` on port 7860, licences, and a README with the Space's settings.

  --out DIR       The folder to write to (default: target/space)
  --program FILE  Takes this as the command line instead of building it

Examples:
  cargo xtask space
  cargo xtask space --out /tmp/space && hf upload OWNER/NAME /tmp/space --repo-type space
";

/// Stored as a large file: the hub takes no others of this size.
const ATTRIBUTES: &str = "mixing-buddy filter=lfs diff=lfs merge=lfs -text\n";

pub(crate) fn run(args: &[String]) -> Result<()> {
    let (mut out, mut program) = (target().join("space"), None);
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let mut value = || args.next().map(PathBuf::from).ok_or(format!("{arg} needs a path."));
        match arg.as_str() {
            "--out" => out = value()?,
            "--program" => program = Some(value()?),
            other => return Err(format!("space has no option '{other}'.")),
        }
    }
    if std::env::consts::OS != "linux" {
        return Err("a Space runs Linux: build it there.".into());
    }
    let program = match program {
        Some(program) => program,
        None => {
            build_workspace(false, &[])?;
            target().join("release/mixing-buddy")
        }
    };
    if !program.is_file() {
        return Err(format!("{} does not exist, so there is nothing to serve.", program.display()));
    }
    let is_ours = out.join("Dockerfile").exists();
    let is_empty = fs::read_dir(&out).map(|mut entries| entries.next().is_none()).unwrap_or(true);
    if !is_ours && !is_empty {
        return Err(format!("{} holds other files; choose another folder.", out.display()));
    }
    let from = |name: &str| {
        let path = root().join("assets/space").join(name);
        fs::read_to_string(&path).map_err(|error| format!("{} cannot be read: {error}.", path.display()))
    };
    let mut entries = vec![
        Entry::text("Dockerfile", from("Dockerfile")?),
        Entry::text("README.md", from("README.md")?.replace("{version}", env!("CARGO_PKG_VERSION"))),
        Entry::text(".gitattributes", ATTRIBUTES.to_string()),
    ];
    entries.extend(licences::entries()?);
    for entry in &entries {
        let path = out.join(&entry.path);
        let folder = path.parent().unwrap_or(&out);
        fs::create_dir_all(folder)
            .map_err(|error| format!("{} cannot be made: {error}.", folder.display()))?;
        archive::replace(&path, &entry.bytes()?)?;
    }
    light(&program, &out.join("mixing-buddy"))?;
    note(&out.display().to_string());
    Ok(())
}
