//! `cargo xtask install`: copies the plugin into the user's own plugin folders.

use crate::Result;
use crate::bundle::{build_and_lay_out, put};
use crate::output::note;
use std::path::PathBuf;

pub(crate) const HELP: &str = "\
Usage: cargo xtask install

Builds the plugin and copies it into your own plugin folders:
  Linux    ~/.clap and ~/.vst3
  macOS    ~/Library/Audio/Plug-Ins/CLAP and ~/Library/Audio/Plug-Ins/VST3
  Windows  %LOCALAPPDATA%\\Programs\\Common\\CLAP and %LOCALAPPDATA%\\Programs\\Common\\VST3

Then let your host scan for plugins again.

Example:
  cargo xtask install
";

pub(crate) fn run(args: &[String]) -> Result<()> {
    if let Some(arg) = args.first() {
        return Err(format!("install takes no option, but was given '{arg}'."));
    }
    let folders = folders()?;
    for (bundle, folder) in build_and_lay_out()?.into_iter().zip(folders) {
        let to = folder.join(bundle.file_name().unwrap_or_default());
        put(&bundle, &to)?;
        note(&format!("Installed {}", to.display()));
    }
    Ok(())
}

/// The user's folders for CLAP and VST3.
fn folders() -> Result<[PathBuf; 2]> {
    let (variable, below) = match std::env::consts::OS {
        "macos" => ("HOME", ["Library/Audio/Plug-Ins/CLAP", "Library/Audio/Plug-Ins/VST3"]),
        "windows" => ("LOCALAPPDATA", ["Programs/Common/CLAP", "Programs/Common/VST3"]),
        _ => ("HOME", [".clap", ".vst3"]),
    };
    let base = std::env::var_os(variable)
        .filter(|value| !value.is_empty())
        .ok_or_else(|| format!("the variable {variable} is not set, so your plugin folders are unknown."))?;
    Ok(below.map(|folder| PathBuf::from(&base).join(folder)))
}
