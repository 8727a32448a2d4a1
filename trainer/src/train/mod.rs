//! The training runs and their parts.
//!
//! | part | what it does |
//! | --- | --- |
//! | [`runs`] | one file per run: encoder, decoder, advisor, preference tuning |
//! | [`examples`] | what the language model learns from |
//! | [`large`] | what a run on a pretrained base needs |
//! | [`plan`] | all runs of a model one after another, from songs to bundle |
//! | [`calibrate`] | the bundle of trained weights, calibrated |
//! | [`ablate`] | the same run with one thing changed at a time |
//! | [`encoder_loss`], [`mask_loss`], [`dpo_loss`], [`meter_error`] | losses, and the figure of the encoder |
//! | [`optimizer`], [`shards`], [`tuning`], [`early_stop`], [`device`] | what the loops are made of |
//! | [`ranks`], [`gradient_sum`] | a run in many processes, and the sum of their gradients |
//! | [`run`], [`checkpoint`], [`runlog`], [`tensorboard`], [`report`] | the folder of a run: checkpoint, log, report |

pub mod ablate;
pub mod calibrate;
pub mod checkpoint;
pub mod device;
pub mod dpo_loss;
pub mod early_stop;
pub mod encoder_loss;
pub mod examples;
pub mod gradient_sum;
pub mod large;
pub mod mask_loss;
pub mod meter_error;
pub mod optimizer;
pub mod plan;
pub mod ranks;
pub mod report;
pub mod run;
pub mod runlog;
pub mod runs;
pub mod shards;
pub mod tensorboard;
pub mod tuning;
