//! The instruments of MedleyDB, and the stem class of each.
//!
//! The names are those of the taxonomy that comes with MedleyDB, complete:
//! <https://github.com/marl/medleydb/blob/master/medleydb/resources/taxonomy.yaml>, under the MIT licence, copyright 2014
//! Rachel Bittner. The classes are ours: what MUSDB18 counts as drums and percussion is `drums`; percussion with a pitch is
//! `other`.

use mixing_buddy_core::Stem;

/// Names of the taxonomy that sing, speak or rap.
const VOCALS: &[&str] = &[
    "male singer",
    "female singer",
    "male speaker",
    "female speaker",
    "male rapper",
    "female rapper",
    "vocalists",
    "choir",
    "male screamer",
    "female screamer",
];

/// Names of the taxonomy that are drums or percussion without a pitch.
const DRUMS: &[&str] = &[
    "beatboxing",
    "triangle",
    "sleigh bells",
    "cowbell",
    "cabasa",
    "high hat",
    "gong",
    "guiro",
    "gu",
    "cymbal",
    "castanet",
    "claps",
    "rattle",
    "shaker",
    "maracas",
    "snaps",
    "timpani",
    "toms",
    "snare drum",
    "kick drum",
    "bass drum",
    "bongo",
    "conga",
    "tambourine",
    "darbuka",
    "doumbek",
    "tabla",
    "auxiliary percussion",
    "drum set",
    "drum machine",
];

/// Names of the taxonomy that play the bass part.
const BASS: &[&str] = &["double bass", "electric bass"];

/// All other names of the taxonomy that say what plays.
const OTHER: &[&str] = &[
    "erhu",
    "violin",
    "viola",
    "cello",
    "violin section",
    "viola section",
    "cello section",
    "string section",
    "dilruba",
    "acoustic guitar",
    "banjo",
    "guzheng",
    "harp",
    "harpsichord",
    "liuqin",
    "mandolin",
    "oud",
    "slide guitar",
    "ukulele",
    "zhongruan",
    "sitar",
    "dulcimer",
    "yangqin",
    "piano",
    "tack piano",
    "dizi",
    "flute",
    "flute section",
    "piccolo",
    "bamboo flute",
    "panpipes",
    "recorder",
    "alto saxophone",
    "baritone saxophone",
    "bass clarinet",
    "clarinet",
    "clarinet section",
    "tenor saxophone",
    "soprano saxophone",
    "oboe",
    "english horn",
    "bassoon",
    "bagpipe",
    "trumpet",
    "cornet",
    "trombone",
    "french horn",
    "euphonium",
    "tuba",
    "brass section",
    "french horn section",
    "trombone section",
    "horn section",
    "trumpet section",
    "harmonica",
    "concertina",
    "accordion",
    "bandoneon",
    "harmonium",
    "pipe organ",
    "melodica",
    "crowd",
    "chimes",
    "xylophone",
    "vibraphone",
    "marimba",
    "glockenspiel",
    "whistle",
    "clean electric guitar",
    "distorted electric guitar",
    "lap steel guitar",
    "electric piano",
    "electronic organ",
    "synthesizer",
    "theremin",
    "fx/processed sound",
    "scratches",
    "sampler",
];

/// Names of the taxonomy that do not say what plays.
const NOT_TOLD: &[&str] = &["main system", "unlabeled"];

/// The table: each list with its class.
const TABLE: [(Stem, &[&str]); 4] =
    [(Stem::Vocals, VOCALS), (Stem::Drums, DRUMS), (Stem::Bass, BASS), (Stem::Other, OTHER)];

