//! The few tensor operations that the encoder and the decoder share, in training and in inference.
//!
//! candle's fused softmax, RMS norm and rotary embedding have no gradient, and no error says so. [`ops`] holds ours:
//! fast on the CPU with a tested backward, and plain differentiable operations on every other device.

pub mod block;
mod dequantize;
mod frozen;
pub mod fused;
pub mod linear;
pub mod ops;
pub mod params;

pub use block::{Block, BlockConfig, KeyValueCache, RotaryTable};
pub use linear::{DropoutStream, Linear, LoraConfig};
pub use params::{Init, Params};
