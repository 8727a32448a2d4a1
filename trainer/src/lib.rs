//! Makes MixingBuddy's weights from multitrack songs, and measures them.
//!
//! | module | what it does | uses |
//! | --- | --- | --- |
//! | [`protocol`] | the published protocol as types | |
//! | [`collections`] | songs on disk: readers, layouts, the index | `protocol` |
//! | [`text`] | instruction and answer templates, the tokenizer's corpus | `protocol` |
//! | [`mixing`] | prepares features once, and mixes training examples from them | `protocol`, `collections` |
//! | [`synthesis`] | draws flawed mixes with instructions and answers from an index | `protocol`, `collections`, `text` |
//! | [`oracle`] | the best answers from exact levels and the norms: the bound | `protocol` |
//! | [`evaluation`] | the benchmark: scores, controls; judges, studies, report | `protocol`, `collections`, `mixing`, `oracle` |
//! | [`weights`] | tensors and files: checkpoints, bundles, adapters | |
//! | [`train`] | the runs: encoder, decoder, advisor; calibration, ablation | all above but `synthesis` |
//! | [`cli`] | the commands | all above |
//! | [`files`], [`mapped`], [`part`], [`progress`], [`plotfont`], [`allocator`], [`denormals`] | small things | |
//!
//! The order of the table is the order of use, with no circle: a module uses only modules above it, and the small things
//! in its last row (`trainer/tests/module_order.rs` checks it).

pub mod allocator;
pub mod cli;
pub mod collections;
pub mod denormals;
pub mod evaluation;
pub mod files;
pub mod mapped;
pub mod mixing;
pub mod oracle;
pub mod part;
pub mod plotfont;
pub mod progress;
pub mod protocol;
pub mod synthesis;
pub mod text;
pub mod train;
pub mod weights;
