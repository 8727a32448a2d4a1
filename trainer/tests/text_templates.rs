//! Wordings: there are enough, all can be rendered, the held-out ones are never drawn, faults are named.

use mixing_buddy_core::language::{
    AdviceTokenizer, Decision, Intent, MAX_QUESTION_TOKENS, MAX_TEXT_TOKENS, Special, StemError,
    check_sentence, normalise_question, parse_answer, render,
};
use mixing_buddy_core::{PerStem, Stem, Verdict};
use mixing_buddy_trainer::text::{Templates, TextExample, TextSampler, build_training_ids, train_tokenizer};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeSet, HashSet};

const QUESTIONS: &str = include_str!("../templates/questions.toml");
const ANSWERS: &str = include_str!("../templates/answers.toml");
const HELDOUT: &str = include_str!("../templates/heldout_questions.toml");

/// The tokenizer that is shipped, read when the test runs.
fn shipped_json() -> Vec<u8> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../assets/tokenizer.json");
    std::fs::read(path).expect("the shipped tokenizer is in assets")
}

/// Number of answers drawn where every combination should occur.
const DRAWS: usize = 30_000;

fn sampler() -> TextSampler {
    TextSampler::shipped().expect("the shipped templates are sound")
}

fn tokenizer() -> AdviceTokenizer {
    AdviceTokenizer::from_bytes(&shipped_json()).expect("the shipped tokenizer loads")
}

fn decision(intent: Intent, verdict: Verdict, stem: Stem) -> Decision {
    let size_db = if matches!(verdict, Verdict::VeryLoud | Verdict::VeryQuiet) { 8.0 } else { 4.0 };
    let error = verdict.direction().map(|direction| StemError { stem, direction, size_db });
    Decision::new(intent, error).expect("the stem is a target")
}

#[test]
fn each_intent_has_thousands_of_questions() {
    let (sampler, tokenizer) = (sampler(), tokenizer());
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut owner = std::collections::HashMap::new();
    for intent in Intent::ALL {
        let mut distinct = HashSet::new();
        let (mut tokens, mut longest) = (0, 0);
        for _ in 0..4000 {
            let question = normalise_question(&sampler.question(intent, &mut rng).expect("it draws"));
            assert!(!sampler.templates().is_heldout(&question));
            let length = tokenizer.encode_text(&question).expect("text encodes").len();
            tokens += length;
            longest = longest.max(length);
            if let Some(other) = owner.insert(question.clone(), intent) {
                let jumble = intent == Intent::Unclear || other == Intent::Unclear;
                assert!(other == intent || jumble, "'{question}' is drawn for {intent:?} and {other:?}");
            }
            distinct.insert(question);
        }
        eprintln!(
            "{}: {} distinct of 4000, {} tokens on average, {longest} at most",
            intent.name(),
            distinct.len(),
            tokens / 4000
        );
        assert!(distinct.len() > 2000, "{}: {}", intent.name(), distinct.len());
    }
}

#[test]
fn heldout_questions_are_never_drawn_and_fit() {
    let templates = Templates::shipped().expect("the shipped templates are sound");
    let tokenizer = tokenizer();
    let mut heldout = BTreeSet::new();
    for (_, list) in templates.heldout() {
        assert!(list.len() >= 10);
        for question in list {
            let text = normalise_question(question);
            let ids = tokenizer.encode_text(&text).expect("text encodes");
            assert!(!ids.is_empty() && ids.len() <= MAX_QUESTION_TOKENS, "{question}: {}", ids.len());
            assert_eq!(tokenizer.decode_text(&ids), text);
            heldout.insert(text);
        }
    }
    // Directly from the wordings, before the sampler would refuse them.
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    for intent in Intent::ALL {
        for _ in 0..20_000 {
            let question = templates.question(intent, &mut rng).expect("it draws");
            assert!(!heldout.contains(&normalise_question(&question)), "{question}");
        }
    }
}

