//! Lets a person hear a mix with other gains of its stems, before any fader is moved.
//!
//! [`StemMasks`] tell how the power of each cell of a window is shared among the stems. [`Remixer`] turns gains of the
//! stems into a gain of each cell and applies it to the window, with the mix's phase. [`Clip`] holds the window as it was
//! and with the gains, at equal loudness. [`Player`] plays a clip from an audio callback, without clicks and without
//! allocation. Nothing here knows of threads or hosts.

mod clip;
mod loudness;
mod masks;
mod player;
mod remix;

pub use clip::{Clip, PEAK_LIMIT};
pub use loudness::{LOUDNESS_TOLERANCE_LU, match_loudness};
pub use masks::StemMasks;
pub use player::{FADE_S, Player, Version};
pub use remix::Remixer;

/// Largest gain of a fader, either sign, in dB.
pub const MOST_GAIN_DB: f32 = 12.0;
