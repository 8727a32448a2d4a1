//! Numbers and directions of an answer against the facts of its window.
//!
//! Numbers: every figure must be one of the facts, of the stem that its clause is about, on the right side: a level here, in the
//! reference or at an end of the usual range; a difference from the reference; the gain of the decision; a probability.
//! Directions: "too loud", "lower", "nothing is off" and the like must agree with the decision; a second guess may be named as
//! one. What is not recognized is not counted: the check finds contradictions, it does not prove their absence.

use super::clauses::{Clause, clauses};
use super::lexicon::Lexicon;
use mixing_buddy_core::conversation::Facts;
use mixing_buddy_core::{Direction, Stem};
use serde::Serialize;

/// Largest difference between a figure and its fact, in dB, LU or percent: figures are rounded to a half or to a whole.
const TOLERANCE: f32 = 0.51;
/// Words before a claim in which a negation counts.
const NEGATION_WORDS: usize = 4;
/// Words after a figure in which its side stands: "9 LU under", "4 dB too loud".
const SIDE_WORDS: usize = 3;

/// A contradiction, with the clause in which it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Contradiction {
    /// A figure that is none of the facts.
    Number(String),
    /// A direction or move that is not the decision's.
    Direction(String),
    /// "Nothing is off", where something is.
    NothingOff(String),
}

/// What a clause claims of a stem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// The stem is off in this direction, or must be moved against it.
    Off(usize, Direction),
    /// Nothing is off.
    Right,
}

/// All contradictions between an answer and the facts.
pub fn contradictions(answer: &str, facts: &Facts, lexicon: &Lexicon) -> Vec<Contradiction> {
    let all = clauses(answer, lexicon, facts.best.stem);
    let mut found = Vec::new();
    let mut context = Context::Here;
    let mut sentence = 0;
    for clause in &all {
        if clause.sentence != sentence {
            (sentence, context) = (clause.sentence, Context::Here);
        }
        let is_second = all.iter().any(|other| {
            other.sentence == clause.sentence && lexicon.occurs("claims", "second", &other.words)
        });
        check_claims(clause, is_second, facts, lexicon, &mut found);
        check_comparison(clause, facts, lexicon, &mut found);
        context = check_numbers(clause, facts, lexicon, context, &mut found);
    }
    found
}

/// What a clause claims, without what it negates or only supposes.
pub(super) fn claims_of(clause: &Clause, lexicon: &Lexicon) -> Vec<Claim> {
    let words = &clause.words;
    if lexicon.occurs("claims", "condition", words) {
        return Vec::new();
    }
    let is_meant = |at: usize| {
        let before = &words[at.saturating_sub(NEGATION_WORDS)..at];
        !lexicon.occurs("claims", "negation", before)
    };
    let has_gain = figures(words).iter().any(|at| unit_at(words, *at, lexicon) == Unit::Gain);
    let mut claims = Vec::new();
    let mut add = |key: &str, direction: Direction| {
        let places = lexicon.places("claims", key, words).into_iter().filter(|at| is_meant(*at));
        claims.extend(places.map(|at| Claim::Off(at, direction)));
    };
    add("too_loud", Direction::Loud);
    add("too_quiet", Direction::Quiet);
    add("little_loud", Direction::Loud);
    add("little_quiet", Direction::Quiet);
    add("lower", Direction::Loud);
    add("raise", Direction::Quiet);
    if has_gain {
        add("lower_by", Direction::Loud);
        add("raise_by", Direction::Quiet);
    }
    for at in lexicon.places("claims", "covers", words).into_iter().filter(|at| is_meant(*at)) {
        let has_before = clause.stems.iter().any(|(place, _)| *place < at);
        let is_covered = !has_before && !clause.stems.is_empty();
        claims.push(Claim::Off(at, if is_covered { Direction::Quiet } else { Direction::Loud }));
    }
    if lexicon.occurs("claims", "right", words) {
        claims.push(Claim::Right);
    }
    claims
}

/// `is_second`: the clause's sentence is about the second guess.
fn check_claims(
    clause: &Clause,
    is_second: bool,
    facts: &Facts,
    lexicon: &Lexicon,
    found: &mut Vec<Contradiction>,
) {
    let is_hedged = is_second || lexicon.occurs("claims", "hedge", &clause.words);
    let second = facts.runner_up.filter(|_| is_hedged).map(|guess| guess.error);
    for claim in claims_of(clause, lexicon) {
        match claim {
            Claim::Right => {
                if facts.error().is_some() && second != Some(None) {
                    found.push(Contradiction::NothingOff(clause.text()));
                }
            }
            Claim::Off(at, direction) => {
                let Some(stem) = clause.stem_at(at) else { continue };
                let error = Some((stem, direction));
                if facts.error() != error && second != Some(error) {
                    found.push(Contradiction::Direction(clause.text()));
                }
            }
        }
    }
}

