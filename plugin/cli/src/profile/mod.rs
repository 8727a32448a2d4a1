//! `profile`: the library of references, without a host.
//!
//! | module | what it does |
//! | --- | --- |
//! | [`make`] | measures songs and puts them into the library |
//! | [`show`] | lists songs and groups, shows levels |
//! | [`share`] | export, import, remove |

pub mod make;
pub mod share;
pub mod show;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use mixing_buddy_core::output::note;
use mixing_buddy_core::profile::{Choice, Library, Listing, Part, Target, choice};
use std::path::PathBuf;

/// Options of `profile`.
#[derive(Args)]
#[command(
    after_help = "The library is shared with the plugin. It holds numbers only, no sound.\n\nExamples:\n  \
    mixing-buddy profile make ~/Music/Favourites --group \"my pop records\"\n  \
    mixing-buddy profile list\n  \
    mixing-buddy profile show \"my pop records\"\n  \
    mixing-buddy profile export \"my pop records\" --output pop.json\n  \
    mixing-buddy profile import pop.json\n  \
    mixing-buddy advise mix.wav --profile \"my pop records\""
)]
pub struct ProfileArgs {
    #[command(subcommand)]
    command: ProfileCommand,
    /// A folder for the library; the user's own if none is given
    #[arg(long, global = true, value_name = "FOLDER")]
    library: Option<PathBuf>,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum ProfileCommand {
    /// Measures songs, or all songs of a folder, and keeps their balance
    Make(make::MakeArgs),
    /// Lists the songs and groups
    List,
    /// Shows the levels of a song or a group
    Show(show::ShowArgs),
    /// Writes songs and groups to one file, for another computer
    Export(share::ExportArgs),
    /// Adds the songs and groups of such a file
    Import(share::ImportArgs),
    /// Removes a song or a group; the songs of a group stay
    Remove(share::RemoveArgs),
}

/// Runs a command of the library.
///
/// # Errors
/// When the library cannot be read or written, or a name is not found.
pub fn run(args: &ProfileArgs) -> Result<()> {
    let library = open(args.library.as_deref())?;
    match &args.command {
        ProfileCommand::Make(make) => make::run(&library, make, args.json),
        ProfileCommand::List => show::list(&library, args.json),
        ProfileCommand::Show(show) => show::show(&library, show, args.json),
        ProfileCommand::Export(export) => share::export(&library, export),
        ProfileCommand::Import(import) => share::import(&library, import, args.json),
        ProfileCommand::Remove(remove) => share::remove(&library, remove),
    }
}

fn open(folder: Option<&std::path::Path>) -> Result<Library> {
    Ok(match folder {
        Some(folder) => Library::at(folder),
        None => Library::of_user()?,
    })
}

/// The library's content; files that cannot be used are told on standard error.
fn read(library: &Library) -> Result<Listing> {
    let listing = library.list()?;
    listing.problems.iter().for_each(|problem| note(&format!("Warning: {problem}")));
    Ok(listing)
}

/// The song or group of this name.
fn find(listing: &Listing, name: &str) -> Result<Part> {
    let mut found = choice::find(listing, name);
    match found.len() {
        0 => bail!(
            "the library has no song and no group '{name}'; `mixing-buddy profile list` shows what it has"
        ),
        1 => Ok(found.remove(0).0),
        several => {
            let names: Vec<String> = found.into_iter().take(5).map(|(_, name)| name).collect();
            bail!("'{name}' fits {several} songs or groups: {}; give more of the name", names.join(", "))
        }
    }
}

/// The target of `NAME` or `NAME=WEIGHT`, once or several times; for `advise --profile`.
///
/// # Errors
/// When the library cannot be read, a name is not found, or a weight is not a positive number.
pub fn target(names: &[String], folder: Option<&std::path::Path>) -> Result<Target> {
    let listing = read(&open(folder)?)?;
    let choices: Result<Vec<Choice>> = names.iter().map(|name| parse_choice(&listing, name)).collect();
    choice::target(&listing, &choices?).context("the library has none of the songs of this profile")
}

fn parse_choice(listing: &Listing, text: &str) -> Result<Choice> {
    // A name may contain an equals sign itself.
    if let Some((name, weight)) = text.rsplit_once('=')
        && let Ok(weight) = weight.trim().parse::<f32>()
    {
        if !(weight.is_finite() && weight > 0.0) {
            bail!("the weight in '{text}' must be a positive number");
        }
        return Ok(Choice { part: find(listing, name)?, weight });
    }
    Ok(Choice { part: find(listing, text)?, weight: 1.0 })
}
