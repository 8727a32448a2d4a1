//! Weights for other programs: the adapter in the layout of PEFT, the decoder as Hugging Face's Qwen2; and a repository for its hub
//! with these and the bundle ([`hub`]).
//!
//! ```text
//! DIR/
//!   README.md                       model card
//!   adapter_config.json             the adapter (PEFT)
//!   adapter_model.safetensors
//!   base/config.json                the decoder without it (transformers, Qwen2ForCausalLM)
//!   base/model.safetensors
//!   base/tokenizer.json, base/tokenizer_config.json
//!   projector_config.json, projector.safetensors
//!   encoder_config.json, encoder.safetensors
//! ```

mod card;
pub mod hub;
mod peft;

pub use card::CardFacts;
pub use hub::{HubParts, export_hub};
pub use peft::export_peft;
