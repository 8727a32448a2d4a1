//! A whole model from nothing, by one plan: features, encoder, decoder, advisor, bundle.
//!
//! | part | what it does |
//! | --- | --- |
//! | [`config`] | the plan as in its TOML file, and shorter versions of it |
//! | [`state`] | which stages are finished |
//! | [`runner`] | runs the stages |

pub mod config;
pub mod runner;
pub mod state;

pub use config::{EncoderStage, Plan, PrepareSettings};
pub use runner::{PlanInput, PlanOptions, run_plan};
