//! The stem classes of a mix, the directions of an error, and values kept per stem, per target and per direction.
//!
//! To add a stem class, change this file first: everything else is sized by [`Stem::COUNT`] and
//! [`Stem::TARGET_COUNT`].

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
    /// Everything else. Measured, never a target.
    Other,
}

impl Stem {
    /// Number of stem classes.
    pub const COUNT: usize = 4;

    /// Number of targets.
    pub const TARGET_COUNT: usize = 3;

    /// All classes, in array order.
    pub const ALL: [Stem; Self::COUNT] = [Stem::Vocals, Stem::Drums, Stem::Bass, Stem::Other];

    /// The targets: the classes that advice may name, as in the published protocol, in array order.
    pub const TARGETS: [Stem; Self::TARGET_COUNT] = [Stem::Vocals, Stem::Drums, Stem::Bass];

    /// Position in arrays that hold one value per stem.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Position in arrays that hold one value per target; none where advice may not name the stem.
    pub const fn target_index(self) -> Option<usize> {
        match self {
            Stem::Vocals => Some(0),
            Stem::Drums => Some(1),
            Stem::Bass => Some(2),
            Stem::Other => None,
        }
    }

    /// Whether advice may name the stem.
    pub const fn is_target(self) -> bool {
        self.target_index().is_some()
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

/// In which direction a stem is off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Too quiet: the gain that corrects it is positive.
    Quiet,
    /// Too loud: the gain that corrects it is negative.
    Loud,
}

impl Direction {
    /// Number of directions.
    pub const COUNT: usize = 2;

    /// Both directions, in array order.
    pub const ALL: [Direction; Self::COUNT] = [Direction::Quiet, Direction::Loud];

    /// Position in arrays that hold one value per direction.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The other direction.
    pub const fn opposite(self) -> Direction {
        match self {
            Direction::Quiet => Direction::Loud,
            Direction::Loud => Direction::Quiet,
        }
    }

    /// +1 for loud, -1 for quiet: the sign of the injected error.
    pub const fn sign(self) -> f32 {
        match self {
            Direction::Quiet => -1.0,
            Direction::Loud => 1.0,
        }
    }
}

/// One value for each stem. In JSON an object with the stems' names as keys.
///
/// Build it with [`PerStem::from_fn`], [`PerStem::all`], [`PerStem::with`] or [`PerStem::from_array`] rather than with
/// a literal, so that a new stem class does not change the caller.
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
    /// Asks `make` for the value of each stem, in array order.
    pub fn from_fn(mut make: impl FnMut(Stem) -> T) -> Self {
        PerStem {
            vocals: make(Stem::Vocals),
            drums: make(Stem::Drums),
            bass: make(Stem::Bass),
            other: make(Stem::Other),
        }
    }

