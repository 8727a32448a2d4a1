//! Model files: GGUF and safetensors, read without trusting them.
//!
//! | file | what it does |
//! | --- | --- |
//! | [`storage`] | bytes of a file, mapped |
//! | [`gguf`] | head of a GGUF file |
//! | [`safetensors`] | one safetensors file, or the shards that an index names |
//! | [`config`] | sizes of the model, from either kind |
//! | [`weights`] | tensors by their place in the model, whatever the file calls them |
//! | [`tokenizer`] | text to tokens and back |
//! | [`chat`] | a conversation as text with its marks |
//! | [`checkpoint`] | all of it: opens a file or a folder |

pub mod chat;
pub mod checkpoint;
pub mod config;
pub mod gguf;
pub mod safetensors;
pub mod storage;
pub mod tokenizer;
pub mod weights;

pub use chat::{ChatTemplate, Message, Role};
pub use checkpoint::Checkpoint;
pub use storage::{Span, Storage};
pub use tokenizer::{QwenTokenizer, TextStream};
pub use weights::{Naming, Part, Place, Weights};
