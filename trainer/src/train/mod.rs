//! The training loops, and what they share: optimiser, schedule, checkpoints, logs.

pub mod ablate;
pub mod advice;
pub mod advice_loop;
pub mod advisor;
pub mod calibrate;
pub mod checkpoint;
pub mod decoder;
pub mod device;
pub mod dpo;
pub mod early_stop;
pub mod encoder;
pub mod flaws;
pub mod heard;
pub mod loaders;
pub mod mask_loss;
pub mod optimizer;
pub mod preferences;
pub mod report;
pub mod run;
pub mod runlog;
pub mod sequences;
pub mod shards;
pub mod simulate;
pub mod tensorboard;
pub mod tuning;