/// Words by which a name that is not in the taxonomy is sorted.
const WORDS: [(Stem, &[&str]); 3] = [
    (
        Stem::Vocals,
        &[
            "singer",
            "singers",
            "vocalist",
            "vocalists",
            "rapper",
            "rappers",
            "screamer",
            "choir",
            "chorus",
            "vocal",
            "vocals",
            "voice",
            "voices",
            "vox",
        ],
    ),
    (
        Stem::Drums,
        &[
            "drum",
            "drums",
            "percussion",
            "cymbal",
            "cymbals",
            "hat",
            "hihat",
            "tambourine",
            "shaker",
            "snaps",
            "claps",
            "snare",
            "kick",
            "toms",
            "bongo",
            "bongos",
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
            "castanets",
            "triangle",
            "claves",
            "cajon",
            "djembe",
            "beatboxing",
        ],
    ),
    (Stem::Bass, &["bass"]),
];
/// Names that have one of these words, but are of another class.
const OTHER_DESPITE_WORDS: [&str; 4] = ["bass flute", "bass trombone", "bass saxophone", "steel drum"];

/// The class of an instrument, and how it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// The taxonomy has it.
    Known(Stem),
    /// The taxonomy has the name, but it does not tell what plays.
    NotTold,
    /// The taxonomy does not have it; the class is that of a word in its name, or else `other`.
    Guessed(Stem),
}

impl Class {
    pub(super) fn stem(self) -> Stem {
        match self {
            Class::Known(stem) | Class::Guessed(stem) => stem,
            Class::NotTold => Stem::Other,
        }
    }
}

/// The class of an instrument by its name. Case and surrounding spaces do not matter.
pub(super) fn class(instrument: &str) -> Class {
    let name = instrument.trim().to_lowercase();
    let name = name.as_str();
    if NOT_TOLD.contains(&name) || name.is_empty() {
        return Class::NotTold;
    }
    if let Some((stem, _)) = TABLE.iter().find(|(_, names)| names.contains(&name)) {
        return Class::Known(*stem);
    }
    if OTHER_DESPITE_WORDS.contains(&name) {
        return Class::Guessed(Stem::Other);
    }
    let has = |word: &&str| name.split(|sign: char| !sign.is_alphanumeric()).any(|part| part == *word);
    let guess = WORDS.iter().find(|(_, words)| words.iter().any(has));
    Class::Guessed(guess.map_or(Stem::Other, |(stem, _)| *stem))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_name_of_the_taxonomy_is_in_the_table_once() {
        let names: Vec<&str> = TABLE.iter().flat_map(|(_, names)| *names).chain(NOT_TOLD).copied().collect();
        let unique: BTreeSet<&str> = names.iter().copied().collect();
        // As many as taxonomy.yaml has.
        assert_eq!((names.len(), unique.len()), (122, 122));
        assert!(names.iter().all(|name| *name == name.to_lowercase()));
    }

    #[test]
    fn instruments_become_classes() {
        for (instrument, stem) in [
            ("female singer", Stem::Vocals),
            ("male rapper", Stem::Vocals),
            ("vocalists", Stem::Vocals),
            ("drum set", Stem::Drums),
            ("high hat", Stem::Drums),
            ("auxiliary percussion", Stem::Drums),
            ("electric bass", Stem::Bass),
            ("double bass", Stem::Bass),
            ("bass clarinet", Stem::Other),
            ("bassoon", Stem::Other),
            (" Clean Electric Guitar ", Stem::Other),
        ] {
            assert_eq!(class(instrument), Class::Known(stem), "{instrument}");
        }
    }

    #[test]
    fn names_that_tell_nothing_or_are_unknown_are_marked() {
        for name in ["Main System", "Unlabeled", "", " "] {
            assert_eq!(class(name), Class::NotTold, "{name}");
        }
        for (name, stem) in [
            ("woodwind section", Stem::Other),
            ("backing vocals", Stem::Vocals),
            ("congas", Stem::Drums),
            ("bass guitar", Stem::Bass),
            ("bass trombone", Stem::Other),
            ("steel drum", Stem::Other),
        ] {
            assert_eq!(class(name), Class::Guessed(stem), "{name}");
        }
    }
}