#[test]
fn every_answer_fits_agrees_and_renders() {
    let (sampler, tokenizer) = (sampler(), tokenizer());
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let everything = PerStem::from_fn(|_| true);
    let (mut total, mut count, mut longest) = (0, 0, 0);
    for intent in Intent::ALL {
        for verdict in Special::VERDICTS {
            for stem in Stem::TARGETS.into_iter().filter(|stem| intent.may_target(*stem)) {
                let decision = decision(intent, verdict, stem);
                let mut distinct = HashSet::new();
                for draw in 0..300 {
                    let has_reference = draw % 2 == 0;
                    let sentence = sampler
                        .answer_text(&decision, has_reference, &everything, &mut rng)
                        .expect("it draws");
                    check_sentence(&decision, &sentence).expect("the wording agrees with its decision");
                    let sample = TextExample {
                        question: "how is it".to_string(),
                        stems_present: everything,
                        anchor: None,
                        has_reference,
                        decision,
                    };
                    let ids = build_training_ids(&tokenizer, &sample, &sentence, 32).expect("it fits");
                    let parsed = parse_answer(&tokenizer, &ids.answer.ids).expect("it parses");
                    assert_eq!((parsed.decision, parsed.sentence.as_str()), (decision, sentence.as_str()));
                    longest = longest.max(ids.answer.text.len());
                    total += ids.answer.text.len();
                    count += 1;
                    let gain = decision.error.map(|error| error.correction_db());
                    let text = render(&sentence, decision.slot_stem(), gain).expect("its slots have words");
                    assert!(!text.contains(['<', '>', '{', '}', '|']), "{text}");
                    distinct.insert(text);
                }
                assert!(distinct.len() >= 10, "{intent:?} {verdict:?}: {}", distinct.len());
            }
        }
    }
    eprintln!("sentences: {} tokens on average, {longest} at most", total / count);
}

#[test]
fn openings_leave_room_for_the_sentence() {
    let (sampler, tokenizer) = (sampler(), tokenizer());
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    let everything = PerStem::from_fn(|_| true);
    for intent in [Intent::Unclear, Intent::Compare, Intent::About(Stem::Other)] {
        let mut longest = (0, String::new());
        for draw in 0..DRAWS {
            let verdict = Special::VERDICTS[draw % Special::VERDICTS.len()];
            let decision = decision(intent, verdict, Stem::TARGETS[draw % 3]);
            let sentence = sampler.answer_text(&decision, false, &everything, &mut rng).expect("it draws");
            let length = tokenizer.encode_sentence(&sentence).expect("text encodes").len();
            longest = longest.max((length, sentence));
        }
        assert!(longest.0 <= MAX_TEXT_TOKENS, "{longest:?}");
    }
}

#[test]
fn absent_stems_and_missing_references_are_named() {
    let sampler = sampler();
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let no_drums = PerStem { drums: false, ..PerStem::from_fn(|_| true) };
    let asked = decision(Intent::About(Stem::Drums), Verdict::NoError, Stem::Drums);
    let compare = decision(Intent::Compare, Verdict::Loud, Stem::Bass);
    for _ in 0..100 {
        let sentence = sampler.answer_text(&asked, false, &no_drums, &mut rng).expect("it draws");
        check_sentence(&asked, &sentence).expect("the wording agrees");
        let words = ["any", "no ", "not ", "don't", "rest", "would need", "can't"];
        assert!(words.iter().any(|word| sentence.to_lowercase().contains(word)), "{sentence}");
        let sentence = sampler.answer_text(&compare, true, &no_drums, &mut rng).expect("it draws");
        assert!(sentence.contains("reference"), "{sentence}");
    }
}

