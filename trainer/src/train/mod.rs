//! The training loops, and what they share: optimiser, schedule, checkpoints, logs.
//!
//! | part | what it does |
//! | --- | --- |
//! | [`runs`] | one file a run: encoder, decoder, advisor, preference tuning |
//! | [`examples`] | what the language model learns from |
//! | [`ablate`] | the same run with one thing changed at a time |
//! | [`calibrate`] | the bundle of a run's weights, calibrated |
//! | the rest | optimiser, shards, early stopping, checkpoints, logs |

pub mod ablate;
pub mod advice_loop;
pub mod calibrate;
pub mod checkpoint;
pub mod device;
pub mod early_stop;
pub mod examples;
pub mod mask_loss;
pub mod optimizer;
pub mod report;
pub mod run;
pub mod runlog;
pub mod runs;
pub mod shards;
pub mod tensorboard;
pub mod tuning;
