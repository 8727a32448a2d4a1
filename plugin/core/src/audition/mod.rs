//! Lets a person hear a mix with other gains of its stems, before any fader is moved.
//!
//! [`Unmixed`] is a window with estimates of its stems: the sound of those that the separator has a network for
//! ([`separate`]), and [`StemMasks`], which tell how the power of each cell is shared among the stems. [`Remixer`] applies gains
//! of the stems, with the mix's phase. [`Clip`] holds the window as it was and with the gains, at equal loudness. [`Player`]
//! plays a clip from an audio callback, without clicks and without allocation. Nothing here knows of threads or hosts.

mod clip;
mod filter;
mod loudness;
mod masks;
mod player;
mod remix;
mod separated;
mod unmixed;

pub use clip::{Clip, PEAK_LIMIT};
pub use loudness::{LOUDNESS_TOLERANCE_LU, match_loudness};
pub use masks::StemMasks;
pub use player::{FADE_S, Player, Version};
pub use remix::Remixer;
pub use separated::separate;
pub use unmixed::Unmixed;

/// Largest gain of a fader, either sign, in dB.
pub const MOST_GAIN_DB: f32 = 12.0;
