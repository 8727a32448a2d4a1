//! `mixing-buddy serve` with many clients, and with one long song. Times are printed, not judged.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says why by panicking")]

use serving::{Serving, upload_of};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

#[path = "common/serving.rs"]
mod serving;

const CLIENTS: usize = 50;
const LONG: Duration = Duration::from_secs(120);
const MOST_MEMORY_MB: f64 = 500.0;

#[test]
#[ignore = "takes three minutes"]
fn fifty_clients_for_two_minutes_lose_nothing_in_bounded_memory() {
    let temporary = tempfile::tempdir().unwrap();
    let serving = Serving::start(temporary.path(), &["--workers", "2", "--uploads-per-minute", "0"]);
    let request = upload_of(30, 44_100);
    let (begun, has_ended) = (Instant::now(), AtomicBool::new(false));
    let (most_mb, waits_s) = std::thread::scope(|scope| {
        let memory = scope.spawn(|| {
            let mut most_mb = 0.0;
            while !has_ended.load(Ordering::Relaxed) {
                most_mb = f64::max(most_mb, serving.memory_mb());
                std::thread::sleep(Duration::from_millis(100));
            }
            most_mb
        });
        let one = || {
            let mut waits_s = Vec::new();
            while begun.elapsed() < LONG {
                let sent = Instant::now();
                let id = serving.upload(&request);
                let (mut is_done, mut was_placed) = (false, false);
                serving.follow(&id, |line| {
                    was_placed |= line.contains("\"place\":") && !line.contains("\"place\":null");
                    is_done |= line.contains("\"state\":\"done\"");
                });
                assert!(is_done, "song {id} is lost");
                waits_s.push((sent.elapsed().as_secs_f64(), was_placed));
            }
            waits_s
        };
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(one)).collect();
        let waits_s: Vec<_> = clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
        has_ended.store(true, Ordering::Relaxed);
        (memory.join().unwrap(), waits_s)
    });
    let longest_s = waits_s.iter().map(|(wait_s, _)| *wait_s).fold(0.0, f64::max);
    let placed = waits_s.iter().filter(|(_, was_placed)| *was_placed).count();
    eprintln!(
        "{} songs of 30 s from {CLIENTS} clients: longest wait for a verdict {longest_s:.1} s, {placed} were told their \
         place, {most_mb:.0} MB",
        waits_s.len()
    );
    assert!(waits_s.len() >= CLIENTS && placed > 0);
    assert!(most_mb < MOST_MEMORY_MB, "{most_mb:.0} MB");
}

#[test]
#[ignore = "prints times of one core"]
fn a_song_of_four_minutes_is_judged_on_one_worker() {
    let temporary = tempfile::tempdir().unwrap();
    let serving = Serving::start(temporary.path(), &["--workers", "1"]);
    let request = upload_of(240, 44_100);
    let sent = Instant::now();
    let id = serving.upload(&request);
    let (mut first_s, mut is_done) = (None, false);
    serving.follow(&id, |line| {
        if line == "event: window" {
            first_s.get_or_insert(sent.elapsed().as_secs_f64());
        }
        is_done |= line.contains("\"state\":\"done\"");
    });
    assert!(is_done);
    eprintln!(
        "4 minutes, one worker: first window after {:.1} s, verdict after {:.1} s",
        first_s.unwrap(),
        sent.elapsed().as_secs_f64()
    );
}
