//! A part of a job that several processes or machines share.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use thiserror::Error;

/// The `number`th of `of` parts, counted from 1; as text, `2/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    number: u64,
    of: u64,
}

/// Text that is not a part.
#[derive(Debug, Error)]
#[error("'{0}' is not a part: give its number and how many there are, such as 1/8 for the first of eight")]
pub struct NotAPart(String);

impl Part {
    /// All of it.
    pub const WHOLE: Part = Part { number: 1, of: 1 };

    /// Which of `count` things belong to this part. The parts one after another are all of them, and differ by one in
    /// length at most.
    pub fn range(self, count: u64) -> Range<u64> {
        let bound = |number: u64| (u128::from(count) * u128::from(number) / u128::from(self.of)) as u64;
        bound(self.number - 1)..bound(self.number)
    }

    /// Those of `things` that belong to this part.
    pub fn of<T>(self, things: &[T]) -> &[T] {
        let range = self.range(things.len() as u64);
        &things[range.start as usize..range.end as usize]
    }
}

impl FromStr for Part {
    type Err = NotAPart;

    fn from_str(text: &str) -> Result<Self, NotAPart> {
        let numbers =
            text.split_once('/').and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
        match numbers {
            Some((number, of)) if (1..=of).contains(&number) => Ok(Part { number, of }),
            _ => Err(NotAPart(text.to_string())),
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_one_after_another_are_the_whole() {
        for (count, of) in [(0, 3), (2, 3), (7, 3), (24, 8), (u64::MAX, 7)] {
            let ranges: Vec<_> = (1..=of).map(|number| Part { number, of }.range(count)).collect();
            assert_eq!((ranges[0].start, ranges.last().map(|last| last.end)), (0, Some(count)));
            assert!(ranges.windows(2).all(|pair| pair[0].end == pair[1].start));
            let lengths = || ranges.iter().map(|range| range.end - range.start);
            assert!(lengths().max().unwrap() - lengths().min().unwrap() <= 1);
        }
        let things: Vec<usize> = (0..10).collect();
        assert_eq!("2/3".parse::<Part>().unwrap().of(&things), [3, 4, 5]);
    }

    #[test]
    fn what_is_no_part_is_refused() {
        for text in ["", "1", "0/2", "3/2", "1/0", "a/b", "1/2/3", "-1/2"] {
            let sentence = text.parse::<Part>().unwrap_err().to_string();
            assert!(sentence.contains("is not a part"), "{sentence}");
        }
        assert_eq!("3/8".parse::<Part>().unwrap().to_string(), "3/8");
    }
}
