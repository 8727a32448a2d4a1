//! MedleyDB: `SONG_METADATA.yaml`, `SONG_MIX.wav` and the folder `SONG_STEMS` (Bittner et al. 2014). Later releases
//! keep the metadata in a folder of its own, `Metadata`, next to the songs.

use super::found::{Found, FoundSong, Track};
use super::instruments::{Class, class};
use crate::collections::files::{
    entries, folders, is_same, name_of, parse_yaml, read_yaml, sound_files, stated_path,
};
use anyhow::{Context, Result, ensure};
use mixing_buddy_core::Stem;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const ENDING: &str = "_METADATA.yaml";

#[derive(Deserialize)]
struct Metadata {
    #[serde(default)]
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

pub(super) fn find(root: &Path) -> Result<Found> {
    let mut metadata = Vec::new();
    gather(root, Path::new(""), 3, &mut metadata)?;
    let mut by_name: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for path in metadata {
        let file = name_of(&path);
        by_name.entry(file.strip_suffix(ENDING).unwrap_or(&file).into()).or_default().push(path);
    }
    let mut found = Found::default();
    for (name, files) in &by_name {
        songs_of_name(root, name, files, &mut found);
    }
    Ok(found)
}

/// Adds the songs that these metadata files describe. The metadata of one song may be next to it and in `Metadata`: it is
/// one song.
fn songs_of_name(root: &Path, name: &str, files: &[PathBuf], found: &mut Found) {
    let mut songs: Vec<(FoundSong, &Path)> = Vec::new();
    let mut faults: Vec<(&Path, String)> = Vec::new();
    for file in files {
        match song(root, name, file) {
            Err(reason) => faults.push((file, format!("{reason:#}"))),
            Ok(song) => match songs.iter_mut().find(|(first, _)| is_same(root, &first.path, &song.path)) {
                Some((first, from)) if first.stems != song.stems || first.mixture != song.mixture => {
                    let sentence =
                        format!("{} differs from {}, which is used", file.display(), from.display());
                    first.warnings.push(sentence);
                }
                Some(_) => {}
                None => songs.push((song, file)),
            },
        }
    }
    for (file, reason) in faults {
        match songs.first_mut() {
            Some((song, _)) => song.warnings.push(format!("{} cannot be used: {reason}", file.display())),
            None => found.refuse(name, file, reason),
        }
    }
    found.songs.extend(songs.into_iter().map(|(song, _)| song));
}

/// The stems that the text of a `SONG_METADATA.yaml` names: file and class of each.
///
/// # Errors
/// When it is not YAML, or not of this kind.
pub fn stems_of_medleydb(text: &str) -> Result<Vec<(String, Stem)>> {
    let about: Metadata = parse_yaml(text)?;
    let stems = about.stems.into_values();
    Ok(stems.map(|stem| (stem.filename, class_of(&stem.instrument, &mut |_| {}))).collect())
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
    let usual = format!("{name}_STEMS");
    let find = |stated: &Path| places.iter().find(|dir| root.join(dir).join(stated).is_dir());
    let stated = stated_path(&about.stem_dir);
    let (dir, stem_dir, is_stated) = match stated.as_deref().and_then(|stated| Some((find(stated)?, stated)))
    {
        Some((dir, stated)) => (dir.clone(), stated.to_path_buf(), true),
        None => {
            let dir = find(usual.as_ref()).with_context(|| {
                format!(
                    "the folder {} of its stems, which {} names, is missing, and so is {usual}",
                    about.stem_dir,
                    metadata.display()
                )
            })?;
            (dir.clone(), usual.clone().into(), false)
        }
    };
    let stems = dir.join(&stem_dir);
    let mut song = FoundSong { name: name.into(), path: dir.clone(), ..FoundSong::default() };
    if !is_stated {
        song.warnings.push(format!(
            "{} names the folder {}, which is missing; its stems are taken from {}",
            metadata.display(),
            about.stem_dir,
            stems.display()
        ));
    }
    let mut known = BTreeSet::new();
    for (key, stem) in &about.stems {
        let path = file_in(root, &stems, &stem.filename)
            .with_context(|| format!("{} ({key} of {}) is missing", stem.filename, metadata.display()))?;
        ensure!(known.insert(path.clone()), "{} names {} twice", metadata.display(), path.display());
        let class = class_of(&stem.instrument, &mut |reason| {
            song.warnings.push(format!("{} counts as {reason}", path.display()));
        });
        song.push(class, &path);
    }
    ensure!(song.has_stems(), "{} names no stems", metadata.display());
    for extra in sound_files(root, &stems)?.iter().filter(|path| !known.contains(*path)) {
        song.warnings.push(format!("{} is not used: the metadata does not name it", extra.display()));
    }
    if about.has_bleed.as_deref() == Some("yes") {
        song.warnings.push("its stems bleed into each other".into());
    }
    let usual = format!("{name}_MIX.wav");
    let mix = about.mix_filename.and_then(|stated| file_in(root, &dir, &stated));
    song.mixture = mix.or_else(|| file_in(root, &dir, &usual)).map(|path| Track::whole(&path));
    Ok(song)
}

/// The file that metadata names: where it is stated to be below `dir`, or directly in `dir`.
fn file_in(root: &Path, dir: &Path, stated: &str) -> Option<PathBuf> {
    let path = stated_path(stated)?;
    let name = path.file_name()?.to_os_string();
    [dir.join(path), dir.join(name)].into_iter().find(|path| root.join(path).is_file())
}

/// The class of a stem. What is not certain is told to `warn`, as the end of a sentence that begins "It counts as ".
fn class_of(instruments: &Instruments, warn: &mut dyn FnMut(String)) -> Stem {
    let names = match instruments {
        Instruments::One(name) => std::slice::from_ref(name),
        Instruments::Many(names) => names,
    };
    let classes: Vec<Class> = names.iter().map(|name| class(name)).collect();
    let first = classes.first().map_or(Stem::Other, |class| class.stem());
    // A stem of several classes belongs to none of them.
    let stem = if classes.iter().all(|class| class.stem() == first) { first } else { Stem::Other };
    if classes.is_empty() {
        warn(format!("{stem}: the metadata names no instrument"));
    }
    for (name, class) in names.iter().zip(classes) {
        match class {
            Class::Known(_) => {}
            Class::NotTold => {
                warn(format!("{stem}: its instrument is '{name}', which does not tell what plays"))
            }
            Class::Guessed(_) => {
                warn(format!("{stem}: its instrument, '{name}', is not in MedleyDB's taxonomy"));
            }
        }
    }
    stem
}