/// "Louder than in your reference", without a figure.
fn check_comparison(clause: &Clause, facts: &Facts, lexicon: &Lexicon, found: &mut Vec<Contradiction>) {
    let words = &clause.words;
    if !figures(words).is_empty() || !lexicon.occurs("contexts", "reference", words) {
        return;
    }
    for (key, sign) in [("quieter", -1.0), ("louder", 1.0)] {
        for at in lexicon.places("sides", key, words) {
            let compares = lexicon.begins("sides", "than", &words[at + 1..]).is_some();
            let difference = clause.stem_at(at).and_then(|stem| facts.from_reference_lu(stem));
            let negated = lexicon.occurs("claims", "negation", &words[at.saturating_sub(NEGATION_WORDS)..at]);
            if compares && !negated && !difference.is_some_and(|d| d * sign > 0.0 || d.abs() <= TOLERANCE) {
                found.push(Contradiction::Direction(clause.text()));
            }
        }
    }
}

/// What a level is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Context {
    Here,
    Reference,
    Usual,
}

/// The unit of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Loudness,
    Gain,
    Percent,
    Ignored,
    None,
}

/// Checks the figures of a clause; returns the context in which the next clause of the sentence stands.
fn check_numbers(
    clause: &Clause,
    facts: &Facts,
    lexicon: &Lexicon,
    carried: Context,
    found: &mut Vec<Contradiction>,
) -> Context {
    let words = &clause.words;
    let cues: Vec<(usize, Context)> =
        [("here", Context::Here), ("reference", Context::Reference), ("usual", Context::Usual)]
            .into_iter()
            // "No reference is set" says nothing of what follows.
            .filter(|(_, context)| *context != Context::Reference || facts.reference_lu.is_some())
            .flat_map(|(key, context)| {
                lexicon.places("contexts", key, words).into_iter().map(move |at| (at, context))
            })
            .collect();
    let is_move =
        ["lower", "raise", "lower_by", "raise_by"].iter().any(|key| lexicon.occurs("claims", key, words));
    let compares = cues.iter().any(|(_, context)| *context == Context::Reference);
    let numbers = figures(words);
    for at in &numbers {
        let Ok(value) = words[*at].parse::<f32>() else { continue };
        let before = cues.iter().filter(|(cue, _)| cue < at).max_by_key(|(cue, _)| *cue);
        let after = cues.iter().filter(|(cue, _)| cue > at).min_by_key(|(cue, _)| *cue);
        let context = before.or(after).map_or(carried, |(_, context)| *context);
        let is_fact = match unit_at(words, *at, lexicon) {
            Unit::Ignored => true,
            Unit::Percent => is_probability(value, facts),
            // The figure of a move is the gain; others in dB are levels, as people say them.
            Unit::Gain if is_move && !compares => is_gain(value, clause.stem_at(*at), facts),
            Unit::Gain => {
                is_gain(value, clause.stem_at(*at), facts)
                    || is_level(value, *at, clause, context, facts, lexicon)
            }
            Unit::Loudness | Unit::None => is_level(value, *at, clause, context, facts, lexicon),
        };
        if !is_fact {
            found.push(Contradiction::Number(format!("{value} in: {}", clause.text())));
        }
    }
    // "In your reference, they sit 5 LU under": the words count for the clause after them.
    match cues.iter().max_by_key(|(at, _)| *at) {
        Some((_, context)) if numbers.is_empty() || *context == Context::Usual => *context,
        None if numbers.is_empty() || carried == Context::Usual => carried,
        _ => Context::Here,
    }
}

/// Where the figures of a clause stand.
fn figures(words: &[String]) -> Vec<usize> {
    // "808" is a bass.
    (0..words.len()).filter(|at| words[*at] != "808" && words[*at].parse::<f32>().is_ok()).collect()
}

fn unit_at(words: &[String], at: usize, lexicon: &Lexicon) -> Unit {
    let rest = &words[at + 1..];
    let units = [
        ("loudness", Unit::Loudness),
        ("gain", Unit::Gain),
        ("percent", Unit::Percent),
        ("ignored", Unit::Ignored),
    ];
    units
        .into_iter()
        .find(|(key, _)| lexicon.begins("units", key, rest).is_some())
        .map_or(Unit::None, |(_, unit)| unit)
}

fn is_near(value: f32, fact: f32) -> bool {
    (value - fact.abs()).abs() <= TOLERANCE
}

fn is_probability(value: f32, facts: &Facts) -> bool {
    let known =
        [Some(facts.confidence), Some(facts.threshold), facts.runner_up.map(|guess| guess.probability)];
    known.into_iter().flatten().any(|probability| is_near(value, probability * 100.0))
}

fn is_gain(value: f32, stem: Option<Stem>, facts: &Facts) -> bool {
    let is_named = stem.is_none() || stem == facts.best.stem;
    is_named && facts.best.gain_db.is_some_and(|gain_db| is_near(value, gain_db))
}

/// Which side a figure is said to be on.
enum Side {
    /// Under (-1) or over (1) the rest.
    Level(f32),
    /// Quieter (-1) or louder (1) than in the reference.
    Difference(f32),
    Unsaid,
}

