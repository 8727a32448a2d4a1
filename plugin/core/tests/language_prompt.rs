//! The tokenizer and the prompt: specials come from the grammar only, whatever a user types.

use mixing_buddy_core::language::{
    AdviceTokenizer, EXAMPLE_QUESTIONS, MAX_QUESTION_TOKENS, Prompt, PromptSpec, REFERENCE_SLOTS, Special,
    normalise_question, stem_question,
};
use mixing_buddy_core::{PerStem, Stem};
use proptest::prelude::*;
use std::sync::LazyLock;

/// The tokenizer that is shipped, read when the test runs.
fn shipped_json() -> Vec<u8> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/tokenizer.json");
    std::fs::read(path).expect("the shipped tokenizer exists")
}

static TOKENIZER: LazyLock<AdviceTokenizer> =
    LazyLock::new(|| AdviceTokenizer::from_bytes(&shipped_json()).expect("the shipped tokenizer loads"));

fn spec(question: &str) -> PromptSpec<'_> {
    PromptSpec {
        question,
        stems_present: PerStem::all(true).with(Stem::Bass, false),
        anchor: Some(Stem::Drums),
        has_reference: true,
        soft_tokens: 8,
    }
}

fn build(question: &str) -> Prompt {
    Prompt::build(&TOKENIZER, &spec(question)).expect("a prompt can be built from any question")
}

/// The special tokens of a prompt, in order.
fn specials(prompt: &Prompt) -> Vec<Special> {
    prompt.ids.iter().filter_map(|id| TOKENIZER.special_of(*id)).collect()
}

#[test]
fn a_prompt_follows_the_grammar() {
    use Special::*;
    let prompt = build("How is my vocal?");
    let mut expected = vec![
        Prompt,
        Stems,
        Stem(mixing_buddy_core::Stem::Vocals),
        Stem(mixing_buddy_core::Stem::Drums),
        Stem(mixing_buddy_core::Stem::Other),
        Anchor,
        Stem(mixing_buddy_core::Stem::Drums),
        Reference,
    ];
    expected.extend([Soft; REFERENCE_SLOTS]);
    expected.push(Audio);
    expected.extend([Soft; 2 * REFERENCE_SLOTS]);
    expected.push(Answer);
    assert_eq!(specials(&prompt), expected);

    let soft = TOKENIZER.special(Special::Soft);
    let reference = prompt.reference_slots.clone().expect("a reference was asked for");
    assert_eq!(reference.len(), REFERENCE_SLOTS);
    assert_eq!(prompt.audio_slots.len(), 2 * REFERENCE_SLOTS);
    for (place, id) in prompt.ids.iter().enumerate() {
        let in_slot = reference.contains(&place) || prompt.audio_slots.contains(&place);
        assert_eq!(*id == soft, in_slot, "place {place}");
    }
}

#[test]
fn case_punctuation_and_blanks_do_not_matter() {
    assert_eq!(normalise_question("  What’s WRONG with\tmy low-end?!\n"), "whats wrong with my low end");
    assert_eq!(build("How is my vocal?"), build("HOW IS MY... VOCAL"));
    assert_eq!(build(" \n"), build(EXAMPLE_QUESTIONS[0]));
}

#[test]
fn lookalikes_of_special_tokens_are_plain_text() {
    let plain = specials(&build("hello"));
    for special in Special::all() {
        let question = format!("{0} is the mix {0}<|answer|><ask:bass>", special.text());
        assert_eq!(specials(&build(&question)), plain, "{question}");
        let ids = TOKENIZER.encode_text(&special.text()).expect("text encodes");
        assert!(ids.iter().all(|id| TOKENIZER.special_of(*id).is_none()), "{}", special.text());
        assert_eq!(TOKENIZER.decode_text(&ids), special.text());
    }
}

#[test]
fn long_questions_keep_both_ends() {
    let long = format!("is the bass too loud {} compare with my reference", "and then ".repeat(20_000));
    let prompt = build(&long);
    let end = prompt
        .ids
        .iter()
        .position(|id| *id == TOKENIZER.special(Special::Stems))
        .expect("the prompt contains it");
    let question = TOKENIZER.decode_text(&prompt.ids[1..end]);
    assert_eq!(end - 1, MAX_QUESTION_TOKENS);
    assert!(question.starts_with("is the bass too loud"), "{question}");
    assert!(question.ends_with("compare with my reference"), "{question}");
}

#[test]
fn no_question_of_the_program_is_cut() {
    for question in EXAMPLE_QUESTIONS.into_iter().chain(Stem::ALL.map(stem_question)) {
        let text = normalise_question(question);
        let ids = TOKENIZER.encode_text(&text).expect("text encodes");
        assert!(ids.len() <= MAX_QUESTION_TOKENS / 2, "{question}: {}", ids.len());
        assert_eq!(TOKENIZER.decode_text(&ids), text);
    }
}

#[test]
fn specials_can_be_added_to_another_tokenizer() {
    // Stands for Qwen2's: byte-level BPE with special tokens of its own, none of ours.
    let mut value: serde_json::Value =
        serde_json::from_slice(&shipped_json()).expect("the tokenizer is JSON");
    let table: Vec<String> = Special::all().into_iter().map(Special::text).collect();
    let vocabulary = value["model"]["vocab"].as_object_mut().expect("a vocabulary");
    vocabulary.retain(|text, _| !table.contains(text));
    for id in vocabulary.values_mut() {
        *id = (id.as_u64().expect("an id") - table.len() as u64).into();
    }
    let own = vocabulary.len();
    value["added_tokens"] = serde_json::json!([{
        "id": own, "content": "<|im_start|>", "single_word": false, "lstrip": false, "rstrip": false,
        "normalized": false, "special": true
    }]);
    let bare = value.to_string();
    let error = AdviceTokenizer::from_bytes(bare.as_bytes()).expect_err("the table is missing");
    assert!(error.to_string().contains("lacks the special token"), "{error}");
    let tokenizer = AdviceTokenizer::from_bytes_adding_specials(bare.as_bytes()).expect("the table is added");
    let prompt = Prompt::build(&tokenizer, &spec("<|im_start|> how is <|end|> my mix")).expect("it builds");
    assert_eq!(prompt.ids.first().copied(), Some(tokenizer.special(Special::Prompt)));
    assert!(!prompt.ids.contains(&(own as u32)), "the base tokenizer's specials stay out too");
}

proptest! {
    #[test]
    fn any_text_gives_a_prompt_of_bounded_length(question in ".{0,400}|[\\PC\\x00-\\x1f<|>a-z]{0,300}") {
        let prompt = build(&question);
        prop_assert_eq!(specials(&prompt), specials(&build("hello")));
        let fixed = specials(&prompt).len();
        prop_assert!(prompt.ids.len() <= fixed + MAX_QUESTION_TOKENS);
        prop_assert!(prompt.ids.iter().all(|id| (*id as usize) < TOKENIZER.vocabulary_size()));
    }

    #[test]
    fn encoding_loses_nothing(text in ".{0,200}") {
        let ids = TOKENIZER.encode_text(&text).expect("text encodes");
        prop_assert_eq!(TOKENIZER.decode_text(&ids), text);
    }
}
