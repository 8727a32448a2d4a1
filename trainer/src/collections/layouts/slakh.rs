//! Slakh2100: `train|validation|test|omitted/TrackNNNNN/metadata.yaml`, `mix.flac` and `stems/SNN.flac` (Manilow et al.
//! 2019). It has no vocals: synthesised choirs count as `other`.

use super::found::{Found, FoundSong, Track};
use crate::collections::files::{folders, name_of, read_yaml, sound_files, stated_path};
use crate::protocol::Split;
use anyhow::{Context, Result, ensure};
use mixing_buddy_core::Stem;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const METADATA: &str = "metadata.yaml";
/// Folders of the collection and the split that they are. `omitted` holds songs that are also in the other parts.
const PARTS: [(&str, Option<Split>); 4] = [
    ("train", Some(Split::Train)),
    ("validation", Some(Split::Valid)),
    ("test", Some(Split::Test)),
    ("", None),
];

#[derive(Deserialize)]
struct Metadata {
    #[serde(default = "stems_folder")]
    audio_dir: String,
    stems: BTreeMap<String, StemMetadata>,
}

#[derive(Deserialize)]
struct StemMetadata {
    #[serde(default)]
    inst_class: String,
    #[serde(default)]
    is_drum: bool,
    /// Some MIDI tracks had no sound, and so have no file.
    #[serde(default = "yes")]
    audio_rendered: bool,
}

fn stems_folder() -> String {
    "stems".into()
}

fn yes() -> bool {
    true
}

pub(super) fn find(root: &Path) -> Result<Found> {
    let mut found = Found::default();
    for (part, split) in PARTS {
        let part = Path::new(part);
        if !root.join(part).is_dir() {
            continue;
        }
        let named = PARTS.iter().map(|(name, _)| *name).chain(["omitted"]).collect::<BTreeSet<_>>();
        for dir in folders(root, part)? {
            let name = name_of(&dir);
            let is_song = root.join(&dir).join(METADATA).is_file();
            if split.is_none() && (named.contains(name.as_str()) || !is_song) {
                continue;
            }
            let song = song(root, &name, &dir, split.clone());
            found.take(&name, &dir, song);
        }
    }
    Ok(found)
}

fn song(root: &Path, name: &str, dir: &Path, split: Option<Split>) -> Result<FoundSong> {
    let metadata = dir.join(METADATA);
    let about: Metadata = read_yaml(root, &metadata)?;
    let mut song = FoundSong { name: name.into(), path: dir.to_path_buf(), split, ..FoundSong::default() };
    let usual = dir.join(stems_folder());
    let stated = stated_path(&about.audio_dir).map(|stated| dir.join(stated));
    let stems = stated.filter(|stems| root.join(stems).is_dir());
    // The makers' own folder is stated in some songs (slakh-utils, issue 25); the stems are in the usual one.
    if stems.is_none() {
        ensure!(
            root.join(&usual).is_dir(),
            "the folder {} of its stems, which {} names, is missing, and so is {}",
            about.audio_dir,
            metadata.display(),
            usual.display()
        );
        song.warnings.push(format!(
            "{} names the folder {}, which is missing; its stems are taken from {}",
            metadata.display(),
            about.audio_dir,
            usual.display()
        ));
    }
    let stems = stems.unwrap_or(usual);
    let mut known = BTreeSet::new();
    for (key, stem) in about.stems.iter().filter(|(_, stem)| stem.audio_rendered) {
        let path = sound(root, &stems, key).with_context(|| {
            format!("{}, which {} names, is missing", stems.join(key).display(), metadata.display())
        })?;
        let class = match stem.inst_class.as_str() {
            _ if stem.is_drum => Stem::Drums,
            "Drums" => Stem::Drums,
            "Bass" => Stem::Bass,
            _ => Stem::Other,
        };
        song.push(class, &path);
        known.insert(path);
    }
    ensure!(song.has_stems(), "{} names no rendered stems", metadata.display());
    for extra in sound_files(root, &stems)?.iter().filter(|path| !known.contains(*path)) {
        song.warnings
            .push(format!("{} is not used: the metadata does not name it as rendered", extra.display()));
    }
    song.mixture = sound(root, dir, "mix").map(|path| Track::whole(&path));
    Ok(song)
}

/// `NAME.flac`, or `NAME.wav` where the collection was unpacked.
fn sound(root: &Path, dir: &Path, name: &str) -> Option<PathBuf> {
    ["flac", "wav"]
        .map(|ending| dir.join(format!("{name}.{ending}")))
        .into_iter()
        .find(|path| root.join(path).is_file())
}
