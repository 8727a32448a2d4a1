//! Any folders of stems, one folder a song, by a mapping from name patterns to stem classes.
//!
//! ```toml
//! # `*` stands for any signs, `?` for one, `[0-9]` for one of these; case does not matter. A pattern with a `/` is held
//! # against the path in the song's folder, one without against the file's name without its ending. The first list
//! # that fits decides, in this order: ignore, mixture, vocals, drums, bass, other.
//! ignore = ["click*"]
//! mixture = ["*master*", "mix"]
//! vocals = ["*vox*", "bgv*", "lead vocals"]
//! drums = ["kick*", "snare*", "oh *", "drums/*"]
//! bass = ["bass*", "sub"]
//! other = ["*"]
//!
//! [splits]                      # songs by name; optional
//! test = ["Last Album - *"]
//! ```

use super::files::{folders, name_of, sound_files, stem_of};
use super::{Found, FoundSong, Source};
use anyhow::{Context, Result, bail, ensure};
use globset::{GlobBuilder, GlobMatcher};
use mixing_buddy_core::Stem;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// Folders of these names hold songs of that split.
const SPLIT_FOLDERS: [(&str, &str); 4] =
    [("train", "train"), ("valid", "valid"), ("validation", "valid"), ("test", "test")];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MapFile {
    #[serde(default)]
    ignore: Vec<String>,
    #[serde(default)]
    mixture: Vec<String>,
    #[serde(default)]
    vocals: Vec<String>,
    #[serde(default)]
    drums: Vec<String>,
    #[serde(default)]
    bass: Vec<String>,
    #[serde(default)]
    other: Vec<String>,
    #[serde(default)]
    splits: BTreeMap<String, Vec<String>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Ignored,
    Mixture,
    Stem(Stem),
}

#[derive(Debug)]
struct Pattern {
    matcher: GlobMatcher,
    is_path: bool,
}

impl Pattern {
    fn new(text: &str) -> Result<Self> {
        ensure!(!text.is_empty(), "an empty pattern fits nothing");
        let glob = GlobBuilder::new(text).case_insensitive(true).build();
        let glob = glob.with_context(|| format!("the pattern '{text}' cannot be understood"))?;
        Ok(Pattern { matcher: glob.compile_matcher(), is_path: text.contains('/') })
    }

    /// `path` is below the song's folder.
    fn fits(&self, path: &Path) -> bool {
        if self.is_path { self.matcher.is_match(path) } else { self.matcher.is_match(stem_of(path)) }
    }
}

/// Which file is which stem, and which song is of which split.
#[derive(Debug)]
pub struct StemMap {
    roles: Vec<(Role, Vec<Pattern>)>,
    splits: Vec<(String, Vec<Pattern>)>,
}

impl StemMap {
    /// Reads a mapping file.
    ///
    /// # Errors
    /// When it is missing, has an unknown key or a malformed pattern, or names no stems.
    pub fn load(path: &Path) -> Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
        Self::parse(&text).with_context(|| format!("{} is no mapping", path.display()))
    }

    /// Files named after the classes: `vocals.wav`, `drums_room.flac`, `mix.wav`.
    ///
    /// # Errors
    /// Never in practice.
    pub fn by_class_names() -> Result<Self> {
        let mut text = "mixture = ['mixture', 'mix', 'master']\n".to_string();
        for stem in Stem::ALL {
            text.push_str(&format!("{stem} = ['{stem}', '{stem}[!a-z]*']\n"));
        }
        Self::parse(&text)
    }

    fn parse(text: &str) -> Result<Self> {
        let file: MapFile = toml::from_str(text)?;
        let lists = [
            (Role::Ignored, "ignore", file.ignore),
            (Role::Mixture, "mixture", file.mixture),
            (Role::Stem(Stem::Vocals), "vocals", file.vocals),
            (Role::Stem(Stem::Drums), "drums", file.drums),
            (Role::Stem(Stem::Bass), "bass", file.bass),
            (Role::Stem(Stem::Other), "other", file.other),
        ];
        let patterns = |key: &str, list: &[String]| -> Result<Vec<Pattern>> {
            list.iter().map(|text| Pattern::new(text).with_context(|| format!("'{key}'"))).collect()
        };
        let mut roles = Vec::new();
        for (role, key, list) in &lists {
            roles.push((*role, patterns(key, list)?));
        }
        let has_stems = roles.iter().any(|(role, list)| matches!(role, Role::Stem(_)) && !list.is_empty());
        ensure!(has_stems, "it names no stems; the keys are vocals, drums, bass, other, mixture and ignore");
        let mut splits = Vec::new();
        for (name, list) in &file.splits {
            if !["train", "valid", "test"].contains(&name.as_str()) {
                bail!("[splits] {name} is no split; the splits are train, valid and test");
            }
            splits.push((name.clone(), patterns(name, list)?));
        }
        Ok(StemMap { roles, splits })
    }

    fn role(&self, path: &Path) -> Option<Role> {
        let fits = |list: &[Pattern]| list.iter().any(|pattern| pattern.fits(path));
        self.roles.iter().find(|(_, list)| fits(list)).map(|(role, _)| *role)
    }

    fn split(&self, song: &str) -> Option<String> {
        let fits = |list: &[Pattern]| list.iter().any(|pattern| pattern.matcher.is_match(song));
        self.splits.iter().find(|(_, list)| fits(list)).map(|(name, _)| name.clone())
    }
}

pub(super) fn find(root: &Path, map: &StemMap) -> Result<Found> {
    let mut found = Found::default();
    let mut add = |dir: &Path, split: Option<&str>| {
        let name = name_of(dir);
        found.take(&name, dir, song(root, map, &name, dir, split));
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

fn song(root: &Path, map: &StemMap, name: &str, dir: &Path, split: Option<&str>) -> Result<FoundSong> {
    let mut song = FoundSong {
        name: name.into(),
        path: dir.to_path_buf(),
        split: map.split(name).or(split.map(String::from)),
        ..FoundSong::default()
    };
    for path in sound_files(root, dir)? {
        match map.role(path.strip_prefix(dir).unwrap_or(&path)) {
            Some(Role::Stem(stem)) => song.push(stem, path),
            Some(Role::Ignored) => {}
            Some(Role::Mixture) => match &song.mixture {
                Some(first) => {
                    let first = first.path.display();
                    bail!("{} and {first} are both taken for the finished mix", path.display());
                }
                None => song.mixture = Some(Source { path, track: None }),
            },
            None => song.warnings.push(format!("{} is not used: no pattern fits its name", path.display())),
        }
    }
    ensure!(song.has_stems(), "none of its files fits a pattern of a stem");
    for (stem, sources) in song.stems.iter() {
        for (at, first) in sources.iter().enumerate() {
            let same = |second: &&Source| first.path.with_extension("") == second.path.with_extension("");
            if let Some(second) = sources[at + 1..].iter().find(same) {
                let (first, second) = (first.path.display(), second.path.display());
                bail!("{first} and {second} are the same {stem} twice; keep one of them");
            }
        }
    }
    Ok(song)
}
