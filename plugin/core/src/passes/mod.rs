//! What changed between two passes over the same places of a song, as far as the meter can tell.
//!
//! | module | what it does |
//! | --- | --- |
//! | [`shift`] | how the level of each stem against the rest moves when one fader does |
//! | [`compare`](mod@compare) | tells a fader's move from a mute, another take, automation, and from nothing |
//! | [`print`](mod@print) | a coarse picture of the sound: one fader moves it one way, another take both |
//! | [`followed`] | whether a move did what the advice asked for |
//!
//! Over seven songs held back for calibration, one window each time, with the compact model (thresholds were set on the
//! same songs; `plugin/core/benches/passes.rs`):
//!
//! | what was done | what is told |
//! | --- | --- |
//! | a fader moved by 3 dB | 70 of 76: the stem and direction; 6: nothing. Never another stem |
//! | a fader moved by 6 dB | 67 of 76: the stem and direction; 6: several; 3: nothing, or that it can't tell. Never another stem |
//! | the same stem from 10 s later, at the same level | 33 of 38: another take; 4: several; 1: nothing. Never a fader |
//! | a stem muted | 21 of 38: it vanished; 7: several; 3: nothing; **7: its fader moved** |
//! | two faders moved by 6 dB, one up, one down | 22 of 38: several; 5: another take, can't tell or nothing; **11: one fader** |
//! | the whole mix 6 dB louder | 16 of 16: nothing |
//!
//! The gain that is told is wrong by 0.3 to 1.3 dB (root mean square, by song).
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
