//! Makes MixingBuddy's weights from multitrack songs, measures them, and tries them out.
//!
//! | module | what it does |
//! | --- | --- |
//! | [`songs`] | reads folders of stems |
//! | [`data`] | prepares features once, and mixes training examples from them |
//! | [`dataset`] | imports collections of songs into an index |
//! | [`synthesis`] | draws flawed mixes with instructions and answers from an index |
//! | [`text`] | instruction and answer templates, the tokenizer's corpus |
//! | [`train`] | the loops: encoder, decoder, advisor, calibration |
//! | [`evaluate`] | the benchmark: protocol, scores, controls, report |
//! | [`export`] | adapters and bases for others to load, and back |
//! | [`advise`] | a song's advice for the terminal |
//! | [`cli`] | the commands |
//! | [`progress`] | bars with the time left |
//! | [`allocator`] | memory for large tensors |
//! | [`denormals`] | numbers too small to matter |

pub mod allocator;
pub mod cli;
pub mod data;
pub mod dataset;
pub mod denormals;
pub mod evaluate;
pub mod export;
pub mod files;
pub mod norms_fit;
pub mod plotfont;
pub mod progress;
pub mod songs;
pub mod synthesis;
pub mod text;
pub mod train;

/// The shipped compact model.
pub const SHIPPED_BUNDLE: &[u8] = include_bytes!("../../assets/compact.mixbuddy");
