//! The verdict on a window is the same whatever is asked, in whatever words and order; the text is about what was asked.

use mixing_buddy_core::bundle::SHIPPED_BUNDLE;
use mixing_buddy_core::conversation::Topic;
use mixing_buddy_core::decoder::ReferenceBalance;
use mixing_buddy_core::encoder::StemReading;
use mixing_buddy_core::language::DEFAULT_QUESTION;
use mixing_buddy_core::{Advice, Analysis, CancelFlag, Engine, PerStem, Reply, Request, Stem, Verdict};
use std::path::Path;
use std::sync::LazyLock;

static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    Engine::from_bytes(Path::new("compact"), SHIPPED_BUNDLE, &CancelFlag::new())
        .expect("the shipped model loads")
});

/// Twenty and more wordings of the general question.
const GENERAL: [&str; 24] = [
    "",
    DEFAULT_QUESTION,
    "is the mix balanced?",
    "How does it sound?",
    "Anything off?",
    "what would you change",
    "WHAT IS WRONG WITH THIS MIX???",
    "hey, can you check the levels please",
    "is evrything ok",
    "Are the faders right?",
    "balance check",
    "Does everything sit right in the chorus?",
    "which stem is sticking out",
    "do i need to change any level",
    "thoughts on the mix?",
    "Give me feedback on my rough mix.",
    "i have been working on this all night, is anything too loud?",
    "is something too quiet here",
    "Am I done with the mix?",
    "Would you move any of the faders?",
    "Do my stems blend?",
    "Rate the balance.",
    "any advice on this song",
    "what stands out",
];

/// Questions about something else, with the topic that they must be taken for.
fn others() -> Vec<(&'static str, Topic)> {
    vec![
        ("How are the drums?", Topic::About(Stem::Drums)),
        ("are my vocals too quiet", Topic::About(Stem::Vocals)),
        ("and teh bass?", Topic::About(Stem::Bass)),
        ("Would you nudge the guitars?", Topic::About(Stem::Other)),
        ("why do you say that?", Topic::Why(None)),
        ("How sure are you?", Topic::Confidence),
        ("What first?", Topic::First),
        ("what if I only touch the drums", Topic::Only(Stem::Drums)),
        ("compare with my reference", Topic::Compare(None)),
        ("what did you measure?", Topic::Levels(None)),
    ]
}

/// Questions that the advisor cannot answer.
const OUT_OF_REACH: [&str; 8] = [
    "should I EQ the bass?",
    "Write me a song",
    "which compressor for the vocals",
    "how loud should the master be",
    "is the singer in tune",
    "how wide should the guitars be panned",
    "more reverb on the snare?",
    "tell me a joke",
];

fn window(levels_db: [f32; Stem::COUNT]) -> Analysis {
    let levels = PerStem::from_array(levels_db);
    let reading = PerStem::from_fn(|stem| StemReading {
        level_db: levels[stem],
        error_db: 1.0,
        presence: if levels[stem] > -40.0 { 0.98 } else { 0.02 },
        summary: vec![0.0; ENGINE.info().projector.summary],
    });
    Analysis { silent: false, reading, levels_lu: PerStem::default() }
}

fn windows() -> Vec<Analysis> {
    [
        [-5.0, -6.0, -6.0, -5.0],
        [-5.0, 3.0, -10.0, -9.0],
        [-16.0, -4.0, -4.0, -2.0],
        [4.0, -10.0, -11.0, -9.0],
        [-7.0, -17.0, -3.0, -1.5],
        [-6.0, -4.5, 2.0, -9.0],
        [-60.0, -3.0, -5.0, -1.0],
        [-3.0, -8.0, -9.5, -4.0],
    ]
    .map(window)
    .to_vec()
}

/// Without and with a reference, without and with an anchor.
fn requests() -> Vec<Request> {
    let reference = ReferenceBalance::of_levels(PerStem::from_array([-4.0, -6.5, -7.0, -4.0].map(Some)));
    let mut requests = Vec::new();
    for reference in [None, Some(reference)] {
        for anchor in [None, Some(Stem::Bass)] {
            requests.push(Request { anchor, reference, ..Request::default() });
        }
    }
    requests
}

/// Each window with one of the requests in turn.
fn cases() -> impl Iterator<Item = (Analysis, Request)> {
    windows().into_iter().zip(requests().into_iter().cycle())
}