fn side_at(words: &[String], at: usize, lexicon: &Lexicon) -> Side {
    let end = (at + 1 + SIDE_WORDS).min(words.len());
    for from in at + 1..end {
        if words[from].parse::<f32>().is_ok() {
            break;
        }
        let begins = |key| lexicon.begins("sides", key, &words[from..]).is_some();
        if begins("under") {
            return Side::Level(-1.0);
        }
        if begins("over") {
            return Side::Level(1.0);
        }
        if begins("quieter") {
            return Side::Difference(-1.0);
        }
        if begins("louder") {
            return Side::Difference(1.0);
        }
    }
    Side::Unsaid
}

fn is_level(
    value: f32,
    at: usize,
    clause: &Clause,
    context: Context,
    facts: &Facts,
    lexicon: &Lexicon,
) -> bool {
    let Some(stem) = clause.stem_at(at) else { return false };
    let levels: Vec<f32> = match context {
        Context::Here => facts.levels_lu[stem].into_iter().collect(),
        Context::Reference => {
            facts.reference_lu.as_ref().and_then(|reference| reference[stem]).into_iter().collect()
        }
        Context::Usual => {
            let (low, high) = facts.usual_lu[stem];
            vec![low, high]
        }
    };
    let difference = facts.from_reference_lu(stem);
    // A figure near zero is on both sides.
    let agrees =
        |fact: f32, sign: f32| is_near(value, fact) && (fact * sign > 0.0 || fact.abs() <= TOLERANCE);
    match side_at(&clause.words, at, lexicon) {
        Side::Level(sign) => levels.into_iter().any(|level| agrees(level, sign)),
        Side::Difference(sign) => difference.is_some_and(|difference| agrees(difference, sign)),
        Side::Unsaid => levels.into_iter().chain(difference).any(|fact| is_near(value, fact)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::language::Language;
    use super::*;
    use mixing_buddy_core::conversation::Guess;
    use mixing_buddy_core::{BestAnswer, PerStem, Verdict};

    fn facts() -> Facts {
        Facts {
            levels_lu: PerStem::from_array([Some(-9.0), Some(-2.0), Some(-7.5), None]),
            reference_lu: Some(PerStem::from_array([Some(-5.0), Some(-6.0), Some(-7.0), None])),
            usual_lu: PerStem::all((-8.5, 1.0)),
            anchor: None,
            best: BestAnswer { verdict: Verdict::Loud, stem: Some(Stem::Drums), gain_db: Some(-4.0) },
            confidence: 0.74,
            threshold: 0.6,
            runner_up: Some(Guess { error: Some((Stem::Vocals, Direction::Quiet)), probability: 0.21 }),
        }
    }

    fn count(answer: &str, facts: &Facts) -> usize {
        contradictions(answer, facts, &Lexicon::shipped(Language::En).expect("it is sound")).len()
    }

    #[test]
    fn true_answers_pass() {
        for answer in [
            "The vocals sit 9 LU under the rest; in your reference it was 5.",
            "The drums are a bit too loud: 2 LU under the rest, against 6 in your reference. Lower them by 4 dB.",
            "The bass can stay. It is 0.5 LU quieter than in your reference. Instead, take 4 dB off the drums.",
            "Usually drums sit from 8.5 LU under to 1 LU over the rest, here 2 LU under.",
            "About 74 % sure that the drums are too loud. The vocals might be too quiet, with a chance of 21 %.",
            "About 74 % sure that the drums are too loud. My next guess, at 21 %: the vocals are too quiet.",
            "No need to raise the vocals. They are not too quiet.",
            "If you raise the vocals, you change the wrong thing.",
            "The drums cover the vocals. The 808 is fine.",
            "The vocals are quieter than in your reference.",
        ] {
            assert_eq!(count(answer, &facts()), 0, "{answer}");
        }
    }

    #[test]
    fn wrong_figures_are_found() {
        for answer in [
            "The vocals sit 6 LU under the rest.",
            "The vocals sit 9 LU over the rest.",
            "The vocals sit 5 LU under the rest; in your reference it was 9.",
            "The drums sit 9 LU under the rest.",
            "The other instruments sit 3 LU under the rest.",
            "The bass is 0.5 LU louder than in your reference, or 4 LU louder.",
            "Lower the drums by 7 dB.",
            "I am 90 % sure.",
            "Usually vocals sit from 12 LU under to 1 LU over the rest.",
        ] {
            assert!(count(answer, &facts()) >= 1, "{answer}");
        }
    }

    #[test]
    fn wrong_directions_are_found() {
        for answer in [
            "The drums are too quiet.",
            "The vocals are too loud.",
            "Raise the drums by 4 dB.",
            "Bring the bass down 4 dB.",
            "The vocals cover the drums.",
            "Nothing is off here.",
            "The vocals are louder than in your reference.",
        ] {
            assert!(count(answer, &facts()) >= 1, "{answer}");
        }
        let best = BestAnswer { verdict: Verdict::NoError, stem: None, gain_db: None };
        let right = Facts { best, runner_up: None, ..facts() };
        assert_eq!(count("Nothing is off here.", &right), 0);
        assert_eq!(count("The drums are a bit too loud.", &right), 1);
        assert_eq!(count("The drums might be a bit too loud.", &right), 1, "no second guess is known");
    }
}
