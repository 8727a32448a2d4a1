//! What a run on a pretrained base of hundreds of millions of parameters needs: see [`crate::train::runs::large`].
//!
//! | part | what it does |
//! | --- | --- |
//! | [`base`] | the weights of a checkpoint as tensors |
//! | [`batch`] | decisions and conversations as tokens |
//! | [`loss`] | forward pass and loss of a batch |
//! | [`mod@file`] | the adapter's file, written and read |

pub mod base;
pub mod batch;
pub mod file;
pub mod loss;
