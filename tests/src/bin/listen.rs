//! Plays a song through the CLAP in a small host and prints the advice of the plugin.

use anyhow::{Context, Result};
use clap::Parser;
use mixing_buddy_core::audio::hide_caught_panics;
use mixing_buddy_core::lines::{Kind, json_line, song_text, window_text};
use mixing_buddy_core::output::{exit_code, note, print_line};
use mixing_buddy_tests::host::Library;
use mixing_buddy_tests::{playback, song};
use std::path::PathBuf;
use std::process::ExitCode;

/// Plays a song, or the demo, through the plugin and prints its advice: window by window, then for the song.
#[derive(Parser)]
#[command(
    name = "listen",
    after_help = "Examples:\n  cargo xtask listen\n  cargo xtask listen song.wav --json"
)]
struct Args {
    /// The song, `-` for standard input; without one, the demo with an error mixed in
    file: Option<PathBuf>,
    /// JSON lines on standard output
    #[arg(long)]
    json: bool,
    /// The CLAP to load
    #[arg(long)]
    plugin: PathBuf,
}

fn main() -> ExitCode {
    hide_caught_panics();
    let result = run(&Args::parse());
    exit_code(result.as_ref().err().map(|error| (error.as_ref(), format!("{error:#}"))))
}

fn run(args: &Args) -> Result<()> {
    let song = match &args.file {
        Some(file) => song::from_file(file)?,
        None => song::demo()?,
    };
    if let Some(demo) = &song.demo {
        note(&demo.introduction());
    }
    let library = Library::load(&args.plugin)?;
    let mut plugin = library.create()?;
    note(&format!("Through {} {}, at {} Hz.", library.name, library.version, song.pcm.sample_rate_hz));
    let name = &song.name;
    let mut end_s = 0.0;
    // The first line that could not be printed is the last that is tried.
    let mut printed = Ok(());
    let advice = playback::play(&mut plugin, &song.pcm, |window| {
        end_s = window.end_s;
        let line = if args.json {
            json_line(name, Kind::Window, window.start_s, window.end_s, &window.advice).to_string()
        } else {
            window_text(window.start_s, window.end_s, &window.advice)
        };
        if printed.is_ok() {
            printed = print_line(&line);
        }
    })
    .with_context(|| name.clone())?;
    printed?;
    print_line(&if args.json {
        json_line(name, Kind::Song, 0.0, end_s, &advice).to_string()
    } else {
        song_text(name, &advice)
    })?;
    if let Some(demo) = &song.demo {
        note(&demo.outcome(&advice.best));
    }
    Ok(())
}