    /// The same with another value for one stem.
    pub fn with(mut self, stem: Stem, value: T) -> Self {
        self[stem] = value;
        self
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

impl<T> PerStem<Option<T>> {
    /// The values where every stem has one.
    pub fn if_complete(&self) -> Option<PerStem<&T>> {
        let PerStem { vocals, drums, bass, other } = self;
        Some(PerStem {
            vocals: vocals.as_ref()?,
            drums: drums.as_ref()?,
            bass: bass.as_ref()?,
            other: other.as_ref()?,
        })
    }
}

impl<T: Copy> PerStem<T> {
    /// The same value for every stem.
    pub const fn all(value: T) -> Self {
        Self::from_array([value; Stem::COUNT])
    }

    /// The values in array order.
    pub const fn to_array(&self) -> [T; Stem::COUNT] {
        [self.vocals, self.drums, self.bass, self.other]
    }

    /// The values of the targets.
    pub fn targets(&self) -> PerTarget<T> {
        PerTarget::from_fn(|stem| self[stem])
    }

    /// From values in array order.
    pub const fn from_array(values: [T; Stem::COUNT]) -> Self {
        let [vocals, drums, bass, other] = values;
        PerStem { vocals, drums, bass, other }
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

/// One value for each target, in the order of [`Stem::TARGETS`]. In JSON an array.
///
/// Indexing by a stem that is no target is a fault of the program and panics; [`PerTarget::get`] does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PerTarget<T>([T; Stem::TARGET_COUNT]);

impl<T> PerTarget<T> {
    /// Asks `make` for the value of each target, in array order.
    pub fn from_fn(make: impl FnMut(Stem) -> T) -> Self {
        PerTarget(Stem::TARGETS.map(make))
    }

    /// From values in array order.
    pub const fn from_array(values: [T; Stem::TARGET_COUNT]) -> Self {
        PerTarget(values)
    }

    /// The value of a stem; none where the stem is no target.
    pub fn get(&self, stem: Stem) -> Option<&T> {
        stem.target_index().map(|index| &self.0[index])
    }

    /// Target and value, in array order.
    pub fn iter(&self) -> impl Iterator<Item = (Stem, &T)> {
        Stem::TARGETS.into_iter().zip(&self.0)
    }

    /// Target and value, to be changed, in array order.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (Stem, &mut T)> {
        Stem::TARGETS.into_iter().zip(&mut self.0)
    }

    /// The values in array order.
    pub fn values(&self) -> &[T; Stem::TARGET_COUNT] {
        &self.0
    }

    /// The values in array order, to be changed.
    pub fn values_mut(&mut self) -> &mut [T; Stem::TARGET_COUNT] {
        &mut self.0
    }

    /// The values in array order.
    pub fn into_array(self) -> [T; Stem::TARGET_COUNT] {
        self.0
    }
}

impl<T: Copy> PerTarget<T> {
    /// The same value for every target.
    pub const fn all(value: T) -> Self {
        PerTarget([value; Stem::TARGET_COUNT])
    }
}

impl<T> Index<Stem> for PerTarget<T> {
    type Output = T;

    fn index(&self, stem: Stem) -> &T {
        self.get(stem).expect("only a target indexes values kept per target")
    }
}

impl<T> IndexMut<Stem> for PerTarget<T> {
    fn index_mut(&mut self, stem: Stem) -> &mut T {
        let index = stem.target_index().expect("only a target indexes values kept per target");
        &mut self.0[index]
    }
}

/// One value for each direction, in the order of [`Direction::ALL`]. In JSON an array.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PerDirection<T>([T; Direction::COUNT]);

impl<T> PerDirection<T> {
    /// Asks `make` for the value of each direction, in array order.
    pub fn from_fn(make: impl FnMut(Direction) -> T) -> Self {
        PerDirection(Direction::ALL.map(make))
    }

    /// The values in array order.
    pub fn values(&self) -> &[T; Direction::COUNT] {
        &self.0
    }

    /// The values in array order, to be changed.
    pub fn values_mut(&mut self) -> &mut [T; Direction::COUNT] {
        &mut self.0
    }
}

impl<T> Index<Direction> for PerDirection<T> {
    type Output = T;

    fn index(&self, direction: Direction) -> &T {
        &self.0[direction.index()]
    }
}

impl<T> IndexMut<Direction> for PerDirection<T> {
    fn index_mut(&mut self, direction: Direction) -> &mut T {
        &mut self.0[direction.index()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_follow_the_order_of_the_lists() {
        assert!(Stem::ALL.into_iter().enumerate().all(|(index, stem)| stem.index() == index));
        assert!(
            Stem::TARGETS.into_iter().enumerate().all(|(index, stem)| stem.target_index() == Some(index))
        );
        let targets: Vec<Stem> = Stem::ALL.into_iter().filter(|stem| stem.is_target()).collect();
        assert_eq!(targets, Stem::TARGETS);
        assert!(Direction::ALL.into_iter().enumerate().all(|(index, direction)| direction.index() == index));
        let stems = PerStem::from_fn(Stem::index);
        assert_eq!(PerStem::from_array(stems.to_array()), stems);
        assert_eq!(stems.targets(), PerTarget::from_fn(Stem::index));
        assert_eq!(PerTarget::all(1).get(Stem::Other), None);
    }

    #[test]
    fn json_keeps_names_per_stem_and_order_per_target() {
        let stems = PerStem::all(0).with(Stem::Bass, 5);
        let text = serde_json::to_string(&stems).unwrap();
        assert_eq!(text, r#"{"vocals":0,"drums":0,"bass":5,"other":0}"#);
        assert_eq!(serde_json::from_str::<PerStem<i32>>(&text).unwrap(), stems);
        let targets = PerTarget::from_array([1.5, 2.0, 3.5]);
        assert_eq!(serde_json::to_string(&targets).unwrap(), "[1.5,2.0,3.5]");
        assert_eq!(serde_json::from_str::<PerTarget<f64>>("[1.5,2.0,3.5]").unwrap(), targets);
        assert_eq!(targets[Stem::Bass], 3.5);
    }
}
