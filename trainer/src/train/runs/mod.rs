//! The runs, one file each: the configuration, what differs from the other runs, and the loop.
//!
//! | part | what it does |
//! | --- | --- |
//! | [`encoder`] | trains the encoder |
//! | [`decoder`] | pretrains the decoder and the projector |
//! | [`advisor`] | tunes them on real mixes |
//! | [`large`] | tunes a pretrained base of hundreds of millions of parameters |
//! | [`dpo`] | tunes the advisor on preferences |
//! | [`config`], [`setup`], [`advice_loop`] | configuration keys, set-up and loop that they share |

pub mod advice_loop;
pub mod advisor;
pub mod config;
pub mod decoder;
pub mod dpo;
pub mod encoder;
pub mod large;
pub mod setup;
