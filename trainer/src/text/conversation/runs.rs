//! Runs of eight words that an answer shares with templates or training texts: an answer without one is the model's own.

use super::clauses::words_of;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Length of a run in words.
pub const RUN_WORDS: usize = 8;

/// The runs of many texts. Figures count as words; case and punctuation don't count.
#[derive(Clone, Debug, Default)]
pub struct WordRuns {
    seen: HashSet<u64>,
}

impl WordRuns {
    /// Adds all runs of a text.
    pub fn add(&mut self, text: &str) {
        self.seen.extend(words_of(text).windows(RUN_WORDS).map(hash_of));
    }

    /// The first run of a text that another text has, too.
    pub fn shared(&self, text: &str) -> Option<String> {
        let words = words_of(text);
        words.windows(RUN_WORDS).find(|run| self.seen.contains(&hash_of(run))).map(|run| run.join(" "))
    }

    /// Number of different runs.
    pub fn len(&self) -> usize {
        self.seen.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }
}

fn hash_of(words: &[String]) -> u64 {
    let mut hasher = DefaultHasher::new();
    words.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_eight_words_is_found_whatever_the_punctuation() {
        let mut runs = WordRuns::default();
        runs.add("The drums sit 4.5 LU under the rest, so lower them.");
        assert_eq!(runs.len(), 4);
        let shared = runs.shared("Well: the DRUMS sit 4.5 LU under the rest!");
        assert_eq!(shared.as_deref(), Some("the drums sit 4.5 lu under the rest"));
        assert_eq!(runs.shared("The drums sit 4 LU under the rest, so lower them."), None);
        assert_eq!(runs.shared("the drums sit"), None);
    }
}
