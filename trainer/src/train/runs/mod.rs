//! The runs, one file each: a configuration, its loop, and what it writes.

pub mod advisor;
pub mod decoder;
pub mod dpo;
pub mod encoder;
