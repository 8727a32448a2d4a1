//! Input and output of the language model: tokens, prompt, answer, sentence.
//!
//! # The grammar of a sequence
//!
//! ```text
//! sequence  = prompt answer
//! prompt    = "<|prompt|>" question
//!             "<|stems|>" { stem }                  stems present in the window, in array order
//!             [ "<|anchor|>" stem ]                 a stem that the user says is right
//!             [ "<|reference|>" soft×4 ]            the balance to aim at, one slot per stem
//!             "<|audio|>" soft×N                    what the encoder measured
//!             "<|answer|>"
//! question  = at most 40 tokens of text, normalised: see `prompt::normalise_question`
//! stem      = "<vocals>" | "<drums>" | "<bass>" | "<other>"
//! soft      = "<|soft|>"                            its embedding is replaced by a projected token
//!
//! answer    = intent ( right | wrong ) sentence "<|end|>"
//! intent    = "<ask:balance>" | "<ask:vocals>" | "<ask:drums>" | "<ask:bass>" | "<ask:other>"
//!           | "<ask:compare>" | "<ask:unclear>"     how the model understood the question
//! right     = "<none>" "<v:no_error>"
//! wrong     = ( "<vocals>" | "<drums>" | "<bass>" ) ( "<quiet>" | "<loud>" ) gain verdict
//! gain      = "<3.0>" | "<3.5>" | … | "<12.0>"      size of the error in dB
//! verdict   = "<v:quiet>" | "<v:very_quiet>" | "<v:loud>" | "<v:very_loud>"
//! sentence  = at most 48 tokens of text without digits and without the signs < | >, in which
//!             "<|stem|>" stands for the stem's name and "<|gain|>" for the dB figure
//! ```
//!
//! [`Grammar`] and [`parse_answer`] also enforce what this notation cannot express: an answer to a question about a
//! target names only that target; the verdict follows from direction and gain
//! ([`crate::advice::Verdict::of_error`]); `<|stem|>` needs a target or a stem asked for; `<|gain|>` needs an error.
//!
//! The special tokens are named in one table ([`Special`]) and looked up by their text, so the same code serves our
//! own small tokenizer and that of Qwen2, to which the table is added.
//!
//! # Files
//!
//! Each file uses only those above it: `questions`, `intent`, `special`, `tokenizer`, `decision`, then `prompt`,
//! `parse`, `grammar`, `check` and `render`, then `answer`.

mod answer;
mod check;
mod decision;
mod grammar;
mod intent;
mod parse;
mod prompt;
mod questions;
mod render;
mod special;
mod tokenizer;

pub use answer::AnswerIds;
pub use check::check_sentence;
pub use decision::{Decision, MAX_TEXT_TOKENS, StemError};
pub use grammar::{Grammar, State};
pub use intent::Intent;
pub use parse::{ParsedAnswer, parse_answer, parse_answer_text};
pub use prompt::{MAX_QUESTION_TOKENS, Prompt, PromptSpec, REFERENCE_SLOTS, normalise_question};
pub use questions::{COMPARE_QUESTION, DEFAULT_QUESTION, EXAMPLE_QUESTIONS, stem_question};
pub use render::{fallback_sentence, gain_words, render};
pub use special::Special;
pub use tokenizer::AdviceTokenizer;
