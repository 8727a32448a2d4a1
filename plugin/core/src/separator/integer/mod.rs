//! The network in whole numbers: kernels of 8 bits (13, where they are stored whole) times maps of 16 bits, summed exactly in 32.
//!
//! A map's values are stored as codes, whole numbers that its scale turns back into values. The largest value of a map gets
//! the largest code whose sums cannot overflow with these kernels: 14 or 15 bits in this network. A processor
//! multiplies two to four times as many of these numbers at a time as it does in floating point, and all processors get the same sums.
//!
//! | part | what it does |
//! | --- | --- |
//! | [`map`] | maps as codes, with a border of zeros |
//! | [`norm`] | the values that are coded: normalised and rectified results |
//! | [`packed`] | kernels in the order in which they are read |
//! | [`convolve`] | a convolution, tile by tile |
//! | [`kernels`] | the sums of a tile, for each kind of processor |
//! | [`layers`] | the layers between the first and the last |
//! | [`network`] | the network |
//!
//! The first layer and the last stay in floating point: magnitudes span more than 16 bits, and the last layer is a
//! hundredth of the work.

pub mod convolve;
pub mod kernels;
pub mod layers;
pub mod map;
pub mod network;
pub mod norm;
pub mod packed;

pub use network::{Buffers, IntegerUNet};
