//! Damaged and random texts in place of a project's state: no panic, no runaway memory, and what was read can be saved.
//!
//! The ordinary test tries [`SHORT_CASES`] texts. `cargo xtask test --full state` tries as many as
//! `MIXING_BUDDY_FUZZ_CASES` says.
#![allow(clippy::unwrap_used)]

use counting::{ALONE, IN_USE, PEAK};
use mixing_buddy::state::{Loaded, ProjectState, Saved};
use nice_plug::prelude::Params;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{RngSeed, TestRunner};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

#[path = "../../tests/src/counting.rs"]
mod counting;

/// Texts of the ordinary test.
const SHORT_CASES: u32 = 2_000;
/// Most memory in bytes that a text of some kilobytes may take: about a hundred copies of it.
const MEMORY_LIMIT: usize = 1 << 20;

/// A project of version 0.5.0 with all that a state can hold, the same as this version writes it, and small ones.
fn seeds() -> Vec<String> {
    let old: serde_json::Value = serde_json::from_str(include_str!("fixtures/state_0_5_0.json")).unwrap();
    let fields = old["fields"].as_object().unwrap();
    let fields: BTreeMap<String, String> =
        fields.iter().map(|(key, text)| (key.clone(), text.as_str().unwrap().to_string())).collect();
    let project = ProjectState::default();
    project.deserialize_fields(&fields);
    let small = ["{}", r#"{"version": 99, "choices": 1}"#, r#"{"choices": {"anchor": "bass"}}"#];
    let small = small.into_iter().map(String::from);
    fields.into_values().chain([project.to_text(), ProjectState::default().to_text()]).chain(small).collect()
}

/// One change of a text. Places are bytes.
#[derive(Clone, Debug)]
enum Change {
    Byte(Index, u8),
    Remove(Index, u8),
    Cut(Index),
    /// A piece of the text a second time.
    Again(Index, u8),
    /// A word of JSON in place of what stands there.
    Word(Index, &'static str),
    /// A word of JSON in place of the value that starts at or after a place.
    Value(Index, &'static str),
}

const WORDS: &[&str] = &[
    "null",
    "true",
    "-1",
    "1e300",
    "-1e999",
    "1e-320",
    "18446744073709551615",
    "99999999999999999999",
    "[]",
    "{}",
    "\"\"",
    "\"\\u0000\"",
    "[[[[[[[[",
    "\"version\":2,",
    "\"bass\"",
    "\u{1F3B5}",
];

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        1 => (any::<Index>(), any::<u8>()).prop_map(|(at, value)| Change::Byte(at, value)),
        1 => (any::<Index>(), any::<u8>()).prop_map(|(at, count)| Change::Remove(at, count)),
        1 => any::<Index>().prop_map(Change::Cut),
        1 => (any::<Index>(), any::<u8>()).prop_map(|(at, count)| Change::Again(at, count)),
        1 => (any::<Index>(), select(WORDS)).prop_map(|(at, word)| Change::Word(at, word)),
        5 => (any::<Index>(), select(WORDS)).prop_map(|(at, word)| Change::Value(at, word)),
    ]
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    let len = bytes.len();
    if len == 0 {
        return;
    }
    match change {
        Change::Byte(at, value) => bytes[at.index(len)] = *value,
        Change::Remove(at, count) => {
            let at = at.index(len);
            bytes.drain(at..len.min(at + usize::from(*count)));
        }
        Change::Cut(at) => bytes.truncate(at.index(len)),
        Change::Again(at, count) => {
            let at = at.index(len);
            let piece = bytes[at..len.min(at + usize::from(*count))].to_vec();
            bytes.splice(at..at, piece);
        }
        Change::Word(at, word) => {
            let at = at.index(len);
            bytes.splice(at..len.min(at + word.len()), word.bytes());
        }
        Change::Value(at, word) => {
            let at = at.index(len);
            let Some(colon) = bytes[at..].iter().position(|byte| *byte == b':') else { return };
            let start = at + colon + 1;
            let end = bytes[start..].iter().position(|byte| b",}]".contains(byte));
            bytes.splice(start..end.map_or(len, |end| start + end), word.bytes());
        }
    }
}

fn try_text(text: &str) -> Result<(), TestCaseError> {
    let before = IN_USE.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let project = ProjectState::default();
    project.load_text(text);
    let saved_again = project.to_text();
    match project.take_loaded() {
        Some(Loaded::Saved(saved)) => {
            let other = ProjectState::default();
            other.load_text(&saved_again);
            prop_assert_eq!(other.take_loaded().map(saved_of), Some(Ok(Saved::clone(&saved))));
            prop_assert_eq!(other.panel(), project.panel());
        }
        Some(Loaded::Unusable(sentence)) => {
            prop_assert!(sentence.contains("Defaults are in use"), "{}", sentence)
        }
        None => prop_assert!(false, "nothing was loaded"),
    }
    let peak = PEAK.load(Ordering::Relaxed).saturating_sub(before);
    prop_assert!(peak < MEMORY_LIMIT, "{} bytes in use", peak);
    Ok(())
}

fn saved_of(loaded: Loaded) -> Result<Saved, String> {
    match loaded {
        Loaded::Saved(saved) => Ok(Saved::clone(&saved)),
        Loaded::Unusable(sentence) => Err(sentence),
    }
}

fn run(cases: u32, rng_seed: RngSeed) {
    let _alone = ALONE.lock();
    let seeds = seeds();
    let config = ProptestConfig { cases, rng_seed, failure_persistence: None, ..ProptestConfig::default() };
    let damaged = (any::<Index>(), vec(change(), 0..5)).prop_map(move |(seed, changes)| {
        let mut bytes = seeds[seed.index(seeds.len())].clone().into_bytes();
        changes.iter().for_each(|change| apply(&mut bytes, change));
        bytes
    });
    let random = vec(any::<u8>(), 0..200);
    TestRunner::new(config)
        .run(&prop_oneof![7 => damaged, 1 => random], |bytes| try_text(&String::from_utf8_lossy(&bytes)))
        .unwrap();
}

#[test]
fn damaged_states_are_survived() {
    // The same texts in every run: what is found at random belongs to the long run.
    run(SHORT_CASES, RngSeed::Fixed(1));
}

#[test]
#[ignore = "a long run: `cargo xtask test --full state`"]
fn very_many_damaged_states_are_survived() {
    let cases = std::env::var("MIXING_BUDDY_FUZZ_CASES").ok().and_then(|count| count.parse().ok());
    run(cases.expect("MIXING_BUDDY_FUZZ_CASES is the number of texts"), RngSeed::Random);
}
