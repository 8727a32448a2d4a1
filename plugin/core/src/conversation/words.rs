//! A question as words, and the stems that it names.

use crate::language::normalise_question;
use crate::stem::Stem;

/// Shortest name of a stem that is recognized with a typing error.
const SHORTEST_MISSPELT: usize = 5;
/// English words that are one letter from a name of a stem.
const NOT_NAMES: &[&str] = &["share", "stare", "spare", "scare", "beast", "bets", "choice", "vices", "place"];

/// Names of the stems, the longest first where one begins another. "bass guitar" is a bass, "lead guitar" is none.
const NAMES: &[(Stem, &[&str])] = &[
    (Stem::Bass, &["bass guitar", "bass guitars", "bass synth", "bass player", "bass line", "sub bass"]),
    (
        Stem::Other,
        &[
            "lead guitar",
            "lead guitars",
            "lead synth",
            "rest of the band",
            "string section",
            "brass section",
            "horn section",
            "other instruments",
            "other parts",
            "the others",
            "backing track",
        ],
    ),
    (Stem::Drums, &["drum machine", "rhythm track", "rhythm section", "hi hat", "hi hats", "drum kit"]),
    (
        Stem::Vocals,
        &[
            "vocals",
            "vocal",
            "voices",
            "voice",
            "singer",
            "singers",
            "singing",
            "vox",
            "lead vocal",
            "lead",
            "rap",
            "rapper",
            "rapping",
            "harmonies",
            "vokal",
            "vokals",
            "vocs",
        ],
    ),
    (
        Stem::Drums,
        &[
            "drums",
            "drum",
            "drummer",
            "drumming",
            "kit",
            "beat",
            "beats",
            "percussion",
            "kick",
            "snare",
            "cymbals",
            "toms",
            "hats",
            "hihat",
            "hihats",
            "groove",
            "drms",
        ],
    ),
    (Stem::Bass, &["bassline", "basses", "bassist", "bass", "808", "808s", "basss", "base"]),
    (
        Stem::Other,
        &[
            "guitar",
            "guitars",
            "piano",
            "pianos",
            "synth",
            "synths",
            "organ",
            "pad",
            "pads",
            "strings",
            "violin",
            "keyboard",
            "keyboards",
            "keys",
            "sax",
            "saxophone",
            "brass",
            "horn",
            "horns",
            "trumpet",
            "trumpets",
            "harp",
            "instruments",
        ],
    ),
];

/// The words of a text: lower case, without punctuation and apostrophes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Words(Vec<String>);

impl Words {
    /// Splits a text.
    pub fn of(text: &str) -> Self {
        Words(normalise_question(text).split(' ').filter(|word| !word.is_empty()).map(String::from).collect())
    }

    /// The words.
    pub fn list(&self) -> &[String] {
        &self.0
    }

    /// Where a phrase of one or more words stands. A star at its end stands for any ending: "compress*".
    pub fn find(&self, phrase: &str) -> Option<usize> {
        let wanted: Vec<&str> = phrase.split(' ').collect();
        self.0.windows(wanted.len()).position(|words| {
            words.iter().zip(&wanted).all(|(word, wanted)| match wanted.strip_suffix('*') {
                Some(beginning) => word.starts_with(beginning),
                None => word == wanted,
            })
        })
    }

    /// Whether one of the phrases, separated by commas, occurs.
    pub fn has_any(&self, phrases: &str) -> bool {
        phrases.split(", ").any(|phrase| self.find(phrase).is_some())
    }

    /// The stem that is named first; none where none is.
    pub fn first_stem(&self) -> Option<Stem> {
        (0..self.0.len()).find_map(|at| self.stem_at(at).map(|(stem, _)| stem))
    }

    /// The stem that a name starting at this place stands for, and the number of its words.
    pub fn stem_at(&self, at: usize) -> Option<(Stem, usize)> {
        let rest = self.0.get(at..)?;
        let exact = |(stem, names): &(Stem, &[&str])| {
            let longest = names.iter().filter_map(|name| words_of_name(rest, name)).max()?;
            Some((*stem, longest))
        };
        let misspelt = |(stem, names): &(Stem, &[&str])| {
            let word = rest.first()?;
            names.iter().any(|name| is_misspelt(word, name)).then_some((*stem, 1))
        };
        NAMES.iter().find_map(exact).or_else(|| NAMES.iter().find_map(misspelt))
    }
}

/// The number of words of a name, if the words begin with it.
fn words_of_name(words: &[String], name: &str) -> Option<usize> {
    let name: Vec<&str> = name.split(' ').collect();
    (words.len() >= name.len() && words.iter().zip(&name).all(|(word, name)| word == name))
        .then_some(name.len())
}

/// Whether a word is a name with one letter left out, added, changed or swapped. The first letter must be right.
fn is_misspelt(word: &str, name: &str) -> bool {
    name.len() >= SHORTEST_MISSPELT
        && !name.contains(' ')
        && word.len() + 1 >= name.len()
        && word.as_bytes().first() == name.as_bytes().first()
        && !NOT_NAMES.contains(&word)
        && strsim::osa_distance(word, name) == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stem(text: &str) -> Option<Stem> {
        Words::of(text).first_stem()
    }

    #[test]
    fn stems_are_found_by_their_names_also_misspelt() {
        assert_eq!(stem("How's my voice?"), Some(Stem::Vocals));
        assert_eq!(stem("is the bass guitar fine next to the guitar"), Some(Stem::Bass));
        assert_eq!(stem("the lead guitar, please"), Some(Stem::Other));
        assert_eq!(stem("lead too loud?"), Some(Stem::Vocals));
        assert_eq!(stem("are teh durms ok"), Some(Stem::Drums));
        assert_eq!(stem("my vocla is low"), Some(Stem::Vocals));
        assert_eq!(stem("gitar"), Some(Stem::Other));
        for none in ["share it with me", "a good choice", "is it balanced", "what is this"] {
            assert_eq!(stem(none), None, "{none}");
        }
    }

    #[test]
    fn phrases_are_found_word_by_word() {
        let words = Words::of("Should I use a compressor? How sure are you?");
        assert!(words.has_any("so sure, how sure") && words.has_any("compress*"));
        assert!(!words.has_any("sure how, press*, how surely"));
    }
}
