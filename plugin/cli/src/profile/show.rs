//! `profile list` and `profile show`.

use super::{find, read};
use anyhow::{Context, Result};
use clap::Args;
use mixing_buddy_core::Stem;
use mixing_buddy_core::output::print_line;
use mixing_buddy_core::profile::{Choice, Library, Listing, Part, choice};
use serde_json::{Value, json};

/// Options of `profile show`.
#[derive(Args)]
#[command(after_help = "Examples:\n  mixing-buddy profile show \"my pop records\"\n  \
    mixing-buddy profile show song.flac --json")]
pub struct ShowArgs {
    /// A song or a group; a part of the name is enough if nothing else contains it
    name: String,
}

/// Lists groups and songs.
///
/// # Errors
/// When the library cannot be read or the output cannot be written.
pub(super) fn list(library: &Library, json: bool) -> Result<()> {
    let listing = read(library)?;
    if json {
        let value = json!({
            "folder": library.folder().display().to_string(),
            "groups": listing.groups.iter().map(|group| group_value(&listing, &group.name)).collect::<Vec<_>>(),
            "songs": listing.songs,
        });
        print_line(&value.to_string())?;
        return Ok(());
    }
    if listing.songs.is_empty() && listing.groups.is_empty() {
        print_line("The library is empty. `mixing-buddy profile make FILE…` measures songs.")?;
        return Ok(());
    }
    if !listing.groups.is_empty() {
        print_line("Groups")?;
    }
    for group in &listing.groups {
        let (known, all) = (listing.members(group).len(), group.members.len());
        let missing =
            if known < all { format!(" ({} not in the library)", all - known) } else { String::new() };
        print_line(&format!("  {}: {}{missing}", group.name, count(all, "song")))?;
    }
    if !listing.songs.is_empty() {
        print_line("Songs")?;
    }
    for song in &listing.songs {
        let windows = count(song.balance.windows, "window");
        print_line(&format!("  {}: {windows}, measured by {}", song.name, song.model))?;
    }
    Ok(())
}

/// Shows the levels of a song or a group.
///
/// # Errors
/// When the library cannot be read, the name is not found, or the output cannot be written.
pub(super) fn show(library: &Library, args: &ShowArgs, json: bool) -> Result<()> {
    let listing = read(library)?;
    let part = find(&listing, &args.name)?;
    let value = match &part {
        Part::Group(name) => group_value(&listing, name),
        Part::Song(id) => json!(library.song(id)?.context("the song was removed a moment ago")?),
    };
    if json {
        print_line(&value.to_string())?;
        return Ok(());
    }
    let target = choice::target(&listing, &[Choice { part: part.clone(), weight: 1.0 }])
        .context("the library has none of the songs of this group")?;
    match &part {
        Part::Group(name) => {
            let group = listing.group(name).context("the group was removed a moment ago")?;
            let (songs, windows) = (count(target.songs, "song"), count(target.windows, "window"));
            print_line(&format!("{}: {songs}, {windows}", group.name))?;
            for (song, weight) in listing.members(group) {
                let weight = if weight == 1.0 { String::new() } else { format!(" (weight {weight})") };
                print_line(&format!("  {}{weight}", song.name))?;
            }
        }
        Part::Song(id) => {
            let song = listing.song(id).context("the song was removed a moment ago")?;
            print_line(&format!(
                "{}: {}, measured by {}",
                song.name,
                count(target.windows, "window"),
                song.model
            ))?;
        }
    }
    print_line("Levels against the rest")?;
    for stem in Stem::ALL {
        let line = match (target.balance.level_db[stem], target.balance.spread_db[stem]) {
            (None, _) => "absent".to_string(),
            (Some(level), None) => format!("{level:+.1} dB"),
            (Some(level), Some(spread)) => format!("{level:+.1} dB, spread {spread:.1} dB"),
        };
        let lu = target.levels_lu[stem].map(|level| format!(" ({level:+.1} LU)")).unwrap_or_default();
        print_line(&format!("  {stem}: {line}{lu}"))?;
    }
    Ok(())
}

fn group_value(listing: &Listing, name: &str) -> Value {
    let Some(group) = listing.group(name) else { return Value::Null };
    json!({
        "name": group.name,
        "members": group.members,
        "target": listing.target(group),
    })
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
