//! From ten seconds of sound to mixing advice.
//!
//! The modules, in the order in which sound passes through them:
//!
//! | module | what it does |
//! | --- | --- |
//! | [`audio`] | decodes files, resamples to the model's rate, cuts windows |
//! | [`separator`] | a pretrained network for the vocals: their share of each cell of the mix |
//! | [`features`] | mid/side maps of log band power, independent of absolute level, and the separator's shares |
//! | [`nn`] | the few tensor operations that training and inference share |
//! | [`encoder`] | measures how much of each patch is vocals, drums, bass, other: masks, levels, summaries |
//! | [`language`] | tokenizer, prompt, answer grammar, sentence templates |
//! | [`decoder`] | Qwen2 with LoRA and a KV cache, the projector, constrained decoding |
//! | [`conversation`] | what a question is about, what is known of a window, and the reply |
//! | [`qwen2`] | a pretrained Qwen2 of hundreds of millions of parameters, over quantised weights |
//! | [`large`] | the large model: a pretrained Qwen2 with our adapter, which decides and explains |
//! | [`norms`] | the usual balances of released songs |
//! | [`advice`] | the plain answer that callers get |
//! | [`clock`], [`words`] | positions in a song, and advice, as text: "1:20", "Vocals too loud" |
//! | [`bundle`] | weights, tokenizer, settings, calibration and checksums in one file |
//! | [`audition`] | a window with other gains of its stems, to be heard |
//! | [`loudness`] | loudness, range and peaks of a mix; whether it comes from a limiter |
//! | [`engine`] | `load`, `warmup`, `advise`, `stem_masks` |
//! | [`profile`] | the library of references: measured songs, groups, targets |
//! | [`song`] | analyzes a file window by window, in memory that does not grow |
//! | [`lines`] | writes advice as lines of text or JSON |
//! | [`model_choice`] | which language model the user chose, for all projects |
//! | [`passes`] | what changed between two passes over the same place |
//! | [`report`] | advice on a song as a page for browsers |
//!
//! [`stem`], [`gain_grid`], [`stft`], [`hash`], [`isa`], [`error`] and [`cancel`] serve the others, [`device`] the engine, [`output`] the
//! command lines. Only
//! [`engine`] calls the others in turn; no module knows the callers of this crate.

pub mod advice;
pub mod audio;
pub mod audition;
pub mod bundle;
pub mod cancel;
pub mod clock;
mod compose;
pub mod conversation;
pub mod decoder;
pub mod device;
pub mod encoder;
pub mod engine;
pub mod error;
pub mod features;
pub mod gain_grid;
pub mod hash;
pub mod isa;
pub mod language;
pub mod large;
pub mod lines;
pub mod loudness;
pub mod model_choice;
pub mod nn;
pub mod norms;
pub mod output;
pub mod passes;
pub mod profile;
pub mod qwen2;
mod replace;
pub mod report;
pub mod separator;
pub mod song;
pub mod stem;
pub mod stft;
pub mod words;

pub use advice::{Advice, AdviceKind, BestAnswer, Verdict};
pub use cancel::CancelFlag;
pub use device::DeviceKind;
pub use engine::{Analysis, Conversation, Engine, Reply, Request};
pub use error::{Error, Result};
pub use gain_grid::GainStep;
pub use model_choice::ModelChoice;
pub use stem::{Direction, PerDirection, PerStem, PerTarget, Stem};
