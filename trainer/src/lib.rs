//! Makes MixingBuddy's weights from multitrack songs, measures them, and tries them out.
//!
//! | module | what it does |
//! | --- | --- |
//! | [`protocol`] | the published protocol as types |
//! | [`collections`] | songs on disk: readers, layouts, the index |
//! | [`mixing`] | prepares features once, and mixes training examples from them |
//! | [`weights`] | tensors and files: runs, bundles, adapters |
//! | [`train`] | the runs: encoder, decoder, advisor; calibration |
//! | [`oracle`] | what exact levels and the norms allow to know |
//! | [`evaluation`] | the benchmark: scores, controls, report |
//! | [`synthesis`] | draws flawed mixes with instructions and answers from an index |
//! | [`text`] | instruction and answer templates, the tokenizer's corpus |
//! | [`cli`] | the commands |
//! | [`files`], [`progress`], [`plotfont`], [`allocator`], [`denormals`] | small things that all of these share |

pub mod allocator;
pub mod cli;
pub mod collections;
pub mod denormals;
pub mod evaluation;
pub mod files;
pub mod mixing;
pub mod oracle;
pub mod plotfont;
pub mod progress;
pub mod protocol;
pub mod synthesis;
pub mod text;
pub mod train;
pub mod weights;
