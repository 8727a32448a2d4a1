//! Mid/side features: the encoder's input.
//!
//! A window of stereo sound at [`MODEL_RATE_HZ`](crate::audio::MODEL_RATE_HZ) becomes two maps of band power, mid
//! `(L + R) / 2` and side `(L - R) / 2`, `[frames, bands]` each. The bands divide every bin's power completely (see
//! [`BandBank`]), so sums over a map are powers of the sound itself. [`encoder_input`] takes the logarithm relative to
//! the window's own mean power: the model's input does not depend on absolute level. Models with a separator also get its
//! stems' shares of the power, in the same bands and frames ([`ShareStream`]).

mod bands;
mod extract;
mod kweight;
mod settings;
mod shares;
mod stream;

pub use bands::BandBank;
pub use extract::{BandPower, FeatureExtractor, SHARE_FLOOR, encoder_input, share_log_odds};
pub use kweight::k_weight_power;
pub use settings::{BandScale, FeatureSettings};
pub use shares::{PassSettings, ShareStream, SlabShares};
pub use stream::FeatureStream;
