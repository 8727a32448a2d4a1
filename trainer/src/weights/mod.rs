//! Weights: in files, as parts of runs and bundles, and as others lay them out.
//!
//! | part | what it does |
//! | --- | --- |
//! | [`files`] | named tensors on disk; the encoder or decoder of a run or bundle |
//! | [`export`] | the adapter as PEFT lays it out, the base as Hugging Face's Qwen2 |
//! | [`import`] | such an adapter back again |

pub mod export;
pub mod files;
pub mod import;

pub use export::{AdapterShape, AdvisorWeights, CardFacts, adapter_shapes, export_peft, run_file};
pub use files::{Part, field, load_encoder, load_part, load_tensors, save_tensors, start_from};
pub use import::{import_adapter, save_imported};

/// The shipped tokenizer, which goes into every bundle.
pub(crate) const TOKENIZER: &[u8] = include_bytes!("../../../assets/tokenizer.json");
