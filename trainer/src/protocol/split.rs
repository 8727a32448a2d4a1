//! What a song may be used for.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The part of a collection that a song belongs to.
///
/// Files may state any name: one that is not known here is kept as [`Split::Named`]. No run learns from such a song;
/// it can be measured on when its split is asked for by name. (The corpus keeps its demonstration song as `demo`.)
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Split {
    /// Songs that the encoder learns from.
    Train,
    /// Songs that a collection holds out for validation. Feature maps made of them are [`Split::Calib`].
    Valid,
    /// Songs that the encoder does not learn from: the advisor learns how an encoder errs on them, and the bundle is
    /// calibrated on them.
    Calib,
    /// Songs to measure on.
    Test,
    /// Any other split, by name.
    Named(String),
}

impl Split {
    /// The splits that have a meaning here.
    pub const KNOWN: [Split; 4] = [Split::Train, Split::Valid, Split::Calib, Split::Test];

    /// Name as in files and options.
    pub fn name(&self) -> &str {
        match self {
            Split::Train => "train",
            Split::Valid => "valid",
            Split::Calib => "calib",
            Split::Test => "test",
            Split::Named(name) => name,
        }
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl From<String> for Split {
    fn from(name: String) -> Self {
        Split::KNOWN.into_iter().find(|split| split.name() == name).unwrap_or(Split::Named(name))
    }
}

impl From<Split> for String {
    fn from(split: Split) -> Self {
        match split {
            Split::Named(name) => name,
            known => known.name().to_string(),
        }
    }
}

impl FromStr for Split {
    type Err = String;

    /// Reads an option. Unlike a file, it may not state a name with capitals or spaces, most likely a slip.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() || text.contains(|sign: char| sign.is_uppercase() || sign.is_whitespace()) {
            return Err(format!(
                "'{text}' is not a split; a split is one lower-case word, such as train, valid, calib or test"
            ));
        }
        Ok(Split::from(text.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::Split;

    #[test]
    fn every_name_comes_back_from_json_and_only_odd_options_are_refused() {
        for name in ["train", "valid", "calib", "test", "demo", "Hold out"] {
            let json = format!("\"{name}\"");
            let split: Split = serde_json::from_str(&json).unwrap();
            assert_eq!((split.name(), serde_json::to_string(&split).unwrap()), (name, json));
            assert_eq!(matches!(split, Split::Named(_)), !Split::KNOWN.contains(&split));
        }
        assert_eq!("calib".parse(), Ok(Split::Calib));
        assert_eq!("demo".parse(), Ok(Split::Named("demo".into())));
        for odd in ["", "Train", "hold out"] {
            assert!(odd.parse::<Split>().unwrap_err().contains("is not a split"));
        }
    }
}
