//! MedleyDB: `SONG_METADATA.yaml`, `SONG_MIX.wav` and the folder `SONG_STEMS` (Bittner et al. 2014). Later releases
//! keep the metadata in a folder of its own, `Metadata`, next to the songs.

use super::found::{Found, FoundSong, Track};
use crate::collections::files::{entries, folders, name_of, read_yaml, sound_files};
use anyhow::{Context, Result, ensure};
use mixing_buddy_core::Stem;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const ENDING: &str = "_METADATA.yaml";

#[derive(Deserialize)]
struct Metadata {
    stem_dir: String,
    #[serde(default)]
    mix_filename: Option<String>,
    #[serde(default)]
    has_bleed: Option<String>,
    stems: BTreeMap<String, StemMetadata>,
}

#[derive(Deserialize)]
struct StemMetadata {
    filename: String,
    instrument: Instruments,
}

/// One instrument, or several as in the second release.
#[derive(Deserialize)]
#[serde(untagged)]
enum Instruments {
    One(String),
    Many(Vec<String>),
}

/// Words in the names of instruments (the taxonomy that comes with MedleyDB) that make a stem class.
const WORDS: [(Stem, &[&str]); 3] = [
    (Stem::Vocals, &["singer", "vocalist", "rapper", "screamer", "choir", "chorus", "vocals", "voice"]),
    (
        Stem::Drums,
        &[
            "drum",
            "drums",
            "percussion",
            "cymbal",
            "cymbals",
            "tambourine",
            "shaker",
            "snaps",
            "claps",
            "snare",
            "kick",
            "toms",
            "bongo",
            "conga",
            "congas",
            "cabasa",
            "maracas",
            "cowbell",
            "guiro",
            "gong",
            "tabla",
            "darbuka",
            "doumbek",
            "timbales",
            "castanet",
            "triangle",
            "claves",
            "beatboxing",
        ],
    ),
    (Stem::Bass, &["bass"]),
];
/// Instruments whose name has one of these words, but which are of another class.
const OTHERS: [&str; 4] = ["bass clarinet", "bass flute", "bass trombone", "steel drum"];

/// The class of an instrument.
fn class(instrument: &str) -> Stem {
    let name = instrument.to_lowercase();
    if OTHERS.contains(&name.as_str()) {
        return Stem::Other;
    }
    let has = |word: &&str| name.split(|sign: char| !sign.is_alphanumeric()).any(|part| part == *word);
    WORDS.iter().find(|(_, words)| words.iter().any(has)).map_or(Stem::Other, |(stem, _)| *stem)
}

pub(super) fn find(root: &Path) -> Result<Found> {
    let mut metadata = Vec::new();
    gather(root, Path::new(""), 3, &mut metadata)?;
    let mut found = Found::default();
    for path in metadata {
        let file = name_of(&path);
        let name = file.strip_suffix(ENDING).unwrap_or(&file);
        found.take(name, &path, song(root, name, &path));
    }
    Ok(found)
}

/// Metadata files at most `depth` folders down.
fn gather(root: &Path, below: &Path, depth: usize, to: &mut Vec<PathBuf>) -> Result<()> {
    for path in entries(root, below)? {
        if root.join(&path).is_dir() {
            if depth > 0 {
                gather(root, &path, depth - 1, to)?;
            }
        } else if name_of(&path).ends_with(ENDING) {
            to.push(path);
        }
    }
    Ok(())
}

fn song(root: &Path, name: &str, metadata: &Path) -> Result<FoundSong> {
    let about: Metadata = read_yaml(root, metadata)?;
    let folder = metadata.parent().unwrap_or(Path::new(""));
    let above = folder.parent().unwrap_or(Path::new(""));
    // Next to its metadata, or in the song's folder below a neighbour of `Metadata`.
    let mut places =
        vec![folder.to_path_buf(), folder.join(name), above.join(name), above.join("Audio").join(name)];
    places.extend(folders(root, above)?.into_iter().map(|dir| dir.join(name)));
    let dir = places
        .into_iter()
        .find(|dir| root.join(dir).join(&about.stem_dir).is_dir())
        .with_context(|| format!("the folder {} of its stems is missing", about.stem_dir))?;
    let stems = dir.join(&about.stem_dir);
    let mut song = FoundSong { name: name.into(), path: dir.clone(), ..FoundSong::default() };
    let mut known = BTreeSet::new();
    for (key, stem) in &about.stems {
        let path = stems.join(&stem.filename);
        ensure!(root.join(&path).is_file(), "{} ({key}) is missing", path.display());
        let class = match &stem.instrument {
            Instruments::One(instrument) => class(instrument),
            Instruments::Many(instruments) => {
                let mut classes = instruments.iter().map(|instrument| class(instrument));
                let first = classes.next().unwrap_or(Stem::Other);
                // A stem of several classes belongs to none of them.
                if classes.all(|other| other == first) { first } else { Stem::Other }
            }
        };
        known.insert(path.clone());
        song.push(class, &path);
    }
    ensure!(song.has_stems(), "{} names no stems", metadata.display());
    for extra in sound_files(root, &stems)?.iter().filter(|path| !known.contains(*path)) {
        song.warnings.push(format!("{} is not used: the metadata does not name it", extra.display()));
    }
    if about.has_bleed.as_deref() == Some("yes") {
        song.warnings.push("its stems bleed into each other".into());
    }
    let mix = dir.join(about.mix_filename.unwrap_or_else(|| format!("{name}_MIX.wav")));
    song.mixture = root.join(&mix).is_file().then(|| Track::whole(&mix));
    Ok(song)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instruments_become_classes() {
        for (instrument, stem) in [
            ("female singer", Stem::Vocals),
            ("male rapper", Stem::Vocals),
            ("drum set", Stem::Drums),
            ("auxiliary percussion", Stem::Drums),
            ("electric bass", Stem::Bass),
            ("double bass", Stem::Bass),
            ("bass clarinet", Stem::Other),
            ("bassoon", Stem::Other),
            ("clean electric guitar", Stem::Other),
        ] {
            assert_eq!(class(instrument), stem, "{instrument}");
        }
    }
}
