//! What a question is about.

use crate::stem::Stem;
use serde::{Deserialize, Serialize};

/// What a question is about. It decides what the reply talks about, never what the verdict is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// The whole balance.
    #[default]
    Balance,
    /// One stem.
    About(Stem),
    /// The distance from the reference, of the whole mix or of one stem.
    Compare(Option<Stem>),
    /// The measured levels, of all stems or of one.
    Levels(Option<Stem>),
    /// The reason for the verdict, or for what was said of one stem.
    Why(Option<Stem>),
    /// How sure the advisor is.
    Confidence,
    /// What to do first.
    First,
    /// What happens if only this stem is changed.
    Only(Stem),
    /// Something that the advisor cannot judge.
    OutOfReach(Field),
    /// The question was not understood.
    Unclear,
}

impl Topic {
    /// The stem that a reply must talk about; none where the question names none.
    pub fn asked_stem(self) -> Option<Stem> {
        match self {
            Topic::About(stem) | Topic::Only(stem) => Some(stem),
            Topic::Compare(stem) | Topic::Levels(stem) | Topic::Why(stem) => stem,
            Topic::Balance | Topic::Confidence | Topic::First | Topic::OutOfReach(_) | Topic::Unclear => None,
        }
    }

    /// Whether the right reply is a no.
    pub fn is_out_of_reach(self) -> bool {
        matches!(self, Topic::OutOfReach(_) | Topic::Unclear)
    }
}

/// What the advisor cannot judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// Equalizers, frequencies, timbre.
    Equalizer,
    /// Compressors, limiters, gates.
    Dynamics,
    /// Reverb, delay and other effects.
    Effects,
    /// Panning and stereo width.
    Stereo,
    /// Loudness of the master, formats, platforms.
    Mastering,
    /// Pitch, key, tempo, timing.
    PitchAndTime,
    /// Lyrics, melodies, arrangements.
    Writing,
    /// Plugins, instruments, programs.
    Tools,
    /// Everything else.
    Elsewhere,
}

impl Field {
    /// All fields.
    pub const ALL: [Field; 9] = [
        Field::Equalizer,
        Field::Dynamics,
        Field::Effects,
        Field::Stereo,
        Field::Mastering,
        Field::PitchAndTime,
        Field::Writing,
        Field::Tools,
        Field::Elsewhere,
    ];

    /// Name as in JSON and in files of wordings.
    pub const fn name(self) -> &'static str {
        match self {
            Field::Equalizer => "equalizer",
            Field::Dynamics => "dynamics",
            Field::Effects => "effects",
            Field::Stereo => "stereo",
            Field::Mastering => "mastering",
            Field::PitchAndTime => "pitch_and_time",
            Field::Writing => "writing",
            Field::Tools => "tools",
            Field::Elsewhere => "elsewhere",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_and_fields_are_written_by_name() {
        let json = |topic: Topic| serde_json::to_string(&topic).expect("it can be written");
        assert_eq!(json(Topic::Balance), r#""balance""#);
        assert_eq!(json(Topic::Only(Stem::Drums)), r#"{"only":"drums"}"#);
        assert_eq!(json(Topic::Why(None)), r#"{"why":null}"#);
        for field in Field::ALL {
            assert_eq!(json(Topic::OutOfReach(field)), format!(r#"{{"out_of_reach":"{}"}}"#, field.name()));
        }
    }
}
