//! The training loops, and what they share: optimiser, schedule, checkpoints, logs.

pub mod checkpoint;
pub mod encoder;
pub mod mask_loss;
pub mod optimizer;
pub mod runlog;
pub mod shards;
