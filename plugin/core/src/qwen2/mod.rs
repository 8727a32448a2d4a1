//! A pretrained Qwen2 on the CPU: model files, a forward pass over quantised weights, text.
//!
//! The compact model's decoder ([`crate::decoder`]) is a Qwen2 of a million parameters over dense tensors. This room runs
//! published models of hundreds of millions, whose weights stay in their file, mapped into memory and quantised as they are
//! stored. Both share their sizes ([`DecoderConfig`](crate::decoder::DecoderConfig)) and the choice of the next token.
//!
//! | part | what it does |
//! | --- | --- |
//! | [`files`] | GGUF and safetensors, tokenizer, template of conversations |
//! | [`mod@format`], [`unpack`], [`matrix`] | stored weights and their values |
//! | [`activations`], [`kernels`], [`product`] | products of stored weights with inputs in 8 bits |
//! | [`math`], [`attention`], [`cache`], [`linear`] | the other parts of a layer |
//! | [`team`] | threads that end with the call |
//! | [`fingerprint`], [`adapter`] | a LoRA adapter, and whether it fits |
//! | [`model`], [`mod@generate`] | the model, and text from it |
//!
//! Nothing starts a thread that outlives its call, and no thread pool is used.
//!
//! ```no_run
//! use mixing_buddy_core::qwen2::{Cache, Checkpoint, Message, Model, Role, RunOptions, Sampling, generate};
//! # fn main() -> mixing_buddy_core::Result<()> {
//! let checkpoint = Checkpoint::open("qwen2.5-coder-0.5b-instruct-q8_0.gguf".as_ref())?;
//! let model = Model::load(&checkpoint)?;
//! let question = Message { role: Role::User, text: "What is a compressor?".into() };
//! let prompt = checkpoint.template.tokens(&checkpoint.tokenizer, &[question])?;
//!
//! let (options, mut cache) = (RunOptions::default(), Cache::new(model.config()));
//! let logits = model.extend(&mut cache, &model.embed(&prompt)?, &options)?;
//! let mut text = checkpoint.tokenizer.stream();
//! generate(&model, &checkpoint.tokenizer, (&mut cache, logits), (Sampling::Greedy, 200), &options, |id| {
//!     print!("{}", text.push(id));
//!     Ok(())
//! })?;
//! # Ok(())
//! # }
//! ```

pub mod activations;
pub mod adapter;
pub mod attention;
pub mod cache;
pub mod files;
pub mod fingerprint;
pub mod format;
pub mod generate;
pub mod kernels;
pub mod linear;
pub mod math;
pub mod matrix;
pub mod model;
pub mod product;
pub mod team;
pub mod unpack;

pub use adapter::Adapter;
pub use cache::Cache;
pub use files::{ChatTemplate, Checkpoint, Message, QwenTokenizer, Role};
pub use fingerprint::Fingerprint;
pub use format::Format;
pub use generate::{Ending, Sampling, generate};
pub use model::{Model, RunOptions};
pub use product::Precision;
