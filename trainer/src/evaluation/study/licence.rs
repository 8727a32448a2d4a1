//! Which songs may be heard in a page that others get.

use crate::collections::{SongFolder, load_song, read_metadata};
use crate::evaluation::words::Item;
use crate::protocol::{GatedWindow, SongAudio};
use anyhow::{Context, Result, bail};
use mixing_buddy_core::CancelFlag;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Whom to credit for a song, under which licence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credit {
    /// Name of the song.
    pub song: String,
    /// Who made it.
    pub by: String,
    /// Its licence.
    pub licence: String,
}

/// The licences of a song whose parts have several: they are joined by `AND`, as SPDX writes it.
fn parts(licence: &str) -> impl Iterator<Item = &str> {
    licence.split(" AND ")
}

/// Whether a licence permits to pass a song on, changed: CC0, CC-BY or CC-BY-SA, of any version, and nothing else. Of
/// several, each must.
pub fn shareable(licence: &str) -> bool {
    parts(licence).all(is_shareable)
}

fn is_shareable(licence: &str) -> bool {
    let words: String = licence
        .trim()
        .to_ascii_lowercase()
        .chars()
        .map(|sign| if sign == '_' || sign.is_whitespace() { '-' } else { sign })
        .collect();
    let version = |rest: &str| {
        rest.is_empty()
            || rest.strip_prefix('-').is_some_and(|version| {
                let mut parts = version.split('.');
                parts.clone().count() <= 2
                    && parts.all(|part| !part.is_empty() && part.chars().all(|sign| sign.is_ascii_digit()))
            })
    };
    let of = |name: &str| words.strip_prefix(name).is_some_and(version);
    ["cc0", "cc-by", "cc-by-sa"].into_iter().any(of)
}

/// The song of an item, with its credit: an item is heard only where its licence permits it.
///
/// # Errors
/// When the song is not among `folders` or cannot be read, and as [`credit`].
pub fn licensed_song(
    item: &Item,
    folders: &[SongFolder],
    cancel: &CancelFlag,
) -> Result<(SongAudio, Credit)> {
    let folder = folders.iter().find(|folder| folder.name == item.song);
    let folder = folder.with_context(|| format!("the song {} is not in the folder of songs", item.song))?;
    let credit = credit(&folder.dir, &folder.name)?;
    let song = load_song(folder, cancel)?;
    Ok((SongAudio { name: song.name, stems: song.stems }, credit))
}

/// The window of an item among those of its song.
///
/// # Errors
/// When the song has no such window.
pub fn window_of<'a, 'b>(item: &Item, windows: &'a [GatedWindow<'b>]) -> Result<&'a GatedWindow<'b>> {
    let window = windows.iter().find(|window| window.index == item.window);
    window.with_context(|| format!("{} has no window {}", item.song, item.window))
}

/// The credit of the song in a folder.
///
/// # Errors
/// When its `song.json` states no licence, or one that does not permit to pass it on; or names nobody to credit where the
/// licence asks for it.
pub fn credit(dir: &Path, song: &str) -> Result<Credit> {
    let meta = read_metadata(dir)?.unwrap_or_default();
    let Some(licence) = meta.licence.filter(|licence| !licence.trim().is_empty()) else {
        bail!("{song} states no licence in its song.json: it must not be heard in a page that others get");
    };
    if !shareable(&licence) {
        bail!(
            "{song} is under '{licence}': only songs under CC0, CC-BY or CC-BY-SA may be heard in a page that others get"
        );
    }
    let by = meta.credit.or(meta.artist).filter(|by| !by.trim().is_empty());
    let by = match by {
        Some(by) => by,
        None if parts(&licence).all(|part| part.trim().to_ascii_lowercase().starts_with("cc0")) => {
            "unknown".to_string()
        }
        None => {
            return Err(anyhow::anyhow!("its song.json states neither credit nor artist"))
                .with_context(|| format!("{song} is under '{licence}', which asks for a credit"));
        }
    };
    Ok(Credit { song: meta.song.unwrap_or_else(|| song.to_string()), by, licence })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_licences_that_permit_changes_and_commerce_are_shareable() {
        for good in [
            "CC0",
            "CC0-1.0",
            "CC-BY-4.0",
            "CC BY 3.0",
            "cc-by-sa-3.0",
            "CC-BY-SA",
            " CC-BY ",
            "CC-BY-4.0 AND CC0-1.0",
        ] {
            assert!(shareable(good), "{good}");
        }
        for bad in [
            "",
            "CC-BY-NC-4.0",
            "CC-BY-ND-4.0",
            "CC-BY-NC-SA-4.0",
            "CC-BY-4.0 AND CC-BY-NC-4.0",
            "MIT",
            "proprietary",
            "Cambridge-MT: educational/non-commercial",
            "not CC0",
            "CC-BYE",
            "CC-BY-4.0 OR proprietary",
            "CC0-1.0 AND GPL-2.0",
            "CC-BY-4.0 AND ",
            "CC-BY-",
        ] {
            assert!(!shareable(bad), "{bad}");
        }
    }
}