#[test]
fn training_ids_mark_the_answer_as_learnt() {
    let (sampler, tokenizer) = (sampler(), tokenizer());
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let sample = TextExample {
        question: sampler.question(Intent::Balance, &mut rng).expect("it draws"),
        stems_present: PerStem::from_fn(|_| true),
        anchor: Some(Stem::Vocals),
        has_reference: true,
        decision: decision(Intent::Balance, Verdict::VeryQuiet, Stem::Drums),
    };
    let sentence =
        sampler.answer_text(&sample.decision, true, &sample.stems_present, &mut rng).expect("it draws");
    let training = build_training_ids(&tokenizer, &sample, &sentence, 32).expect("it fits");
    let (ids, mask) = (training.ids(), training.loss_mask());
    assert_eq!(ids.len(), mask.len());
    assert_eq!(mask.iter().filter(|learnt| **learnt).count(), training.answer.ids.len());
    let decisions: Vec<Special> =
        ids[training.decision_positions()].iter().filter_map(|id| tokenizer.special_of(*id)).collect();
    assert_eq!(decisions, sample.decision.specials());
    assert!(mask[training.decision_positions()].iter().all(|learnt| *learnt));
    let end = training.prompt.ids.len() - 1;
    assert_eq!(tokenizer.special_of(ids[end]), Some(Special::Answer));
}

#[test]
fn training_on_the_templates_gives_the_shipped_tokenizer() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let path = folder.path().join("tokenizer.json");
    let shipped = shipped_json();
    let size = tokenizer().vocabulary_size();
    let trained = train_tokenizer(&sampler(), size, &path).expect("it trains");
    assert_eq!(trained.vocabulary_size(), size);
    let written = std::fs::read(&path).expect("it was written");
    assert!(written == shipped, "run the ignored test `write_tokenizer` after changing templates");
}

/// Not a test: writes `assets/tokenizer.json`. Changing it makes trained decoders useless.
#[test]
#[ignore = "writes assets/tokenizer.json"]
fn write_tokenizer() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/tokenizer.json");
    train_tokenizer(&sampler(), 768, &path).expect("it trains");
}

#[test]
fn faults_in_templates_are_named() {
    let parse = |questions: &str, answers: &str, heldout: &str| {
        format!("{:#}", Templates::parse(questions, answers, heldout).expect_err("the fault is found"))
    };
    let lacks = ANSWERS.replacen("{raise} {it|them} by {about} {gain}.\"", "{raise} {it|them}.\"", 1);
    let error = parse(QUESTIONS, &lacks, HELDOUT);
    assert!(
        error.contains("answers.toml: [balance] quiet, wording 1") && error.contains("lacks {gain}"),
        "{error}"
    );

    let unknown = ANSWERS.replacen("Levels are in", "Levels {were} in", 1);
    let error = parse(QUESTIONS, &unknown, HELDOUT);
    assert!(error.contains("no_error, wording 4") && error.contains("unknown placeholder {were}"), "{error}");

    let open = QUESTIONS.replacen("check {after}\"", "check {after\"", 1);
    let error = parse(&open, ANSWERS, HELDOUT);
    assert!(error.contains("questions.toml: [balance] wordings") && error.contains("open brace"), "{error}");

    let few = "[parts]\n[balance]\nno_error = [\"Fine.\"]\n";
    let error = parse(QUESTIONS, few, HELDOUT);
    assert!(error.contains("answers.toml") && error.contains("is missing"), "{error}");

    let misspelt = ANSWERS.replacen("very_loud =", "very_lout =", 1);
    let error = parse(QUESTIONS, &misspelt, HELDOUT);
    assert!(error.contains("very_lout is not known"), "{error}");

    let digits = ANSWERS.replacen("Levels are in", "All 4 levels are in", 1);
    assert!(parse(QUESTIONS, &digits, HELDOUT).contains("has a digit"));

    let error = parse(QUESTIONS, ANSWERS, "balance = [\"one\"]");
    assert!(error.contains("heldout_questions.toml: balance has 1"), "{error}");

    let error = parse("= 3", ANSWERS, HELDOUT);
    assert!(error.contains("questions.toml") && error.contains("line 1"), "{error}");
}
