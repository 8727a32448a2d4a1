//! Plays a song through the CLAP in a small host and prints the advice of the plugin.

use anyhow::{Context, Result};
use clap::Parser;
use mixing_buddy_cli::lines::{Kind, json_line, song_text, window_text};
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
    /// The song; without one, the demo with an error mixed in
    file: Option<PathBuf>,
    /// JSON lines on standard output
    #[arg(long)]
    json: bool,
    /// The CLAP to load
    #[arg(long)]
    plugin: PathBuf,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("Error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<()> {
    let song = match &args.file {
        Some(file) => song::from_file(file)?,
        None => song::demo()?,
    };
    if let Some(demo) = &song.demo {
        eprintln!("{}", demo.introduction());
    }
    let library = Library::load(&args.plugin)?;
    let mut plugin = library.create()?;
    eprintln!("Through {} {}, at {} Hz.", library.name, library.version, song.pcm.sample_rate_hz);
    let name = &song.name;
    let mut end_s = 0.0;
    let advice = playback::play(&mut plugin, &song.pcm, |window| {
        end_s = window.end_s;
        if args.json {
            print(&json_line(name, Kind::Window, window.start_s, window.end_s, &window.advice).to_string());
        } else {
            print(&window_text(window.start_s, window.end_s, &window.advice));
        }
    })
    .with_context(|| name.clone())?;
    print(&if args.json {
        json_line(name, Kind::Song, 0.0, end_s, &advice).to_string()
    } else {
        song_text(name, &advice)
    });
    if let Some(demo) = &song.demo {
        eprintln!("{}", demo.outcome(&advice.best));
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the advice is the output of this command")]
fn print(line: &str) {
    println!("{line}");
}
