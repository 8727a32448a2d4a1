//! What a test does when the machine lacks a program or a driver that it needs.
//!
//! Test programs of other crates include this file by its path, so that there is one rule.

/// A test that lacks `what` is skipped. With the variable `CI` set, as `cargo xtask test` sets it, the test fails instead.
///
/// # Panics
/// When the variable `CI` is set.
#[allow(
    dead_code,
    reason = "some test programs include this file through a module, and use another part of that module"
)]
pub fn missing(what: &str) {
    assert!(std::env::var_os("CI").is_none(), "{what} is missing; `cargo xtask test` installs it");
    eprintln!("skipped: {what} is missing; `cargo xtask test` installs it");
}
