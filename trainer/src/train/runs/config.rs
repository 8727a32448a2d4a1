//! The configuration keys that runs share.
//!
//! Every run reads its configuration from one flat TOML table and refuses unknown keys. serde's `flatten` cannot refuse
//! unknown keys, so shared keys are not in a struct of their own: the macros below write them into the struct of each
//! run. `run_config!` adds the keys of every run, `language_config!` those of every language model run, and
//! `tuning_config!` those of every run that learns from real mixes.

use crate::train::early_stop::EarlyStop;
use crate::train::optimizer::OptimizerSettings;

/// What the loop of a run needs from its configuration.
#[derive(Clone, Copy)]
pub struct Schedule<'a> {
    /// Seed of everything random.
    pub seed: u64,
    /// Steps in total.
    pub steps: usize,
    /// Examples per micro-batch.
    pub batch: usize,
    /// Micro-batches per step.
    pub accumulate: usize,
    /// Threads, each with its share of the micro-batch.
    pub shards: usize,
    /// Steps between checkpoints.
    pub checkpoint_steps: usize,
    /// When the run ends before its last step.
    pub early_stop: &'a EarlyStop,
    /// Optimizer.
    pub optimizer: &'a OptimizerSettings,
}

/// Declares the configuration of a run: the keys of every run, and the given ones.
macro_rules! run_config {
    ($(#[$meta:meta])* pub struct $name:ident { $($own:tt)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            /// Seed of everything random.
            pub seed: u64,
            /// Steps in total.
            pub steps: usize,
            /// Examples per micro-batch: what is in memory at a time.
            pub batch: usize,
            /// Micro-batches per step; their gradients are averaged.
            pub accumulate: usize,
            /// Threads, each with its share of the micro-batch.
            pub shards: usize,
            /// Steps between checkpoints.
            pub checkpoint_steps: usize,
            /// When the run ends before its last step, by its figure on held-out examples.
            pub early_stop: $crate::train::early_stop::EarlyStop,
            /// Optimizer.
            pub optimizer: $crate::train::optimizer::OptimizerSettings,
            $($own)*
        }

        impl $name {
            /// Reads the configuration (TOML).
            ///
            /// # Errors
            /// When the text is not TOML, or a key is unknown or has the wrong type; the message shows the line.
            pub fn from_toml(text: &str) -> anyhow::Result<Self> {
                anyhow::Context::context(toml::from_str(text), "the configuration cannot be used")
            }

            /// What the loop of the run needs.
            pub fn schedule(&self) -> $crate::train::runs::config::Schedule<'_> {
                $crate::train::runs::config::Schedule {
                    seed: self.seed,
                    steps: self.steps,
                    batch: self.batch,
                    accumulate: self.accumulate,
                    shards: self.shards,
                    checkpoint_steps: self.checkpoint_steps,
                    early_stop: &self.early_stop,
                    optimizer: &self.optimizer,
                }
            }
        }
    };
}

/// Declares the configuration of a language model run: the keys of [`run_config`], simulation and questions, and the
/// given ones.
macro_rules! language_config {
    ($(#[$meta:meta])* pub struct $name:ident { $($own:tt)* }) => {
        $crate::train::runs::config::run_config! {
            $(#[$meta])*
            pub struct $name {
                /// Simulated meter and songs.
                pub simulation: $crate::train::examples::simulate::SimulationSettings,
                /// What the questions are about.
                pub questions: $crate::train::examples::advice::QuestionShares,
                $($own)*
            }
        }
    };
}

/// Declares the configuration of a run that tunes on real mixes: the keys of [`language_config`], those of the mixes,
/// and the given ones.
macro_rules! tuning_config {
    ($(#[$meta:meta])* pub struct $name:ident { $($own:tt)* }) => {
        $crate::train::runs::config::language_config! {
            $(#[$meta])*
            pub struct $name {
                /// Flawed mixes that the encoder reads once before training; many questions are asked about each.
                pub mixes: usize,
                /// Share of these mixes that come from songs which the encoder was not trained on.
                #[serde(alias = "unheard")]
                pub held_out_share: f64,
                /// Share of simulated readings in each batch; they keep what the pretraining taught.
                pub simulated: f64,
                /// Flawed mixes of `calib` songs, never trained on, that each checkpoint is measured with; 0 for none.
                pub validation_mixes: usize,
                /// Mixing of the examples.
                pub mix: $crate::mixing::mixer::MixSettings,
                $($own)*
            }
        }

        impl $name {
            /// Reads the flawed mixes that this run learns from.
            fn mix_reader<'a>(
                &'a self,
                source: $crate::train::examples::tuning::MixSource<'a>,
                device: &'a candle_core::Device,
            ) -> $crate::train::examples::tuning::MixReader<'a> {
                $crate::train::examples::tuning::MixReader {
                    seed: self.seed,
                    shards: self.shards,
                    source,
                    mixes: $crate::train::examples::tuning::TuningMixes {
                        count: self.mixes,
                        held_out_share: self.held_out_share,
                        simulated: self.simulated,
                        validation_count: self.validation_mixes,
                        mix: &self.mix,
                        questions: &self.questions,
                    },
                    device,
                }
            }
        }
    };
}

pub(super) use {language_config, run_config, tuning_config};
