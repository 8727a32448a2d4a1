//! The reply of the compact model to a topic: fixed phrases around the measured levels and the one decision.

use super::facts::Facts;
use super::phrases::{
    Noun, against_rest, capital, direction_word, is_nothing, order, outcome, percent, short_level, size,
};
use super::topic::{Field, Topic};
use crate::stem::Stem;

/// Probability of a second guess from which a reply mentions it. Chosen, not tuned: one chance in five.
const MENTIONED_FROM: f32 = 0.2;

/// The reply to a topic. `general` is the advice in words, as the general question gets it.
pub fn reply_text(topic: Topic, facts: &Facts, general: &str) -> String {
    match topic {
        Topic::Balance => general.to_string(),
        Topic::About(stem) => about(stem, facts, general),
        Topic::Compare(stem) => compare(stem, facts, general),
        Topic::Levels(stem) => levels(stem, facts),
        Topic::Why(None) => why(facts),
        Topic::Why(Some(stem)) => why_of(stem, facts, general),
        Topic::Confidence => confidence(facts),
        Topic::First => first(facts, general),
        Topic::Only(stem) => only(stem, facts),
        Topic::OutOfReach(field) => out_of_reach(field),
        Topic::Unclear => {
            "I can't answer that, or I did not understand it. I only judge how loud the vocals, drums and bass are against \
             the rest: ask me about those, in English."
                .into()
        }
    }
}

