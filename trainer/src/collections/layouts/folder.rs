//! Any folders of stems, one folder per song, named after the stem classes or by a mapping ([`StemMap`]).

use super::found::{Found, FoundSong, Track};
use crate::collections::files::{folders, is_sound, name_of};
use crate::collections::stem_folder::{FolderOptions, SongFolder};
use crate::collections::stem_map::StemMap;
use crate::protocol::Split;
use anyhow::{Result, bail, ensure};
use mixing_buddy_core::PerStem;
use std::path::Path;

/// Folders of these names hold songs of that split.
const SPLIT_FOLDERS: [(&str, Split); 4] =
    [("train", Split::Train), ("valid", Split::Valid), ("validation", Split::Valid), ("test", Split::Test)];

pub(super) fn find(root: &Path, map: Option<&StemMap>) -> Result<Found> {
    let mut found = Found::default();
    let mut add = |dir: &Path, split: Option<&Split>| {
        found.take(&name_of(dir), dir, song(root, map, dir, split));
    };
    for dir in folders(root, Path::new(""))? {
        let name = name_of(&dir).to_lowercase();
        match SPLIT_FOLDERS.iter().find(|(folder, _)| *folder == name) {
            Some((_, split)) => folders(root, &dir)?.iter().for_each(|dir| add(dir, Some(split))),
            None => add(&dir, None),
        }
    }
    Ok(found)
}

fn song(root: &Path, map: Option<&StemMap>, dir: &Path, split: Option<&Split>) -> Result<FoundSong> {
    let folder = SongFolder::read_below(root, dir, FolderOptions { map, any_depth: true })?;
    if let [first, second, ..] = folder.mixes.as_slice() {
        bail!("{} and {} are both taken for the finished mix", second.display(), first.display());
    }
    let reason = if map.is_some() { "no pattern fits its name" } else { "it is not named after a stem" };
    ensure!(
        folder.present().next().is_some(),
        "none of its files {}",
        if map.is_some() { "fits a pattern of a stem" } else { "is named after a stem" }
    );
    folder.check_twice()?;
    let unknown = folder.unknown_files.iter().filter(|path| is_sound(path));
    Ok(FoundSong {
        split: map.and_then(|map| map.split(&folder.name)).or(split.cloned()),
        name: folder.name,
        path: folder.dir,
        stems: PerStem::from_fn(|stem| folder.stems[stem].iter().map(|path| Track::whole(path)).collect()),
        mixture: folder.mixes.first().map(|path| Track::whole(path)),
        warnings: unknown.map(|path| format!("{} is not used: {reason}", path.display())).collect(),
    })
}
