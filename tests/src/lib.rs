//! What the end-to-end tests share: the bundle under test, a small CLAP host, songs to play, and what the plugin saves.
//!
//! | module | what it does |
//! | --- | --- |
//! | [`bundle`] | the plugin as `cargo xtask bundle` lays it out, from the very build that the tests belong to |
//! | [`host`] | loads a CLAP, activates it, plays blocks with a transport, saves and restores its state |
//! | [`playback`] | plays a song through the plugin and gathers its advice |
//! | [`prerequisite`] | what a test does that lacks a program or a driver |
//! | [`saved`] | reads advice out of the plugin's saved state, as any host could |
//! | [`song`] | files and the demo, as a host hands them out |
//! | [`threads`] | which threads this process has |

pub mod bundle;
pub mod host;
pub mod playback;
pub mod prerequisite;
pub mod saved;
pub mod song;
pub mod threads;