/// Joins the sentences that there are.
fn sentences<const N: usize>(parts: [Option<String>; N]) -> String {
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// Where a stem sits, and where it would be expected: in the reference, or usually. None for an absent stem.
fn evidence(stem: Stem, facts: &Facts) -> Option<String> {
    let level = facts.levels_lu[stem]?;
    let noun = Noun::of(stem);
    let expected = match &facts.reference_lu {
        Some(reference) => match reference[stem] {
            Some(level) => {
                format!("in your reference {} {} {}", noun.they.to_lowercase(), noun.sit, short_level(level))
            }
            None => format!("your reference has no {} to compare with", noun.name),
        },
        None => {
            let (low, high) = facts.usual_lu[stem];
            format!("usual is {}", range(low, high))
        }
    };
    Some(format!("{} {} {}; {expected}.", noun.they, noun.sit, against_rest(level)))
}

/// A usual range: "from 8.5 LU under it to 1 LU over it".
fn range(low: f32, high: f32) -> String {
    format!("from {} to {}", short_level(low), short_level(high))
}

fn absent(stem: Stem) -> String {
    let noun = Noun::of(stem);
    format!("I don't detect any {} in this passage, so I can't judge {}.", noun.name, noun.them)
}

/// What is off, where that is another stem than the one asked for.
fn elsewhere(stem: Stem, facts: &Facts) -> Option<String> {
    let order = order(&facts.best).filter(|_| facts.best.stem != Some(stem))?;
    Some(if facts.is_confident() {
        format!("What I would change is something else: {order}.")
    } else {
        format!("If I had to change something, I would {order}, but I can't tell for sure.")
    })
}

/// The second guess, where it is about this stem and probable.
fn doubt(stem: Stem, facts: &Facts) -> Option<String> {
    let guess = facts.runner_up.filter(|guess| guess.probability >= MENTIONED_FROM)?;
    let (_, direction) = guess.error.filter(|(named, _)| *named == stem)?;
    let noun = Noun::of(stem);
    let (they, word, chance) = (noun.they, direction_word(direction), percent(guess.probability));
    Some(format!("{they} may be a little {word}, with a chance of {chance}."))
}

fn about(stem: Stem, facts: &Facts, general: &str) -> String {
    let noun = Noun::of(stem);
    if facts.levels_lu[stem].is_none() {
        return sentences([Some(absent(stem)), elsewhere(stem, facts)]);
    }
    if facts.best.stem == Some(stem) {
        return sentences([Some(general.to_string()), evidence(stem, facts)]);
    }
    let opening = if stem == Stem::Other {
        "I only measure the other instruments, as a group, and don't judge them.".to_string()
    } else if facts.anchor == Some(stem) {
        format!("You said that {} {} right, so I go by that.", noun.the, noun.are)
    } else if facts.is_confident() {
        format!("I would leave {} as {} {}.", noun.the, noun.they.to_lowercase(), noun.are)
    } else {
        format!("Nothing tells me to change {}.", noun.the)
    };
    sentences([Some(opening), evidence(stem, facts), doubt(stem, facts), elsewhere(stem, facts)])
}

fn compare(stem: Option<Stem>, facts: &Facts, general: &str) -> String {
    if facts.reference_lu.is_none() {
        return match stem {
            None => format!("There is no reference to compare with. On its own: {general}"),
            Some(stem) => {
                format!("There is no reference to compare with. On its own: {}", about(stem, facts, general))
            }
        };
    }
    if let Some(stem) = stem {
        let Some(difference) = facts.from_reference_lu(stem) else {
            return about(stem, facts, general);
        };
        let noun = Noun::of(stem);
        let compared = format!("Against your reference, {} {} {}.", noun.the, noun.are, distance(difference));
        let judged =
            if facts.best.stem == Some(stem) { Some(general.to_string()) } else { elsewhere(stem, facts) };
        return sentences([Some(compared), evidence(stem, facts), judged]);
    }
    let compared: Vec<String> = Stem::TARGETS
        .into_iter()
        .filter_map(|stem| {
            let noun = Noun::of(stem);
            Some(format!("{} {} {}", noun.the, noun.are, distance(facts.from_reference_lu(stem)?)))
        })
        .collect();
    if compared.is_empty() {
        return format!("Your reference has no stem in common with this passage. On its own: {general}");
    }
    format!("Against your reference, {}. {general}", listed(&compared))
}

/// A distance from the reference: "3 LU quieter".
fn distance(difference_lu: f32) -> String {
    if is_nothing(difference_lu) {
        return "as loud".into();
    }
    format!("{} LU {}", size(difference_lu), if difference_lu < 0.0 { "quieter" } else { "louder" })
}

/// "a, b and c".
fn listed(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

fn levels(stem: Option<Stem>, facts: &Facts) -> String {
    if let Some(stem) = stem {
        return evidence(stem, facts).map_or_else(
            || absent(stem),
            |evidence| {
                let noun = Noun::of(stem);
                evidence.replacen(noun.they, &capital(noun.the), 1)
            },
        );
    }
    let all: Vec<String> = Stem::ALL
        .into_iter()
        .map(|stem| {
            let noun = Noun::of(stem);
            match facts.levels_lu[stem] {
                Some(level) => format!("{} {} {}", noun.the, noun.sit, against_rest(level)),
                None => format!("no {} that I detect", noun.name),
            }
        })
        .collect();
    format!("{}.", capital(&listed(&all)))
}

fn why(facts: &Facts) -> String {
    let anchor = facts.anchor.map(|stem| {
        let noun = Noun::of(stem);
        format!("You said that {} {} right, so I go by that.", noun.the, noun.are)
    });
    match (facts.error(), order(&facts.best)) {
        (Some((stem, _)), Some(order)) => {
            let noun = Noun::of(stem);
            let they =
                evidence(stem, facts).map(|evidence| evidence.replacen(noun.they, &capital(noun.the), 1));
            let (because, hence) = if facts.is_confident() {
                ("Because of the levels.", format!("So my advice stays: {order}."))
            } else {
                ("It is only a guess, from the levels.", format!("So my best guess stays: {order}."))
            };
            sentences([Some(because.into()), they, anchor, Some(hence)])
        }
        _ => {
            let aim = if facts.reference_lu.is_some() { "your reference" } else { "what is usual" };
            let found = if facts.is_confident() {
                format!("Because no stem is far enough from {aim} for me to call it an error.")
            } else {
                format!("I can't tell for sure: no stem is clearly far from {aim}.")
            };
            sentences([Some(found), Some(levels(None, facts)), anchor])
        }
    }
}

/// The reason for what is said of one stem.
fn why_of(stem: Stem, facts: &Facts, general: &str) -> String {
    if facts.best.stem == Some(stem) { why(facts) } else { about(stem, facts, general) }
}

fn confidence(facts: &Facts) -> String {
    let (chance, limit) = (percent(facts.confidence), percent(facts.threshold));
    let found = outcome(facts.error());
    let sure = if facts.is_confident() {
        format!("About {chance} sure that {found}; I commit myself from {limit} on.")
    } else {
        format!("Not very: {chance} that {found}, and I commit myself only from {limit} on.")
    };
    let other = facts
        .runner_up
        .map(|guess| format!("My next guess, at {}: {}.", percent(guess.probability), outcome(guess.error)));
    sentences([Some(sure), other])
}

fn first(facts: &Facts, general: &str) -> String {
    match order(&facts.best) {
        Some(order) if facts.is_confident() => {
            format!("First, {order}. Then play the passage again: I name one stem at a time.")
        }
        Some(order) => format!("I can't tell for sure. If you change anything, {order} first."),
        None => general.to_string(),
    }
}

fn only(stem: Stem, facts: &Facts) -> String {
    let noun = Noun::of(stem);
    if facts.levels_lu[stem].is_none() {
        return sentences([Some(absent(stem)), elsewhere(stem, facts)]);
    }
    match (facts.error(), order(&facts.best)) {
        (Some((named, _)), Some(order)) if named == stem => {
            let sure = if facts.is_confident() {
                "That is the move I would make"
            } else {
                "That is my best guess, too"
            };
            format!("{sure}: {order}, and leave the rest.")
        }
        (Some((named, direction)), Some(order)) => {
            let off = outcome(Some((named, direction)));
            let found = if facts.is_confident() { "what I find is that" } else { "my best guess is that" };
            format!(
                "{} alone won't settle it: {found} {off}. So {order}, and leave {} there.",
                capital(noun.the),
                noun.the
            )
        }
        _ => {
            let nothing =
                if facts.is_confident() { "Nothing is off" } else { "I find nothing that is surely off" };
            sentences([
                Some(format!("{nothing}, so I would not touch {} either.", noun.the)),
                evidence(stem, facts),
            ])
        }
    }
}

fn out_of_reach(field: Field) -> String {
    let what = match field {
        Field::Equalizer => "can't help with EQ or tone",
        Field::Dynamics => "can't help with compression and dynamics",
        Field::Effects => "can't help with effects",
        Field::Stereo => "can't judge panning and width",
        Field::Mastering => "can't help with mastering or loudness for platforms",
        Field::PitchAndTime => "can't judge pitch, key or timing",
        Field::Writing => "can't write or arrange",
        Field::Tools => "can't advise on plugins, gear or programs",
        Field::Elsewhere => "can't answer that",
    };
    format!("No, I {what}. I only judge how loud the vocals, drums and bass are against the rest.")
}

#[cfg(test)]
mod tests {
    use super::super::facts::Guess;
    use super::*;
    use crate::advice::{BestAnswer, Verdict};
    use crate::stem::{Direction, PerStem};

    const GENERAL: &str = "The drums are too loud. Lower them by about 4 dB.";

    fn facts() -> Facts {
        Facts {
            levels_lu: PerStem::from_array([Some(-9.0), Some(-2.0), Some(-7.5), None]),
            reference_lu: None,
            usual_lu: PerStem::all((-8.5, 1.0)),
            anchor: None,
            best: BestAnswer { verdict: Verdict::Loud, stem: Some(Stem::Drums), gain_db: Some(-4.0) },
            confidence: 0.74,
            threshold: 0.6,
            runner_up: Some(Guess { error: Some((Stem::Vocals, Direction::Quiet)), probability: 0.21 }),
        }
    }

    #[test]
    fn a_stem_that_is_not_off_is_left_and_the_decision_repeated() {
        assert_eq!(
            reply_text(Topic::About(Stem::Vocals), &facts(), GENERAL),
            "I would leave the vocals as they are. They sit 9 LU under the rest; usual is from 8.5 LU under it to 1 LU over it. \
             They may be a little quiet, with a chance of 21 %. What I would change is something else: lower the drums by about \
             4 dB."
        );
        let drums = reply_text(Topic::About(Stem::Drums), &facts(), GENERAL);
        assert!(drums.starts_with(GENERAL) && drums.contains("2 LU under the rest"), "{drums}");
        let other = reply_text(Topic::About(Stem::Other), &facts(), GENERAL);
        assert!(other.starts_with("I don't detect any other instruments"), "{other}");
    }

    #[test]
    fn why_names_the_evidence_and_repeats_the_decision() {
        let text = reply_text(Topic::Why(None), &facts(), GENERAL);
        assert!(text.contains("The drums sit 2 LU under the rest"), "{text}");
        assert!(text.ends_with("So my advice stays: lower the drums by about 4 dB."), "{text}");
        let reference = Some(PerStem::all(Some(-6.0)));
        let text =
            reply_text(Topic::Why(Some(Stem::Drums)), &Facts { reference_lu: reference, ..facts() }, GENERAL);
        assert!(text.contains("in your reference they sit 6 LU under it"), "{text}");
    }

    #[test]
    fn what_is_missing_is_said() {
        let text = reply_text(Topic::Compare(None), &facts(), GENERAL);
        assert_eq!(text, format!("There is no reference to compare with. On its own: {GENERAL}"));
        let silent = Facts { levels_lu: PerStem::default(), ..facts() };
        for topic in [Topic::About(Stem::Bass), Topic::Only(Stem::Bass), Topic::Levels(Some(Stem::Bass))] {
            let text = reply_text(topic, &silent, GENERAL);
            assert!(text.starts_with("I don't detect any bass in this passage"), "{text}");
        }
    }

    #[test]
    fn a_comparison_lists_the_stems_that_both_have() {
        let reference = PerStem::from_array([Some(-5.0), Some(-6.0), None, Some(-3.0)]);
        let facts = Facts { reference_lu: Some(reference), ..facts() };
        assert_eq!(
            reply_text(Topic::Compare(None), &facts, GENERAL),
            format!(
                "Against your reference, the vocals are 4 LU quieter and the drums are 4 LU louder. {GENERAL}"
            )
        );
    }

    #[test]
    fn what_is_out_of_reach_gets_a_short_no() {
        for field in Field::ALL {
            let text = reply_text(Topic::OutOfReach(field), &facts(), GENERAL);
            assert!(text.starts_with("No, I can't") && !text.contains("dB"), "{text}");
        }
        assert!(reply_text(Topic::Unclear, &facts(), GENERAL).starts_with("I can't answer that"));
    }

    #[test]
    fn doubt_is_admitted() {
        let unsure = Facts { confidence: 0.4, ..facts() };
        let text = reply_text(Topic::Confidence, &unsure, GENERAL);
        assert!(text.starts_with("Not very: 40 % that the drums are too loud"), "{text}");
        let text = reply_text(Topic::First, &unsure, GENERAL);
        assert!(text.starts_with("I can't tell for sure."), "{text}");
        let text = reply_text(Topic::Only(Stem::Bass), &facts(), GENERAL);
        assert!(
            text.starts_with("The bass alone won't settle it: what I find is that the drums are too loud."),
            "{text}"
        );
    }
}
