//! From songs to training examples: features of every stem pair, kept on disk, mixed on the fly.

pub mod augment;
pub mod batch;
pub mod cache;
pub mod loaders;
pub mod mixer;
pub mod prepare;

pub use cache::{MapCache, SongMaps};
pub use mixer::{Example, MixPlan, StemTreatment};
