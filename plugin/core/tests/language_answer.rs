//! The answer's grammar: whatever it accepts parses, and the error for anything else gives the reason.

use mixing_buddy_core::language::{
    AdviceTokenizer, AnswerIds, Decision, Grammar, Intent, MAX_TEXT_TOKENS, Special, State, StemError,
    check_sentence, fallback_sentence, parse_answer, parse_answer_text, render,
};
use mixing_buddy_core::{Direction, GainStep, PerStem, Stem, Verdict};
use proptest::prelude::*;
use std::sync::LazyLock;

/// The tokenizer that is shipped, read when the test runs.
fn shipped_json() -> Vec<u8> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/tokenizer.json");
    std::fs::read(path).expect("the shipped tokenizer exists")
}

static TOKENIZER: LazyLock<AdviceTokenizer> =
    LazyLock::new(|| AdviceTokenizer::from_bytes(&shipped_json()).expect("the shipped tokenizer loads"));

const EVERY_STEM: PerStem<bool> = PerStem::all(true);

/// Every decision that has tokens.
fn all_decisions() -> Vec<Decision> {
    let mut decisions = Vec::new();
    for intent in Intent::ALL {
        decisions.push(Decision { intent, error: None });
        for stem in Stem::TARGETS.into_iter().filter(|stem| intent.may_target(*stem)) {
            for direction in Direction::ALL {
                for size_db in GainStep::all().map(GainStep::size_db) {
                    decisions.push(Decision { intent, error: Some(StemError { stem, direction, size_db }) });
                }
            }
        }
    }
    decisions
}

#[test]
fn every_decision_survives_tokens_and_text() {
    for decision in all_decisions() {
        let sentence = fallback_sentence(&decision);
        let answer = AnswerIds::build(&TOKENIZER, &decision, &sentence).expect("it can be laid out");
        let parsed = parse_answer(&TOKENIZER, &answer.ids).expect("it parses");
        assert_eq!(parsed.decision, decision);
        assert_eq!(parsed.verdict, decision.verdict());
        assert_eq!(parsed.sentence, sentence);
        assert_eq!(TOKENIZER.decode_sentence(&answer.ids[answer.text.clone()]), sentence);

        let specials: String = decision.specials().into_iter().map(Special::text).collect();
        let written = format!("{specials}{sentence}<|end|>");
        assert_eq!(parse_answer_text(&written).expect("it parses"), parsed);

        check_sentence(&decision, &sentence).expect("the fallback agrees with its decision");
        let gain = decision.error.map(|error| error.correction_db());
        let text = render(&sentence, decision.slot_stem(), gain).expect("its slots have words");
        assert!(!text.contains('<'), "{text}");
    }
}

#[test]
fn positions_point_at_the_decisions() {
    let decision = Decision::new(
        Intent::Balance,
        Some(StemError { stem: Stem::Bass, direction: Direction::Loud, size_db: 6.1 }),
    )
    .expect("bass is a target");
    let answer = AnswerIds::build(&TOKENIZER, &decision, &fallback_sentence(&decision)).expect("it fits");
    let at = |position: usize| TOKENIZER.special_of(answer.ids[position]);
    assert_eq!(at(AnswerIds::INTENT_POSITION), Some(Special::Intent(Intent::Balance)));
    assert_eq!(at(answer.stem_position), Some(Special::Stem(Stem::Bass)));
    assert_eq!(answer.direction_position.and_then(at), Some(Special::Direction(Direction::Loud)));
    assert_eq!(answer.gain_position.and_then(at), Some(Special::gain(6.0)));
    assert_eq!(at(answer.verdict_position), Some(Special::Verdict(Verdict::VeryLoud)));
    assert_eq!(answer.decision_positions(), 0..5);
    assert_eq!(answer.ids.last().copied(), Some(TOKENIZER.special(Special::End)));
    assert_eq!(answer.text.end + 1, answer.ids.len());
}

