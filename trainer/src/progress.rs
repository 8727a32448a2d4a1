//! Progress bars of long work, with the time left, and output that does not garble them.

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::io::Write;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// All bars of the process: output between them has to hide them first.
static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// Whether this process shows no progress, since another one shows that of all.
static IS_QUIET: AtomicBool = AtomicBool::new(false);

/// From now on, this process shows no progress and logs only warnings: another one shows that of all.
pub fn be_quiet() {
    IS_QUIET.store(true, Ordering::Relaxed);
}

/// Whether [`be_quiet`] was called.
pub fn is_quiet() -> bool {
    IS_QUIET.load(Ordering::Relaxed)
}

/// A progress bar with a message and the time left.
pub fn progress(name: &str, steps: usize, start: usize) -> ProgressBar {
    let template = format!("{name} {{wide_bar}} {{pos}}/{{len}}, {{msg}} {{eta}} left");
    let style = ProgressStyle::with_template(&template).expect("a valid template");
    let bar = if is_quiet() { ProgressBar::hidden() } else { BARS.add(ProgressBar::new(steps as u64)) };
    let bar = bar.with_style(style);
    bar.set_position(start as u64);
    bar
}

/// A line that counts what is done of work of unknown length.
pub fn counter(name: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(&format!("{{spinner}} {{pos}} {name}, {{msg}} {{per_sec}}"));
    let bar = if is_quiet() { ProgressBar::hidden() } else { BARS.add(ProgressBar::new_spinner()) };
    bar.with_style(style.expect("a valid template"))
}

/// A line for work of unknown length.
pub fn spinner() -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {msg}").expect("a valid template");
    BARS.add(ProgressBar::new_spinner().with_style(style))
}

/// Standard error, with the bars hidden while something is written.
#[derive(Clone, Copy, Debug, Default)]
pub struct StderrBetweenBars;

impl Write for StderrBetweenBars {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        // Where it cannot be written there is nobody to tell; the log would try to, and panic.
        let _nobody_reads_it = BARS.suspend(|| std::io::stderr().write_all(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
