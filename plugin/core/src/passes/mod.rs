//! What changed between two passes over the same places of a song, as far as the meter can tell.
//!
//! | module | what it does |
//! | --- | --- |
//! | [`shift`] | how the level of each stem against the rest moves when one fader does |
//! | [`compare`] | tells a fader's move from a mute, another take, automation, and from nothing |
//! | [`print`](mod@print) | a coarse picture of the sound: one fader moves it one way, another take both |
//! | [`followed`] | whether a move did what the advice asked for |
//!
//! Levels are against the rest of the mix, so nothing here depends on the level of the whole. That has a price: one
//! fader that goes down is the same as all others that go up together. The explanation with the fewest faders is told.

pub mod compare;
pub mod followed;
pub mod print;
pub mod shift;

pub use compare::{Change, Move, Place, compare};
pub use followed::{Followed, Outcome};
pub use print::Print;