#[test]
fn wrong_answers_are_refused_with_a_reason() {
    let cases = [
        ("", "ends before the intent"),
        ("hello", "'hello' stands where the intent should"),
        ("<ask:balance>", "ends before the stem"),
        ("<ask:balance><other><loud>", "<other> stands where the stem should"),
        ("<ask:vocals><bass><loud><4.0><v:loud>No.<|end|>", "may not name the bass as target"),
        (
            "<ask:balance><bass><loud><6.0><v:loud>No.<|end|>",
            "its verdict is loud, but its decision means very_loud",
        ),
        ("<ask:balance><bass><loud><4.0><v:quiet>No.<|end|>", "its verdict is quiet"),
        ("<ask:balance><none><v:no_error><|end|>", "has no sentence"),
        ("<ask:balance><none><v:no_error>Fine.", "ends before <|end|>"),
        ("<ask:balance><none><v:no_error>The <|stem|> sit well.<|end|>", "<|stem|> may not stand"),
        ("<ask:drums><none><v:no_error>Less <|gain|>.<|end|>", "<|gain|> may not stand"),
        ("<ask:balance><none><v:no_error>Add 3 dB.<|end|>", "may not stand in an answer"),
        ("<ask:balance><none><v:no_error>Fine.<|end|>More.", "follows <|end|>"),
        ("<ask:balance><none><v:no_error>Fine <b> so.<|end|>", "may not stand in an answer"),
        ("<ask:balance><none><v:no_error>Fine <|soft|> so.<|end|>", "<|soft|> may not stand"),
    ];
    for (text, reason) in cases {
        let error = parse_answer_text(text).expect_err(text).to_string();
        assert!(error.contains(reason), "{text}: {error}");
    }
}

#[test]
fn the_grammar_allows_only_what_fits() {
    let id = |special| TOKENIZER.special(special);
    let mut grammar = Grammar::new(&TOKENIZER, EVERY_STEM.with(Stem::Drums, false));
    assert_eq!(grammar.allowed_ids().len(), Intent::ALL.len());
    grammar.advance(id(Special::Intent(Intent::Unclear))).expect("an intent is expected");
    assert!(!grammar.is_allowed(id(Special::Stem(Stem::Drums))), "drums are not in the allowed set");
    assert!(!grammar.is_allowed(id(Special::Stem(Stem::Other))), "other is no target");
    let error = grammar.advance(id(Special::Stem(Stem::Drums))).expect_err("not allowed");
    assert!(error.to_string().contains("<drums>"), "{error}");
    assert_eq!(grammar.state(), State::Stem, "a refused token changes nothing");
    grammar.advance(id(Special::Stem(Stem::Vocals))).expect("vocals are a target");
    grammar.advance(id(Special::Direction(Direction::Quiet))).expect("a direction is expected");
    grammar.advance(id(Special::gain(6.0))).expect("a gain is expected");
    assert_eq!(grammar.forced(), Some(id(Special::Verdict(Verdict::VeryQuiet))));

    let mut grammar = Grammar::new(&TOKENIZER, EVERY_STEM);
    grammar.advance(id(Special::Intent(Intent::About(Stem::Drums)))).expect("an intent is expected");
    assert_eq!(grammar.allowed_ids(), [id(Special::NoStem), id(Special::Stem(Stem::Drums))]);
    grammar.advance(id(Special::NoStem)).expect("it may find no error");
    grammar.advance(id(Special::Verdict(Verdict::NoError))).expect("the verdict is expected");
    assert!(grammar.is_allowed(id(Special::StemSlot)), "the drums were asked for");
    assert!(!grammar.is_allowed(id(Special::GainSlot)), "nothing is off");
    assert!(!grammar.is_allowed(id(Special::End)), "the sentence is empty");
    let word = TOKENIZER.encode_text("fine").expect("text encodes")[0];
    for _ in 0..MAX_TEXT_TOKENS {
        grammar.advance(word).expect("text may follow");
    }
    assert_eq!(grammar.forced(), Some(id(Special::End)));
    grammar.advance(id(Special::End)).expect("the end is expected");
    assert!(grammar.is_done() && grammar.allowed_ids().is_empty());
}

