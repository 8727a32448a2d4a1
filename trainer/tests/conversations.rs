//! The large model's conversations: made the same from a seed, true to their facts, in many words; and checks that fail.

use mixing_buddy_core::bundle::SHIPPED_BUNDLE;
use mixing_buddy_core::conversation::{Facts, Topic};
use mixing_buddy_core::encoder::Reading;
use mixing_buddy_core::language::normalise_question;
use mixing_buddy_core::norms::NormsSummary;
use mixing_buddy_core::{Analysis, CancelFlag, Engine, PerStem, Request, Stem};
use mixing_buddy_trainer::text::TextSampler;
use mixing_buddy_trainer::text::conversation::{
    Contradiction, HeldOut, Language, Lexicon, ReadTurn, Score, Scorer, WordRuns, contradictions, is_about,
};
use mixing_buddy_trainer::train::examples::conversations::{Conversation, Conversations};
use mixing_buddy_trainer::train::examples::held_out::general_questions;
use mixing_buddy_trainer::train::examples::simulate::{SimulationSettings, Simulator};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Conversations of a set that is large enough to show the differences of its wordings.
const MANY: u64 = 1000;
/// Largest share of faults among drawn answers: the check itself errs now and then.
const LARGEST_FAULT_SHARE: f64 = 0.002;
/// Smallest share of answers with a planted fault in which it is found.
const LEAST_FOUND: f64 = 0.9;

fn set(language: Language, seed: u64) -> Conversations {
    Conversations::new(&[language], seed).expect("the wordings are sound")
}

fn drawn(language: Language, seed: u64, count: u64) -> Vec<Conversation> {
    let set = set(language, seed);
    (0..count).map(|number| set.draw(number).expect("it draws")).collect()
}

fn lexicon(language: Language) -> Lexicon {
    Lexicon::shipped(language).expect("it is sound")
}

fn score(conversations: &[Conversation], runs: WordRuns) -> Score {
    let mut scorer = Scorer::new(runs).expect("the lexicons are sound");
    for Conversation { language, facts, turns, .. } in conversations {
        for turn in turns {
            let (question, answer) = (turn.question.as_str(), turn.answer.as_str());
            scorer.add(ReadTurn { language: *language, facts, topic: turn.topic, question, answer });
        }
    }
    scorer.finish()
}

#[test]
fn a_seed_gives_the_same_conversations_and_another_seed_others() {
    let (first, again, other) =
        (drawn(Language::En, 7, 20), drawn(Language::En, 7, 20), drawn(Language::En, 8, 20));
    assert_eq!(first, again);
    assert_ne!(first, other);
    for conversation in first {
        let line = serde_json::to_string(&conversation).expect("it can be written");
        assert_eq!(serde_json::from_str::<Conversation>(&line).expect("it can be read"), conversation);
    }
}

#[test]
fn a_conversation_is_about_the_example_that_it_is_given() {
    let (settings, questions) = (SimulationSettings::default(), general_questions(0.4, 0.5));
    let sampler = TextSampler::shipped().expect("it is sound");
    let simulator = Simulator::new(&settings, &questions, NormsSummary::shipped(), &sampler);
    let example = simulator.example(&mut SmallRng::seed_from_u64(3)).expect("it draws");
    let levels_db = |reading: &Reading| reading.map(|stem| stem.level_db);
    let (given_db, set) = (levels_db(&example.reading), set(Language::En, 7));
    let about = set.draw_about(5, |_| Ok(example)).expect("it draws");
    assert_eq!(levels_db(&about.reading), given_db);
    assert_ne!(levels_db(&set.draw(5).expect("it draws").reading), given_db);
}

#[test]
fn drawn_answers_pass_all_checks() {
    for language in Language::ALL {
        let score = score(&drawn(language, 1, MANY), WordRuns::default());
        let shown = serde_json::to_string_pretty(&score.faults).expect("it can be written");
        let right = |share: Option<f64>| share.expect("there are some") >= 1.0 - LARGEST_FAULT_SHARE;
        assert!(
            score.contradicting.share().expect("there are some") <= LARGEST_FAULT_SHARE,
            "{language:?}: {shown}"
        );
        assert!(right(score.about_the_stem.share()) && right(score.noes.share()), "{language:?}: {shown}");
        assert!(score.contradicting.of > 1500 && score.about_the_stem.of > 500 && score.noes.of > 200);
    }
}

