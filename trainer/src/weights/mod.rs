//! Weights: in files, as parts of runs and bundles, and in the layouts of other programs.
//!
//! | part | what it does |
//! | --- | --- |
//! | [`files`] | named tensors on disk |
//! | [`parts`] | the encoder, decoder or advisor of a run or bundle; what a run starts from |
//! | [`widen`] | weights of earlier models as the start of models that get to know more |
//! | [`advisor`] | a tuned language model |
//! | [`shapes`] | the weights of an adapter |
//! | [`average`] | means of weights |
//! | [`export`] | the adapter in the layout of PEFT, the decoder as Hugging Face's Qwen2, and a repository for its hub |
//! | [`import`], [`parse_adapter_config`] | such an adapter back again, and which adapters are plain LoRA |
//! | [`tokenizer`] | the shipped tokenizer |

pub mod advisor;
pub mod average;
mod content;
pub mod export;
pub mod files;
pub mod import;
pub mod parts;
mod peft_config;
pub mod shapes;
pub mod tokenizer;
pub mod widen;

pub use advisor::AdvisorWeights;
pub use average::weighted_mean;
pub use export::{CardFacts, HubParts, export_hub, export_peft};
pub use files::{Metadata, Tensors, field, load_tensors, parse_tensors, save_tensors};
pub use import::{import_adapter, save_imported};
pub use parts::{Part, bundle_file, load_encoder, load_part, start_from};
pub use peft_config::parse_adapter_config;
pub use shapes::{AdapterShape, adapter_shapes};
pub use tokenizer::TOKENIZER;
pub use widen::{start_decoder_from, start_encoder_from};
