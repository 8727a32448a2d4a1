//! A song as it was measured.

use crate::decoder::ReferenceBalance;
use crate::engine::Analysis;
use crate::error::{Error, Result};
use crate::stem::{PerStem, Stem};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Version of the files of songs and groups that this program writes. It reads this version and older ones.
pub const FORMAT: u32 = 1;
/// Longest name of a song or a group in characters; longer ones are cut. Chosen, not tuned.
pub const LONGEST_NAME: usize = 200;
/// Hexadecimal digits of a [`SongId`]: 128 bits, so that no two songs have the same.
const ID_DIGITS: usize = 32;

/// Identifies a song by its sound file: the first half of the file's SHA-256.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SongId(String);

impl SongId {
    /// The identifier as hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SongId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for SongId {
    type Err = Error;

    /// Takes an identifier, or the whole SHA-256 of a file.
    fn from_str(text: &str) -> Result<Self> {
        let is_digit = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
        match text.get(..ID_DIGITS) {
            Some(id) if text.as_bytes().iter().all(is_digit) => Ok(SongId(id.to_string())),
            _ => Err(Error::Format(format!("'{text}' does not identify a song"))),
        }
    }
}

impl TryFrom<String> for SongId {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<SongId> for String {
    fn from(id: SongId) -> String {
        id.0
    }
}

/// Levels of a window of a song.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WindowLevels {
    /// Level of each stem against the rest in dB, unweighted RMS; none where absent.
    pub level_db: PerStem<Option<f32>>,
    /// Expected error of the levels in dB.
    pub error_db: PerStem<f32>,
    /// K-weighted level of each stem against the rest in LU; none where absent.
    pub levels_lu: PerStem<Option<f32>>,
}

impl WindowLevels {
    /// The levels in an analysis.
    pub fn of(analysis: &Analysis) -> Self {
        WindowLevels {
            level_db: PerStem::from_fn(|stem| analysis.level_db(stem)),
            error_db: analysis.reading.map(|stem| stem.error_db),
            levels_lu: analysis.levels_lu,
        }
    }
}

/// The levels of a whole song: what aiming at it needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SongLevels {
    /// Identifies the song.
    pub id: SongId,
    /// Name for the user: that of the file.
    pub name: String,
    /// The model that measured it: "compact 0.5.0".
    pub model: String,
    /// Mean, spread and number of its windows.
    pub balance: ReferenceBalance,
    /// The mean levels in LU, for display.
    pub levels_lu: PerStem<Option<f32>>,
}

/// A measured song, as its file keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SongProfile {
    /// [`FORMAT`] of the writer.
    pub format: u32,
    /// The song as a whole.
    #[serde(flatten)]
    pub song: SongLevels,
    /// Its windows that are not silent, in the order of time.
    pub windows: Vec<WindowLevels>,
}

impl SongProfile {
    /// The profile of a song whose windows are `analyses`, with the `balance` that the model gives for them.
    pub fn new(
        id: SongId,
        name: &str,
        model: String,
        balance: ReferenceBalance,
        analyses: &[Analysis],
    ) -> Self {
        let audible = || analyses.iter().filter(|analysis| !analysis.silent);
        let levels_lu = PerStem::from_fn(|stem: Stem| {
            let levels: Vec<f32> = audible().filter_map(|analysis| analysis.levels_lu[stem]).collect();
            (!levels.is_empty()).then(|| levels.iter().sum::<f32>() / levels.len() as f32)
        });
        SongProfile {
            format: FORMAT,
            song: SongLevels { id, name: short_name(name), model, balance, levels_lu },
            windows: audible().map(WindowLevels::of).collect(),
        }
    }
}

impl SongLevels {
    /// Refuses values that this program never writes.
    ///
    /// # Errors
    /// When a level is not a number, or none is known.
    pub fn check(&self) -> Result<()> {
        let finite = |levels: &PerStem<Option<f32>>| {
            levels.iter().all(|(_, level)| level.is_none_or(|level| level.is_finite()))
        };
        let balance = &self.balance;
        if !(finite(&balance.level_db) && finite(&balance.spread_db) && finite(&self.levels_lu)) {
            return Err(Error::Format(format!("{}: has levels that are not numbers", self.name)));
        }
        if balance.level_db.iter().all(|(_, level)| level.is_none()) {
            return Err(Error::Format(format!("{}: has no levels", self.name)));
        }
        Ok(())
    }
}

/// A name on one line, cut to [`LONGEST_NAME`] characters.
pub fn short_name(name: &str) -> String {
    let line = name.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().filter(|letter| !letter.is_control()).take(LONGEST_NAME).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_is_half_a_hash_and_nothing_else() {
        let hash = "0123456789abcdef".repeat(4);
        let id: SongId = hash.parse().unwrap();
        assert_eq!(id.as_str(), &hash[..32]);
        for text in ["", "abc", "../../../../../../../../../../etc/passwd", &"é".repeat(32), &"A".repeat(32)]
        {
            assert!(text.parse::<SongId>().is_err(), "{text}");
        }
        assert!(serde_json::from_str::<SongId>("\"../x\"").is_err());
    }

    #[test]
    fn names_are_one_short_line() {
        assert_eq!(short_name(" a\tsong\n\u{7}.wav "), "a song .wav");
        assert_eq!(short_name(&"x".repeat(999)).len(), LONGEST_NAME);
    }
}