fn reply(window: &Analysis, request: &Request, question: &str) -> Reply {
    let request = Request { question: question.into(), ..request.clone() };
    ENGINE.reply(window, &request, &CancelFlag::new()).expect("it replies")
}

/// The same advice but for its text.
fn without_text(advice: &Advice) -> Advice {
    Advice { text: String::new(), ..advice.clone() }
}

#[test]
fn the_general_question_gets_the_same_advice_in_all_wordings() {
    let mut verdicts = Vec::new();
    for (window, request) in cases() {
        let first = reply(&window, &request, "");
        for question in GENERAL {
            let again = reply(&window, &request, question);
            assert_eq!(again.topic, Topic::Balance, "{question}");
            assert_eq!(again.advice, first.advice, "{question}");
        }
        verdicts.push((first.advice.best.verdict, first.advice.best.stem));
    }
    verdicts.dedup();
    assert!(verdicts.len() >= 4, "the windows are too much alike to show anything: {verdicts:?}");
}

#[test]
fn no_question_changes_the_verdict_in_any_order() {
    for window in windows() {
        for request in requests() {
            let first = reply(&window, &request, "");
            let facts = first.facts.as_ref().expect("it is not silent");
            for round in 0..2 {
                for (question, topic) in others() {
                    let again = reply(&window, &request, question);
                    assert_eq!(again.topic, topic, "{question}");
                    assert_eq!(
                        without_text(&again.advice),
                        without_text(&first.advice),
                        "{question}, round {round}"
                    );
                    assert_eq!(again.facts.as_ref(), Some(facts), "{question}");
                }
                for question in OUT_OF_REACH {
                    let again = reply(&window, &request, question);
                    assert!(again.topic.is_out_of_reach(), "{question}: {:?}", again.topic);
                    assert_eq!(without_text(&again.advice), without_text(&first.advice), "{question}");
                    let text = &again.advice.text;
                    assert!(text.contains("can't") && !text.contains(" dB"), "{question}: {text}");
                }
                assert_eq!(reply(&window, &request, GENERAL[round + 2]).advice, first.advice);
            }
        }
    }
}

#[test]
fn why_repeats_the_decision_with_its_evidence() {
    for (window, request) in cases() {
        let Reply { advice, .. } = reply(&window, &request, "why do you say that?");
        match (advice.best.stem, advice.best.gain_db) {
            (Some(stem), Some(gain_db)) => {
                let verb = if gain_db < 0.0 { "lower" } else { "raise" };
                assert!(advice.text.contains(&format!("{verb} the {stem}")), "{}", advice.text);
                assert!(advice.text.contains("LU") || advice.text.contains("level with"), "{}", advice.text);
            }
            _ => assert!(advice.text.contains("no stem is"), "{}", advice.text),
        }
        assert_eq!(advice.text.contains("your reference"), request.reference.is_some(), "{}", advice.text);
    }
}

#[test]
fn what_is_missing_is_said() {
    let no_reference = Request::default();
    let no_vocals = &windows()[6];
    let text = |question: &str| reply(no_vocals, &no_reference, question).advice.text;
    assert!(text("compare with my reference").starts_with("There is no reference to compare with."));
    assert!(
        text("is the bass as loud as in the reference").starts_with("There is no reference to compare with.")
    );
    for question in ["How are the vocals?", "what if i only touch the voice"] {
        assert!(
            text(question).starts_with("I don't detect any vocals in this passage"),
            "{}",
            text(question)
        );
    }
    let silence = Analysis { silent: true, ..windows()[0].clone() };
    let advice = reply(&silence, &no_reference, "why?").advice;
    assert_eq!((advice.verdict, advice.text.as_str()), (Verdict::Silence, "There is nothing to hear."));
}

#[test]
fn an_anchor_in_words_is_an_anchor() {
    for window in windows() {
        for stem in [Stem::Drums, Stem::Bass] {
            let anchored = Request { anchor: Some(stem), ..Request::default() };
            let given = reply(&window, &anchored, "");
            let verb = if stem == Stem::Bass { "is" } else { "are" };
            let said = reply(
                &window,
                &Request::default(),
                &format!("The {stem} {verb} right. What would you change?"),
            );
            assert_eq!((said.topic, &said.advice, &said.facts), (given.topic, &given.advice, &given.facts));
            assert_ne!(said.advice.best.stem, Some(stem));
        }
    }
}
