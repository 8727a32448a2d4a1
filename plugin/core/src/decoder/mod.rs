//! The language model: a projector that turns readings into soft tokens, and a Qwen2 decoder with LoRA.
//!
//! One implementation serves training (differentiable, LoRA) and inference (key-value cache, quantised weights): the
//! layers of [`crate::nn`] choose the operation by the kind of weight.

mod config;
mod generate;
mod model;
mod projector;
mod reference;
pub mod sampling;

pub use config::DecoderConfig;
pub use generate::{Generated, GenerationRequest, Generator, Outcomes};
pub use model::Decoder;
pub use projector::{Projector, ProjectorConfig, ReferenceCode, SHIPPED_TOKENS_PER_STEM, audio_features};
pub use reference::ReferenceBalance;
