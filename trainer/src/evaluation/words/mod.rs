//! Scores of the advice's words: items, references, semantic similarity.
//!
//! | file | what it does |
//! | --- | --- |
//! | [`items`] | a seeded part of the samples with their advice, as lines of JSON |
//! | [`references`] | what an expert says to an item: annotations, or sentences that we wrote |
//! | [`embedder`] | sentences as vectors, by all-MiniLM-L6-v2 |
//! | [`mod@similarity`] | how close the advice is to its references, and what closeness cannot tell |

pub mod embedder;
pub mod items;
pub mod references;
pub mod similarity;

pub use embedder::SentenceEmbedder;
pub use items::{Item, Truth, choose_items, read_items, write_items};
pub use references::{Reference, WRITTEN_BY, read_references, written_advice, written_references};
pub use similarity::{SimilarityReport, TextEmbedder, similarity};
