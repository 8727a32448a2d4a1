//! Makes MixingBuddy's weights from multitrack songs, measures them, and tries them out.
//!
//! | module | what it does |
//! | --- | --- |
//! | [`songs`] | reads folders of stems |
//! | [`data`] | prepares features once, and mixes training examples from them |
//! | [`text`] | instruction and answer templates, the tokenizer's corpus |
//! | [`train`] | the loops: encoder, decoder, advisor, calibration |
//! | [`evaluate`] | the benchmark: protocol, scores, controls, report |
//! | [`advise`] | a song's advice for the terminal |
//! | [`cli`] | the commands |

pub mod cli;
pub mod data;
pub mod evaluate;
pub mod files;
pub mod norms_fit;
pub mod plotfont;
pub mod songs;
pub mod text;
pub mod train;

/// The shipped compact model.
pub const SHIPPED_BUNDLE: &[u8] = include_bytes!("../../assets/compact.mixbuddy");
