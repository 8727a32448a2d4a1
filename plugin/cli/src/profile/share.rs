//! `profile export`, `import` and `remove`.

use super::{find, read};
use anyhow::{Context, Result};
use clap::Args;
use mixing_buddy_core::output::{note, print_line};
use mixing_buddy_core::profile::{Archive, Group, Library, Part, SongId};
use serde_json::json;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Options of `profile export`.
#[derive(Args)]
#[command(after_help = "Examples:\n  mixing-buddy profile export --output all.json\n  \
    mixing-buddy profile export \"my pop records\" --output pop.json\n  \
    mixing-buddy profile export song.flac | ssh studio mixing-buddy profile import -")]
pub struct ExportArgs {
    /// Songs and groups; everything if none is given
    names: Vec<String>,
    /// The file; standard output if none is given
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Options of `profile import`.
#[derive(Args)]
#[command(after_help = "Examples:\n  mixing-buddy profile import pop.json\n  \
    cat pop.json | mixing-buddy profile import -")]
pub struct ImportArgs {
    /// A file of `profile export`, `-` for standard input
    file: PathBuf,
}

/// Options of `profile remove`.
#[derive(Args)]
#[command(after_help = "Examples:\n  mixing-buddy profile remove \"my pop records\"\n  \
    mixing-buddy profile remove song.flac")]
pub struct RemoveArgs {
    /// A song or a group; the whole name, or the start of the song's identifier
    name: String,
}

/// Writes songs and groups to a file.
///
/// # Errors
/// When the library cannot be read, a name is not found, or the file cannot be written.
pub(super) fn export(library: &Library, args: &ExportArgs) -> Result<()> {
    let listing = read(library)?;
    let (mut songs, mut groups): (Vec<SongId>, Vec<Group>) = Default::default();
    if args.names.is_empty() {
        songs = listing.songs.iter().map(|song| song.id.clone()).collect();
        groups.clone_from(&listing.groups);
    }
    for name in &args.names {
        match find(&listing, name)? {
            Part::Song(id) => songs.push(id),
            Part::Group(name) => groups.extend(listing.group(&name).cloned()),
        }
    }
    let archive = library.export(&songs, &groups)?;
    let text = serde_json::to_string_pretty(&archive)?;
    match &args.output {
        None => print_line(&text)?,
        Some(path) => {
            replace(path, text.as_bytes())
                .with_context(|| format!("{} cannot be written", path.display()))?;
            note(&format!(
                "{}: {} songs, {} groups",
                path.display(),
                archive.songs.len(),
                archive.groups.len()
            ));
        }
    }
    Ok(())
}

/// Writes to a temporary file next to `path` and renames it.
fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Adds the songs and groups of a file.
///
/// # Errors
/// When the file cannot be read or is not one of `profile export`, or the library cannot be written.
pub(super) fn import(library: &Library, args: &ImportArgs, json: bool) -> Result<()> {
    let name = args.file.display();
    let text = if args.file == Path::new("-") {
        std::io::read_to_string(std::io::stdin()).context("standard input cannot be read")?
    } else {
        std::fs::read_to_string(&args.file).with_context(|| format!("{name} cannot be read"))?
    };
    let archive: Archive =
        serde_json::from_str(&text).with_context(|| format!("{name} is not a file of `profile export`"))?;
    let imported = library.import(&archive).with_context(|| name.to_string())?;
    if json {
        let value = json!({ "songs": imported.songs, "known": imported.known, "groups": imported.groups });
        print_line(&value.to_string())?;
    } else {
        let known = match imported.known {
            0 => String::new(),
            known => format!(" ({known} were in the library already)"),
        };
        print_line(&format!("Added: {} songs{known}, {} groups", imported.songs, imported.groups))?;
    }
    Ok(())
}

/// Removes a song or a group.
///
/// # Errors
/// When the name is not found, or the file cannot be removed.
pub(super) fn remove(library: &Library, args: &RemoveArgs) -> Result<()> {
    let listing = read(library)?;
    match find(&listing, &args.name)? {
        Part::Song(id) => library.remove_song(&id)?,
        Part::Group(name) => library.remove_group(&name)?,
    }
    note(&format!("Removed: {}", args.name));
    Ok(())
}