#[test]
fn every_topic_and_every_turn_is_drawn_with_and_without_a_reference() {
    let all = drawn(Language::En, 2, MANY);
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for conversation in &all {
        for turn in &conversation.turns {
            let kind = serde_json::to_value(turn.topic).expect("it can be written");
            let kind = kind.as_str().map(String::from).or_else(|| kind.as_object()?.keys().next().cloned());
            let reference = if conversation.reference.is_some() { "with" } else { "without" };
            *kinds.entry(format!("{} {reference}", kind.expect("a topic has a name"))).or_default() += 1;
        }
    }
    assert_eq!(kinds.len(), 20, "{kinds:?}");
    assert!(kinds.values().all(|count| *count >= 10), "{kinds:?}");
    let turns: BTreeSet<usize> = all.iter().map(|conversation| conversation.turns.len()).collect();
    assert_eq!(turns.into_iter().collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    assert!(
        all.iter().any(|c| c.anchor_in_words)
            && all.iter().any(|c| !c.anchor_in_words && c.facts.anchor.is_some())
    );
}

/// Facts that differ in one thing, with the name of what was changed.
fn changed(facts: &Facts) -> Vec<(&'static str, Facts)> {
    let mut all = Vec::new();
    let levels = facts.levels_lu.map(|level| level.map(|level| level - 3.5));
    all.push(("levels", Facts { levels_lu: levels, ..facts.clone() }));
    if let (Some(gain_db), Some(direction)) = (facts.best.gain_db, facts.best.verdict.direction()) {
        let verdict = mixing_buddy_core::Verdict::of_error(direction.opposite(), gain_db);
        let best = mixing_buddy_core::BestAnswer { verdict, gain_db: Some(-gain_db), ..facts.best };
        all.push(("direction", Facts { best, runner_up: None, ..facts.clone() }));
        let best = mixing_buddy_core::BestAnswer { gain_db: Some(gain_db * 1.8), ..facts.best };
        all.push(("gain", Facts { best, ..facts.clone() }));
    }
    all
}

#[test]
fn planted_contradictions_are_found() {
    let mut found: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for conversation in drawn(Language::En, 3, 600) {
        let lexicon = lexicon(conversation.language);
        for turn in
            conversation.turns.iter().filter(|turn| matches!(turn.topic, Topic::Balance | Topic::Why(None)))
        {
            for (name, facts) in changed(&conversation.facts) {
                let gives_it = match name {
                    "levels" => turn.answer.contains("LU"),
                    "gain" => turn.answer.contains(" dB"),
                    _ => true,
                };
                if gives_it {
                    let count = found.entry(name).or_default();
                    count.0 += usize::from(!contradictions(&turn.answer, &facts, &lexicon).is_empty());
                    count.1 += 1;
                }
            }
        }
    }
    eprintln!("planted contradictions found: {found:?}");
    for (name, (right, of)) in found {
        assert!(of >= 100 && right as f64 >= LEAST_FOUND * of as f64, "{name}: {right} of {of}");
    }
}

#[test]
fn an_answer_about_another_stem_is_found() {
    let lexicon = lexicon(Language::En);
    for conversation in drawn(Language::En, 4, 300) {
        for turn in &conversation.turns {
            if let Topic::About(stem) = turn.topic {
                assert!(is_about(&turn.answer, stem, &lexicon), "{}", turn.answer);
                let other = Stem::ALL[(stem.index() + 1) % Stem::COUNT];
                let first = turn.answer.split(". ").next().unwrap_or_default();
                if is_about(first, stem, &lexicon) && !is_about(first, other, &lexicon) {
                    assert!(!is_about(&turn.answer, other, &lexicon), "{}", turn.answer);
                }
            }
        }
    }
}

#[test]
fn answers_differ_in_their_words() {
    // An answer that the generator could also have written, held against so many others.
    let mut runs = WordRuns::default();
    let training = drawn(Language::En, 5, MANY);
    training.iter().flat_map(|c| &c.turns).for_each(|turn| runs.add(&turn.answer));
    let share = score(&drawn(Language::En, 6, 300), runs).own_words.share().expect("there are some");
    eprintln!("fresh explanations without a run of the first {MANY} conversations: {share:.3}");
    assert!(share >= 0.7, "{share}");
    let mut known = WordRuns::default();
    training[0].turns.iter().for_each(|turn| known.add(&turn.answer));
    let again = score(&training[..1], known).own_words;
    assert!(again.count < again.of || again.of == 0, "what was trained is not the model's own");
}

#[test]
fn three_hundred_questions_are_held_out_and_never_drawn() {
    let held_out = HeldOut::shipped(Language::En).expect("it is sound");
    assert!(held_out.questions().len() >= 300, "{}", held_out.questions().len());
    for language in Language::ALL {
        let held_out = HeldOut::shipped(language).expect("it is sound");
        for conversation in drawn(language, 9, MANY) {
            for turn in conversation.turns {
                assert!(!held_out.contains(&turn.question), "{}", turn.question);
            }
        }
        let asked = set(language, 10).held_out().expect("it draws");
        let asked: Vec<&str> = asked.iter().map(|c| c.turns[0].question.as_str()).collect();
        let wanted: Vec<&str> = held_out.questions().iter().map(|q| q.question.as_str()).collect();
        assert_eq!(asked, wanted);
    }
}

#[test]
fn questions_differ_too() {
    let all = drawn(Language::En, 11, MANY);
    let questions: Vec<String> =
        all.iter().flat_map(|c| &c.turns).map(|turn| normalise_question(&turn.question)).collect();
    let distinct: BTreeSet<&String> = questions.iter().collect();
    assert!(distinct.len() * 10 > questions.len() * 7, "{} of {}", distinct.len(), questions.len());
}

#[test]
fn faults_in_files_are_named() {
    let held_out =
        |text: &str| format!("{:#}", HeldOut::parse(Language::En, text).expect_err("the fault is found"));
    assert!(held_out("[why]\nguitar = [\"x\"]").contains("[why] guitar is not known"));
    assert!(held_out("[why]\nany = [\"How so?\", \"how so\"]").contains("is repeated"));
    let lexicon =
        |text: &str| format!("{:#}", Lexicon::parse(Language::En, text).expect_err("the fault is found"));
    assert!(lexicon("[sides]\nleft = [\"x\"]").contains("[sides] left is not known"));
    assert!(lexicon("[sides]\nunder = [\"x\"]").contains("is missing"));
}

/// The compact model's engine takes the held-out questions for what they are.
#[test]
fn the_compact_model_understands_held_out_questions() {
    let engine =
        Engine::from_bytes(Path::new("compact"), SHIPPED_BUNDLE, &CancelFlag::new()).expect("it loads");
    let (mut stems, mut noes, mut wrong) = ((0, 0), (0, 0), Vec::new());
    let held_out = HeldOut::shipped(Language::En).expect("it is sound");
    let silence = Analysis { silent: true, ..engine.without_audio() };
    for question in held_out.questions() {
        let request = Request { question: question.question.clone(), ..Request::default() };
        let topic = engine.reply(&silence, &request, &CancelFlag::new()).expect("it replies").topic;
        let (count, is_right) = if question.topic.is_out_of_reach() {
            (&mut noes, topic.is_out_of_reach())
        } else if let Some(stem) = question.topic.asked_stem() {
            (&mut stems, topic.asked_stem() == Some(stem))
        } else {
            continue;
        };
        *count = (count.0 + usize::from(is_right), count.1 + 1);
        if topic != question.topic {
            wrong.push(format!(
                "{}'{}' {:?}",
                if is_right { "" } else { "WRONG " },
                question.question,
                topic
            ));
        }
    }
    eprintln!("stems {stems:?}, noes {noes:?}, other topics than wanted: {wrong:#?}");
    assert!(stems.0 * 100 >= stems.1 * 95, "{stems:?}: {wrong:#?}");
    assert!(noes.0 * 100 >= noes.1 * 80, "{noes:?}: {wrong:#?}");
}

/// The compact model's replies, which the engine makes of the same facts, pass the same checks.
#[test]
fn the_compact_model_contradicts_nothing() {
    let engine =
        Engine::from_bytes(Path::new("compact"), SHIPPED_BUNDLE, &CancelFlag::new()).expect("it loads");
    let lexicon = lexicon(Language::En);
    let width = engine.info().projector.summary;
    let (mut faults, mut total, mut about) = (Vec::new(), 0, (0, 0));
    for conversation in drawn(Language::En, 12, 60) {
        let reading = conversation.reading.map(|stem| {
            let mut stem = stem.clone();
            stem.summary = vec![0.0; width];
            stem
        });
        let analysis = Analysis { silent: false, reading, levels_lu: PerStem::default() };
        for turn in &conversation.turns {
            let request = Request {
                question: turn.question.clone(),
                reference: conversation.reference,
                ..Request::default()
            };
            let reply = engine.reply(&analysis, &request, &CancelFlag::new()).expect("it replies");
            let facts = reply.facts.expect("it is not silent");
            let found: Vec<Contradiction> = contradictions(&reply.advice.text, &facts, &lexicon);
            total += 1;
            if !found.is_empty() {
                faults.push(format!("{}\n  {}\n  {found:?}", turn.question, reply.advice.text));
            }
            if let Some(stem) = turn.topic.asked_stem() {
                about = (about.0 + usize::from(is_about(&reply.advice.text, stem, &lexicon)), about.1 + 1);
            }
        }
    }
    eprintln!("{} of {total} contradict, {about:?} are about the stem: {faults:#?}", faults.len());
    assert!(faults.len() * 50 <= total, "{faults:#?}");
    assert!(about.1 >= 20 && about.0 * 100 >= about.1 * 95, "{about:?}");
}
