//! What the files in a song's folder are for, by their names.

use super::files::{is_sound, name_of, name_without_ending};
use mixing_buddy_core::Stem;
use std::path::Path;

/// Names of files that hold the finished mix.
const MIX_NAMES: [&str; 3] = ["mixture", "mix", "master"];
/// The file that states where a song comes from.
pub(super) const METADATA_FILE: &str = "song.json";

/// What a file in a song's folder is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileRole {
    /// It holds a stem, or a part of one.
    Stem(Stem),
    /// It holds the finished mix.
    Mix,
    /// It is left out without a warning.
    Ignored,
    /// Nothing is known of it.
    Unknown,
}

impl FileRole {
    /// The role of a file by its name: `vocals.wav`, or `vocals` and a mark that is not a letter, as in `vocals_2.wav`;
    /// `mixture.wav`, `mix.wav` and `master.wav` hold the finished mix. Case does not matter.
    pub fn by_name(path: &Path) -> Self {
        if name_of(path) == METADATA_FILE {
            return FileRole::Ignored;
        }
        if !is_sound(path) {
            return FileRole::Unknown;
        }
        let name = name_without_ending(path).to_lowercase();
        let is_named = |class: &str| {
            name.strip_prefix(class)
                .is_some_and(|rest| !rest.chars().next().is_some_and(|next| next.is_alphabetic()))
        };
        if let Some(stem) = Stem::ALL.into_iter().find(|stem| is_named(stem.name())) {
            FileRole::Stem(stem)
        } else if MIX_NAMES.contains(&name.as_str()) {
            FileRole::Mix
        } else {
            FileRole::Unknown
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_gives_the_role() {
        for (name, role) in [
            ("vocals.wav", FileRole::Stem(Stem::Vocals)),
            ("Vocals 2.FLAC", FileRole::Stem(Stem::Vocals)),
            ("drums_room.mp3", FileRole::Stem(Stem::Drums)),
            ("bass2.ogg", FileRole::Stem(Stem::Bass)),
            ("bassoon.wav", FileRole::Unknown),
            ("Mix.wav", FileRole::Mix),
            ("mix 2.wav", FileRole::Unknown),
            ("vocals.txt", FileRole::Unknown),
            ("song.json", FileRole::Ignored),
        ] {
            assert_eq!(FileRole::by_name(Path::new(name)), role, "{name}");
        }
    }
}
