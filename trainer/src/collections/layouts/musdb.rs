//! MUSDB18-HQ: `train|test/SONG/{mixture,vocals,drums,bass,other}.wav` (Rafii et al. 2019, doi 10.5281/zenodo.3338373).

use super::found::{Found, FoundSong, Track};
use crate::collections::files::{folders, name_of, sound_files};
use crate::protocol::Split;
use anyhow::{Result, bail};
use mixing_buddy_core::Stem;
use std::path::{Path, PathBuf};

/// The parts of MUSDB18.
pub(super) const PARTS: [Split; 2] = [Split::Train, Split::Test];

/// Songs of `train` that the musdb package (mus.yaml) holds out for validation.
const VALIDATION: [&str; 14] = [
    "ANiMAL - Rockshow",
    "Actions - One Minute Smile",
    "Alexander Ross - Goodbye Bolero",
    "Clara Berry And Wooldog - Waltz For My Victims",
    "Fergessen - Nos Palpitants",
    "James May - On The Line",
    "Johnny Lokke - Promises & Lies",
    "Leaf - Summerghost",
    "Meaxic - Take A Step",
    "Patrick Talbot - A Reason To Leave",
    "Skelpolu - Human Mistakes",
    "Traffic Experiment - Sirens",
    "Triviul - Angelsaint",
    "Young Griffo - Pennies",
];

/// The official split of a song of this part.
pub(super) fn split(part: &Split, song: &str) -> Split {
    if *part == Split::Train && VALIDATION.contains(&song) { Split::Valid } else { part.clone() }
}

pub(super) fn find(root: &Path) -> Result<Found> {
    let mut found = Found::default();
    for part in PARTS.into_iter().filter(|part| root.join(part.name()).is_dir()) {
        for dir in folders(root, Path::new(part.name()))? {
            let name = name_of(&dir);
            found.take(&name, &dir, song(root, &part, &name, &dir));
        }
    }
    Ok(found)
}

fn song(root: &Path, part: &Split, name: &str, dir: &Path) -> Result<FoundSong> {
    let mut song = FoundSong {
        name: name.into(),
        path: dir.to_path_buf(),
        split: Some(split(part, name)),
        ..FoundSong::default()
    };
    let exists = |path: &PathBuf| root.join(path).is_file();
    let mut known = Vec::new();
    for stem in Stem::ALL {
        let path = dir.join(format!("{stem}.wav"));
        if !exists(&path) {
            bail!("{stem}.wav is missing");
        }
        song.push(stem, &path);
        known.push(path);
    }
    let mixture = dir.join("mixture.wav");
    if exists(&mixture) {
        song.mixture = Some(Track::whole(&mixture));
        known.push(mixture);
    }
    for extra in sound_files(root, dir)?.iter().filter(|path| !known.contains(path)) {
        song.warnings.push(format!("{} is not used: this layout has no such stem", extra.display()));
    }
    Ok(song)
}
