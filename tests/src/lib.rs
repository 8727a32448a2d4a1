//! What the end-to-end tests share: the bundle under test, a small CLAP host, songs to play, and the saved state.
//!
//! | module | what it does |
//! | --- | --- |
//! | [`bundle`] | the plugin as `cargo xtask bundle` lays it out, from the very build that the tests belong to |
//! | [`host`] | loads a CLAP, activates it, plays blocks with a transport, saves and restores its state |
//! | [`playback`] | plays a song through the plugin and collects its advice |
//! | [`prerequisite`] | what a test does that lacks a program or a driver |
//! | [`saved`] | reads advice from the plugin's saved state, as any host could |
//! | [`song`] | files and the demo, as audio that a host plays |
//! | [`threads`] | the threads of this process |

pub mod bundle;
pub mod host;
pub mod playback;
pub mod prerequisite;
pub mod saved;
pub mod song;
pub mod threads;
