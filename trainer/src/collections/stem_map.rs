//! A mapping from name patterns to stem classes and splits, for folders whose files are not named after the classes.
//!
//! ```toml
//! # `*` stands for any characters, `?` for one, `[0-9]` for one of these; case does not matter. A pattern with a `/` is
//! # compared with the path in the song's folder, one without with the file's name without its ending. The first list
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

use super::file_role::FileRole;
use super::files::name_without_ending;
use crate::protocol::Split;
use anyhow::{Context, Result, bail, ensure};
use globset::{GlobBuilder, GlobMatcher};
use mixing_buddy_core::Stem;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// Splits that a mapping may name.
const SPLITS: [Split; 3] = [Split::Train, Split::Valid, Split::Test];

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
        if self.is_path {
            self.matcher.is_match(path)
        } else {
            self.matcher.is_match(name_without_ending(path))
        }
    }
}

/// Which file is which stem, and which song is of which split.
#[derive(Debug)]
pub struct StemMap {
    roles: Vec<(FileRole, Vec<Pattern>)>,
    splits: Vec<(Split, Vec<Pattern>)>,
}

impl StemMap {
    /// Reads a mapping file.
    ///
    /// # Errors
    /// When it is missing, has an unknown key or a malformed pattern, or names no stems.
    pub fn load(path: &Path) -> Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
        Self::parse(&text).with_context(|| format!("{} is not a mapping", path.display()))
    }

    fn parse(text: &str) -> Result<Self> {
        let file: MapFile = toml::from_str(text)?;
        let lists = [
            (FileRole::Ignored, "ignore", file.ignore),
            (FileRole::Mix, "mixture", file.mixture),
            (FileRole::Stem(Stem::Vocals), "vocals", file.vocals),
            (FileRole::Stem(Stem::Drums), "drums", file.drums),
            (FileRole::Stem(Stem::Bass), "bass", file.bass),
            (FileRole::Stem(Stem::Other), "other", file.other),
        ];
        let patterns = |key: &str, list: &[String]| -> Result<Vec<Pattern>> {
            list.iter().map(|text| Pattern::new(text).with_context(|| format!("'{key}'"))).collect()
        };
        let mut roles = Vec::new();
        for (role, key, list) in &lists {
            roles.push((*role, patterns(key, list)?));
        }
        let has_stems =
            roles.iter().any(|(role, list)| matches!(role, FileRole::Stem(_)) && !list.is_empty());
        ensure!(has_stems, "it names no stems; the keys are vocals, drums, bass, other, mixture and ignore");
        let mut splits = Vec::new();
        for (name, list) in &file.splits {
            let Some(split) = SPLITS.into_iter().find(|split| split.name() == name) else {
                bail!("[splits] {name} is not a split; the splits are train, valid and test");
            };
            splits.push((split, patterns(name, list)?));
        }
        Ok(StemMap { roles, splits })
    }

    /// The role of a sound file, given by its path below the song's folder.
    pub(super) fn role(&self, path: &Path) -> FileRole {
        let fits = |list: &[Pattern]| list.iter().any(|pattern| pattern.fits(path));
        self.roles.iter().find(|(_, list)| fits(list)).map_or(FileRole::Unknown, |(role, _)| *role)
    }

    /// The split of a song, given by its name; none where no pattern fits.
    pub(super) fn split(&self, song: &str) -> Option<Split> {
        let fits = |list: &[Pattern]| list.iter().any(|pattern| pattern.matcher.is_match(song));
        self.splits.iter().find(|(_, list)| fits(list)).map(|(split, _)| split.clone())
    }
}
