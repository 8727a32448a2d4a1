//! Where a song comes from.

use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::fmt;

/// Where a song comes from: a part of the corpus (`trainer/corpus/README.md`), a collection, or the user.
///
/// Names that are not known here are kept as [`SourceKind::Named`]. Sources sort by name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum SourceKind {
    /// Recorded songs.
    Real,
    /// Recorded solo voices, alone.
    Voice,
    /// Speech that a vocoder made sing.
    Sung,
    /// MIDI files of free games, rendered.
    Midi,
    /// Songs that the corpus composes itself, by style, rendered.
    Beats,
    /// Arrangements by MMA (Musical MIDI Accompaniment), rendered.
    Mma,
    /// Tracker modules of free games.
    Modules,
    /// Demo projects of LMMS, rendered.
    Lmms,
    /// Slakh2100: rendered songs.
    Slakh,
    /// Songs whose `song.json` states no source, or that have none: the user's own.
    Own,
    /// Any other source, by name.
    Named(String),
}

impl SourceKind {
    /// The sources that are known by name.
    pub const KNOWN: [SourceKind; 10] = [
        SourceKind::Real,
        SourceKind::Voice,
        SourceKind::Sung,
        SourceKind::Midi,
        SourceKind::Beats,
        SourceKind::Mma,
        SourceKind::Modules,
        SourceKind::Lmms,
        SourceKind::Slakh,
        SourceKind::Own,
    ];

    /// Name as in files and configurations.
    pub fn name(&self) -> &str {
        match self {
            SourceKind::Real => "real",
            SourceKind::Voice => "voice",
            SourceKind::Sung => "sung",
            SourceKind::Midi => "midi",
            SourceKind::Beats => "beats",
            SourceKind::Mma => "mma",
            SourceKind::Modules => "modules",
            SourceKind::Lmms => "lmms",
            SourceKind::Slakh => "slakh",
            SourceKind::Own => "own",
            SourceKind::Named(name) => name,
        }
    }
}

impl PartialOrd for SourceKind {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for SourceKind {
    fn cmp(&self, other: &Self) -> Ordering {
        self.name().cmp(other.name())
    }
}

impl fmt::Display for SourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl From<String> for SourceKind {
    fn from(name: String) -> Self {
        SourceKind::KNOWN.into_iter().find(|source| source.name() == name).unwrap_or(SourceKind::Named(name))
    }
}

impl From<SourceKind> for String {
    fn from(source: SourceKind) -> Self {
        match source {
            SourceKind::Named(name) => name,
            known => known.name().to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::SourceKind;
    use std::collections::BTreeMap;

    #[test]
    fn every_name_comes_back_as_a_key_of_a_configuration() {
        let text = "beats = 1.0\nlmms = 2.0\nmine = 0.5\nreal = 4.0\n";
        let weights: BTreeMap<SourceKind, f64> = toml::from_str(text).unwrap();
        assert_eq!(weights[&SourceKind::Real], 4.0);
        assert_eq!(weights[&SourceKind::Named("mine".into())], 0.5);
        assert_eq!(toml::to_string(&weights).unwrap(), text);
        for source in SourceKind::KNOWN {
            assert_eq!(SourceKind::from(source.name().to_string()), source);
        }
    }
}
