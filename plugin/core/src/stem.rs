//! The four stem classes of a mix, and values kept one a stem.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::{Index, IndexMut};
use std::str::FromStr;

/// A stem class, in the order in which every array of this project holds them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stem {
    /// Lead and backing voices.
    Vocals,
    /// Drums and percussion.
    Drums,
    /// Bass guitar, double bass, synth bass.
    Bass,
    /// Everything else. Measured, never blamed.
    Other,
}

impl Stem {
    /// All four classes, in array order.
    pub const ALL: [Stem; 4] = [Stem::Vocals, Stem::Drums, Stem::Bass, Stem::Other];

    /// The classes that advice may name, as in the published protocol.
    pub const TARGETS: [Stem; 3] = [Stem::Vocals, Stem::Drums, Stem::Bass];

    /// Position in arrays held one value a stem.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Lower-case name, as in file names, JSON and options.
    pub const fn name(self) -> &'static str {
        match self {
            Stem::Vocals => "vocals",
            Stem::Drums => "drums",
            Stem::Bass => "bass",
            Stem::Other => "other",
        }
    }
}

impl fmt::Display for Stem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Stem {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let lower = text.trim().to_ascii_lowercase();
        Stem::ALL
            .into_iter()
            .find(|stem| stem.name() == lower)
            .ok_or_else(|| format!("'{text}' is not a stem; the stems are vocals, drums, bass and other"))
    }
}

/// Which way a stem is off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Too quiet: the mending gain is positive.
    Quiet,
    /// Too loud: the mending gain is negative.
    Loud,
}

impl Direction {
    /// Both directions, in array order.
    pub const ALL: [Direction; 2] = [Direction::Quiet, Direction::Loud];

    /// +1 for loud, -1 for quiet: the sign of the injected error.
    pub const fn sign(self) -> f32 {
        match self {
            Direction::Quiet => -1.0,
            Direction::Loud => 1.0,
        }
    }
}

/// One value for each of the four stems.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PerStem<T> {
    /// Value of [`Stem::Vocals`].
    pub vocals: T,
    /// Value of [`Stem::Drums`].
    pub drums: T,
    /// Value of [`Stem::Bass`].
    pub bass: T,
    /// Value of [`Stem::Other`].
    pub other: T,
}

impl<T> PerStem<T> {
    /// Builds one value a stem by asking `make` for each.
    pub fn from_fn(mut make: impl FnMut(Stem) -> T) -> Self {
        PerStem {
            vocals: make(Stem::Vocals),
            drums: make(Stem::Drums),
            bass: make(Stem::Bass),
            other: make(Stem::Other),
        }
    }

    /// Applies `f` to each value.
    pub fn map<U>(&self, mut f: impl FnMut(&T) -> U) -> PerStem<U> {
        PerStem::from_fn(|stem| f(&self[stem]))
    }

    /// Stem and value, in array order.
    pub fn iter(&self) -> impl Iterator<Item = (Stem, &T)> {
        Stem::ALL.into_iter().map(move |stem| (stem, &self[stem]))
    }
}

impl<T: Copy> PerStem<T> {
    /// The values in array order.
    pub fn to_array(&self) -> [T; 4] {
        [self.vocals, self.drums, self.bass, self.other]
    }

    /// From values in array order.
    pub fn from_array(values: [T; 4]) -> Self {
        PerStem::from_fn(|stem| values[stem.index()])
    }
}

impl<T> Index<Stem> for PerStem<T> {
    type Output = T;

    fn index(&self, stem: Stem) -> &T {
        match stem {
            Stem::Vocals => &self.vocals,
            Stem::Drums => &self.drums,
            Stem::Bass => &self.bass,
            Stem::Other => &self.other,
        }
    }
}

impl<T> IndexMut<Stem> for PerStem<T> {
    fn index_mut(&mut self, stem: Stem) -> &mut T {
        match stem {
            Stem::Vocals => &mut self.vocals,
            Stem::Drums => &mut self.drums,
            Stem::Bass => &mut self.bass,
            Stem::Other => &mut self.other,
        }
    }
}
