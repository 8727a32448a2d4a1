//! Conversations in words: how people ask the large model, how it may answer, and checks of answers, its own or others'.
//!
//! | part | what it does |
//! | --- | --- |
//! | [`language`] | the languages, and the files of each |
//! | [`wordings`] | reads and checks `questions.toml` and `answers.toml`, draws questions |
//! | [`figures`] | levels, gains and probabilities as answers write them |
//! | [`answers`] | draws the answer to a topic from the facts of a window |
//! | `sentences` | its sentences, one kind each |
//! | [`held_out`] | wordings of questions that are never drawn |
//! | [`lexicon`] | reads `lexicon.toml`: the words by which answers are checked |
//! | [`clauses`] | an answer as sentences and clauses, and the stem that each is about |
//! | [`contradiction`] | numbers and directions of an answer against the facts |
//! | [`runs`] | runs of eight words that an answer shares with templates or training texts |
//! | [`subject`] | whether an answer is about the stem that was asked for, or a no |
//! | [`score`] | all checks on many answers |
//!
//! The wordings are in `trainer/templates/conversation/`, a folder per language.

pub mod answers;
pub mod clauses;
pub mod contradiction;
pub mod figures;
pub mod held_out;
pub mod language;
pub mod lexicon;
pub mod runs;
pub mod score;
mod sentences;
pub mod subject;
pub mod wordings;

pub use answers::Answerer;
pub use contradiction::{Contradiction, contradictions};
pub use held_out::{HeldOut, HeldOutQuestion};
pub use language::Language;
pub use lexicon::Lexicon;
pub use runs::{RUN_WORDS, WordRuns};
pub use score::{ReadTurn, Score, Scorer};
pub use subject::{is_about, is_no};
pub use wordings::ConversationWordings;
