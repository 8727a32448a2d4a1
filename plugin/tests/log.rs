//! What a person who debugs the worker finds in the log. A test program of its own: the subscriber is the process's.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Act, Bench, Fake};
use mixing_buddy::capture::Flow;
use mixing_buddy_core::DeviceKind;
use std::io::Write;
use std::sync::{Arc, Mutex};

/// An amplitude at which the fake model finds the vocals too loud.
const LOUD: f32 = 0.5;

/// Collects log lines.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn the_log_tells_what_the_worker_did_and_what_went_wrong() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let mut bench = Bench::new([Fake::on(DeviceKind::Cuda, [Act::Fail]), Fake::new([])]);
    bench.play_and_step(21, LOUD);
    bench.change_flow(Flow::Paused);
    bench.settle();
    // Ten seconds fit into the ring. The loss is announced with the audio that follows.
    bench.play(13.0, LOUD);
    bench.settle();
    bench.play_and_step(1, LOUD);
    bench.params.project.load_text("{");
    bench.settle();
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    for expected in [
        "INFO mixing_buddy::worker::session: model loaded",
        "the device failed, the CPU is used",
        "window analyzed",
        "break in the song",
        "audio lost: the ring was full",
        "the saved state could not be read",
    ] {
        assert!(text.contains(expected), "{expected} is missing in:\n{text}");
    }
}
