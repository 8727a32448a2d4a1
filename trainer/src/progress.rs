//! Progress of long work, with the time left.

use indicatif::{ProgressBar, ProgressStyle};

/// A progress bar with a message and the time left.
pub fn progress(name: &str, steps: usize, start: usize) -> ProgressBar {
    let template = format!("{name} {{wide_bar}} {{pos}}/{{len}}, {{msg}} {{eta}} left");
    let style = ProgressStyle::with_template(&template).expect("a valid template");
    let bar = ProgressBar::new(steps as u64).with_style(style);
    bar.set_position(start as u64);
    bar
}
