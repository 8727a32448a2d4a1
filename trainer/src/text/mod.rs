//! Text for training: questions as people ask them, answers as an engineer gives them, and the tokenizer.
//!
//! The wordings are in `trainer/templates/*.toml`; [`templates`] reads and checks them, [`corpus`] draws from them. Those of
//! the large model's conversations, with checks of answers, are in [`conversation`].

pub mod conversation;
pub mod corpus;
pub mod instructions;
pub mod templates;
mod wordings;

pub use corpus::{TextExample, TextSampler, TrainingIds, build_training_ids, train_tokenizer};
pub use instructions::Instructions;
pub use templates::Templates;
