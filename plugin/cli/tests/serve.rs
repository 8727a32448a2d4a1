//! `mixing-buddy serve` as a user runs it: it says where it is, ends when asked to, and cleans up after one that was killed.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says why by panicking")]

use serving::{Serving, upload_of};
use std::io::Read;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

#[path = "common/serving.rs"]
mod serving;

/// Files below a folder, but for locks.
fn files(folder: &Path) -> usize {
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.map(|path| if path.is_dir() { files(&path) } else { usize::from(!path.ends_with("lock")) }).sum()
}

#[test]
fn uploads_of_a_killed_server_are_removed_by_the_next_and_a_signal_ends_it_in_order() {
    let temporary = tempfile::tempdir().unwrap();
    let mut killed = Serving::start(temporary.path(), &["--workers", "1"]);
    killed.upload(&upload_of(600, 8_000));
    assert_eq!(files(temporary.path()), 1);
    killed.signal("KILL");
    killed.child.wait().unwrap();
    assert_eq!(files(temporary.path()), 1, "nobody could clean up");

    let mut next = Serving::start(temporary.path(), &["--workers", "1"]);
    assert_eq!(files(temporary.path()), 0);
    let page = next.ask(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    assert!(page.starts_with("HTTP/1.1 200 ") && page.contains("<title>MixingBuddy</title>"), "{page}");
    next.upload(&upload_of(600, 8_000));
    let begun = Instant::now();
    next.signal("TERM");
    let status = next.child.wait().unwrap();
    assert!(
        status.success() && begun.elapsed() < Duration::from_secs(5),
        "{status} after {:?}",
        begun.elapsed()
    );
    assert_eq!(files(temporary.path()), 0);
    let mut said = String::new();
    next.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(said, "Stopped.\n");
}

#[test]
fn options_that_make_no_sense_are_refused() {
    for (args, word) in [
        (["--bind", "somewhere"], "--bind"),
        (["--workers", "0"], "--workers"),
        (["--most-minutes", "0"], "--most-minutes"),
        (["--embed-in", "https://a; script-src *"], "--embed-in"),
        (["--bundle", "/missing/model"], "/missing/model"),
    ] {
        let output =
            Command::new(env!("CARGO_BIN_EXE_mixing-buddy")).arg("serve").args(args).output().unwrap();
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && message.contains(word), "{args:?}: {message}");
    }
}
