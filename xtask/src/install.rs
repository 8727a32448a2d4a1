//! `cargo xtask install`: copies the plugin into the user's own plugin folders.

use crate::Result;
use crate::bundle::{build_and_lay_out, built_program, put};
use crate::output::note;
use std::path::PathBuf;

pub(crate) const HELP: &str = "\
Usage: cargo xtask install

Builds the plugin and copies it into your own plugin folders, and the command line, which the plugin starts to
fetch models, into your folder for programs:
  Linux    ~/.clap, ~/.vst3 and ~/.local/bin
  macOS    ~/Library/Audio/Plug-Ins/CLAP, ~/Library/Audio/Plug-Ins/VST3 and ~/.local/bin
  Windows  %LOCALAPPDATA%\\Programs\\Common\\CLAP, ...\\Common\\VST3 and ...\\Common

Then let your host scan for plugins again.

Example:
  cargo xtask install
";

pub(crate) fn run(args: &[String]) -> Result<()> {
    if let Some(arg) = args.first() {
        return Err(format!("install takes no option, but was given '{arg}'."));
    }
    let folders = folders()?;
    let [clap, vst3] = build_and_lay_out()?;
    for (file, folder) in [clap, vst3, built_program(false)].into_iter().zip(folders) {
        let to = folder.join(file.file_name().unwrap_or_default());
        put(&file, &to)?;
        note(&format!("Installed {}", to.display()));
    }
    Ok(())
}

/// The user's folders for CLAP, VST3 and programs. The plugin looks for its program in the last one and in those above its own.
fn folders() -> Result<[PathBuf; 3]> {
    let (variable, below) = match std::env::consts::OS {
        "macos" => ("HOME", ["Library/Audio/Plug-Ins/CLAP", "Library/Audio/Plug-Ins/VST3", ".local/bin"]),
        "windows" => ("LOCALAPPDATA", ["Programs/Common/CLAP", "Programs/Common/VST3", "Programs/Common"]),
        _ => ("HOME", [".clap", ".vst3", ".local/bin"]),
    };
    let base = std::env::var_os(variable)
        .filter(|value| !value.is_empty())
        .ok_or_else(|| format!("the variable {variable} is not set, so your plugin folders are unknown."))?;
    Ok(below.map(|folder| PathBuf::from(&base).join(folder)))
}
