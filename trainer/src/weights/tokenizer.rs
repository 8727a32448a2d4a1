//! The shipped tokenizer.

/// The shipped tokenizer (JSON), which goes into every bundle.
pub const TOKENIZER: &[u8] = include_bytes!("../../../assets/tokenizer.json");
