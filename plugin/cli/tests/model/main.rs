//! `mixing-buddy model`, the program itself, against a hub on this computer.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says why by panicking")]

mod bundle;
mod choice;
mod computer;
mod fetch;
mod hub;
mod refusals;
mod stops;
#[allow(dead_code, reason = "the core's tests use more of it")]
#[path = "../../../core/tests/qwen2/talking.rs"]
mod talking;
#[allow(dead_code, reason = "the core's tests use more of it")]
#[path = "../../../core/tests/qwen2/tiny.rs"]
mod tiny;
