//! Measures stems in a mix: soft masks over patches, and from them each stem's level against the rest.
//!
//! A bidirectional transformer reads one token per patch ([`FeatureSettings::patch_frames`](crate::features::FeatureSettings::patch_frames) frames of mid and side
//! bands) and predicts, for every cell of the patch, how its power is shared among the stems. Masks times power,
//! summed, are stem powers: the level is measured, not guessed. A small head then corrects what the masks miss, and
//! predicts the expected error and whether the stem is present at all.
//!
//! In a model with a separator, the shares of the separated stems are the separator's: the transformer gets them as input,
//! and its masks divide only what remains among the other stems.

mod masks;
mod model;
mod reading;
mod separated;

pub use masks::{mask_energies, mask_energies_plain};
pub use model::{
    Encoded, Encoder, EncoderBatch, EncoderConfig, Metered, levels_against_rest_db, patch_power,
};
pub use reading::{PRESENCE_THRESHOLD, Reading, StemReading, pool_readings, readings};
pub use separated::{join_shares, join_shares_plain};
