//! From songs to training examples: features of every stem pair, kept on disk, mixed on the fly.

pub mod augment;
mod base_mix;
pub mod batch;
pub mod cache;
pub mod loaders;
pub mod mixer;
pub mod networks;
pub mod prepare;
pub mod shares;

pub use cache::{MapCache, SongMaps};
pub use mixer::{Example, MixPlan, StemTreatment};