#[test]
fn the_mask_is_the_list() {
    let mut grammar = Grammar::new(&TOKENIZER, EVERY_STEM);
    let path = [
        Special::Intent(Intent::Balance),
        Special::Stem(Stem::Bass),
        Special::Direction(Direction::Loud),
        Special::gain(4.0),
        Special::Verdict(Verdict::Loud),
        Special::StemSlot,
    ];
    for special in path {
        let mut logits = vec![0.0; TOKENIZER.vocabulary_size() + 10];
        grammar.mask_logits(&mut logits);
        let mut list = grammar.allowed_ids();
        list.sort_unstable();
        let open: Vec<u32> = (0..logits.len() as u32).filter(|id| logits[*id as usize] == 0.0).collect();
        assert_eq!(open, list);
        grammar.advance(TOKENIZER.special(special)).expect("the path follows the grammar");
    }
}

#[test]
fn sentences_that_contradict_their_decision_are_refused() {
    let loud = Decision::new(
        Intent::Balance,
        Some(StemError { stem: Stem::Bass, direction: Direction::Loud, size_db: 4.0 }),
    )
    .expect("bass is a target");
    for sentence in [
        "The <|stem|> is too quiet. Change it by <|gain|>.",
        "Raise the <|stem|> by <|gain|>.",
        "Lower the <|stem|>.",
        "Lower it by <|gain|>.",
        "Lower the drums under the <|stem|> by <|gain|>.",
        "The <|stem|> is far too loud, by <|gain|>.",
        "Lower the <|stem|> by <|gain|>. The",
    ] {
        check_sentence(&loud, sentence).expect_err(sentence);
    }
    check_sentence(&loud, "The <|stem|> is too loud. Lower it by <|gain|>.").expect("it agrees");
}

proptest! {
    #[test]
    fn any_walk_parses_and_no_mutation_panics(
        choices in prop::collection::vec(any::<u16>(), 120),
        allowed in any::<[bool; Stem::COUNT]>(),
        mutation in (any::<u16>(), 0u32..800, 0u8..3),
    ) {
        let mut grammar = Grammar::new(&TOKENIZER, PerStem::from_array(allowed));
        let mut ids = Vec::new();
        for choice in choices {
            if grammar.is_done() { break; }
            let open = grammar.allowed_ids();
            prop_assert!(!open.is_empty());
            // Every fourth choice in the sentence prefers the specials, which stand first.
            let id = open[usize::from(choice) % if choice % 4 == 0 { open.len().min(3) } else { open.len() }];
            grammar.advance(id).expect("an allowed token may come next");
            ids.push(id);
        }
        prop_assert!(grammar.is_done(), "a walk ends");
        let parsed = parse_answer(&TOKENIZER, &ids).expect("any walk parses");
        prop_assert_eq!(Some(parsed.decision), grammar.decision());
        if let Some(error) = parsed.decision.error {
            prop_assert!(allowed[error.stem.index()]);
        }
        render(&parsed.sentence, parsed.decision.slot_stem(), parsed.decision.error.map(|e| e.size_db))
            .expect("every slot has a word");

        let (at, other, kind) = mutation;
        let at = usize::from(at) % ids.len();
        let decisions = ids.iter().position(|id| matches!(TOKENIZER.special_of(*id), Some(Special::Verdict(_))));
        let mut mutated = ids.clone();
        match kind {
            0 => { mutated.remove(at); }
            1 => mutated.insert(at, other),
            _ => mutated[at] = other,
        }
        let result = parse_answer(&TOKENIZER, &mutated);
        if kind == 0 && decisions.is_some_and(|verdict| at <= verdict) {
            prop_assert!(result.is_err(), "a missing decision is found");
        }
    }

    #[test]
    fn the_text_parser_never_panics(text in ".{0,80}|(<ask:balance>|<none>|<bass>|<loud>|<4.0>|<v:loud>|<v:no_error>|a |<|\\|){0,12}") {
        let _ = parse_answer_text(&text);
    }
}
