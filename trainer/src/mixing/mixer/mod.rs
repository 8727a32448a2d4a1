//! Mixes training examples from stem maps: exact for stems of one window, and an approximation across songs.
//!
//! | part | what it does |
//! | --- | --- |
//! | [`MixSettings`] | chances and spreads |
//! | [`Mixer`] | the windows that mixes are drawn from |
//! | `plan` | draws a [`MixPlan`]: stems, levels, equalisers |
//! | `sum` | carries it out, which gives an [`Example`] |

mod example;
mod plan;
mod pools;
mod settings;
mod sum;

pub use example::{Example, MixPlan, StemTreatment};
pub use pools::Mixer;
pub use settings::MixSettings;
