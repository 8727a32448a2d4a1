//! MUSDB18: `train|test/SONG.stem.mp4`, five AAC streams a file: mixture, drums, bass, other, vocals.

use super::found::{Found, FoundSong, Track};
use super::musdb::{PARTS, split};
use crate::collections::files::{entries, name_of};
use anyhow::Result;
use mixing_buddy_core::Stem;
use std::path::Path;

const ENDING: &str = ".stem.mp4";
/// Number of the mixture's stream, and those of the stems, as in the musdb package's mus.yaml.
const MIXTURE_TRACK: usize = 0;
const STEM_TRACKS: [(Stem, usize); 4] =
    [(Stem::Drums, 1), (Stem::Bass, 2), (Stem::Other, 3), (Stem::Vocals, 4)];

pub(super) fn find(root: &Path) -> Result<Found> {
    let mut found = Found::default();
    for part in PARTS.into_iter().filter(|part| root.join(part.name()).is_dir()) {
        for path in entries(root, Path::new(part.name()))? {
            let file = name_of(&path);
            let Some(name) = file.strip_suffix(ENDING) else {
                found.refuse(&file, &path, format!("its name does not end in {ENDING}"));
                continue;
            };
            let mut song = FoundSong {
                name: name.into(),
                path: path.clone(),
                split: Some(split(&part, name)),
                mixture: Some(Track { path: path.clone(), track: Some(MIXTURE_TRACK) }),
                ..FoundSong::default()
            };
            for (stem, track) in STEM_TRACKS {
                song.stems[stem].push(Track { path: path.clone(), track: Some(track) });
            }
            found.songs.push(song);
        }
    }
    Ok(found)
}
