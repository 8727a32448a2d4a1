//! `advise`: advice on songs, window by window and as a whole.

use crate::aim::AimArgs;
use crate::demo::flawed_mix;
use crate::engine::EngineArgs;
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use mixing_buddy_core::language::DEFAULT_QUESTION;
use mixing_buddy_core::lines::{Kind, json_line, song_text, window_text};
use mixing_buddy_core::norms::usual;
use mixing_buddy_core::output::{OutputError, note, print_line};
use mixing_buddy_core::report;
use mixing_buddy_core::song::{DEFAULT_HOP_S, Measured, Window, analyze_file, analyze_windows};
use mixing_buddy_core::{Advice, Analysis, CancelFlag, Conversation, Engine, Request};
use std::path::{Path, PathBuf};

/// Options of `advise`.
#[derive(Args)]
#[command(after_help = "Examples:\n  mixing-buddy advise\n  mixing-buddy advise song.wav\n  \
    mixing-buddy advise song.flac --anchor drums --prompt \"how is my vocal?\"\n  \
    mixing-buddy advise mix.wav --reference reference.mp3 --json\n  \
    mixing-buddy advise mix.wav --profile \"my pop records\"\n  \
    mixing-buddy advise mix.wav --model qwen2-0.5b\n  \
    mixing-buddy advise mix.wav --html report.html\n  \
    ffmpeg -i video.mkv -f wav - | mixing-buddy advise -")]
pub struct AdviseArgs {
    /// Songs to judge, `-` for one from standard input; the demo song if none is given
    files: Vec<PathBuf>,
    #[command(flatten)]
    aim: AimArgs,
    /// A question in your own words
    #[arg(long)]
    prompt: Option<String>,
    /// Seconds from one window to the next
    #[arg(long, default_value_t = DEFAULT_HOP_S)]
    hop: f32,
    /// Print JSON lines
    #[arg(long)]
    json: bool,
    /// Also write a page for browsers, with a timeline of each song
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    #[command(flatten)]
    engine: EngineArgs,
}

/// Judges the files, or the demo song.
///
/// # Errors
/// When an option is invalid, the model cannot be loaded, the output cannot be written, or a file cannot be judged; the
/// other files are still judged.
pub fn run(args: &AdviseArgs) -> Result<()> {
    ensure!((0.5..=60.0).contains(&args.hop), "--hop must be between 0.5 and 60 seconds");
    let anchor = args.aim.anchor()?;
    let cancel = CancelFlag::new();
    let engine = args.engine.open(&cancel)?;
    let reference = args.aim.reference(&engine, &cancel)?;
    let request = Request {
        question: args.prompt.clone().unwrap_or_else(|| DEFAULT_QUESTION.into()),
        anchor,
        reference: reference.as_ref().map(|reference| reference.balance),
        ..Request::default()
    };
    let mut judged = Vec::new();
    let mut failures = Vec::new();
    if args.files.is_empty() {
        judged.push(advise_demo(&engine, args, &request, &cancel)?);
    }
    for file in &args.files {
        match advise_file(&engine, file, args, &request, &cancel) {
            Ok(song) => judged.push(song),
            // Without output, no other file matters.
            Err(error) if error.downcast_ref::<OutputError>().is_some() => return Err(error),
            Err(error) => failures.push(format!("{error:#}")),
        }
    }
    if let Some(path) = args.html.as_ref().filter(|_| !judged.is_empty()) {
        report::write(path, page(&engine, &judged, reference.as_ref()).as_bytes())?;
    }
    match failures.as_slice() {
        [] => Ok(()),
        [only] => bail!("{only}"),
        several => bail!("{} files could not be judged:\n  {}", several.len(), several.join("\n  ")),
    }
}

/// A song with its advice.
struct Judged {
    name: String,
    /// Start and end in seconds, and the advice.
    windows: Vec<(f64, f64, Advice)>,
    whole: Advice,
}

/// The page of `--html`.
fn page(engine: &Engine, judged: &[Judged], reference: Option<&Measured>) -> String {
    let songs: Vec<report::Song<'_>> = judged
        .iter()
        .map(|song| report::Song {
            name: song.name.clone(),
            whole: Some((&song.whole, song.windows.len())),
            windows: song
                .windows
                .iter()
                .map(|(start_s, end_s, advice)| report::Window::new(*start_s, *end_s, advice))
                .collect(),
            target: match reference {
                Some(reference) => report::Target::Reference(reference.name.clone(), reference.levels_lu),
                None => report::Target::Usual(usual::bands_lu(engine.norms())),
            },
            meters: None,
        })
        .collect();
    let info = engine.info();
    let made_by = format!("MixingBuddy {} · {} {}", env!("CARGO_PKG_VERSION"), info.name, info.version);
    report::page(&songs, &made_by)
}

/// Gives advice on the demo's flawed mix and states the injected error.
fn advise_demo(engine: &Engine, args: &AdviseArgs, request: &Request, cancel: &CancelFlag) -> Result<Judged> {
    let (demo, mix) = flawed_mix(cancel)?;
    note(&demo.introduction());
    let windows = analyze_windows(engine, &mix, args.hop, cancel)?;
    let judged = judge(engine, "demo", &windows, args, request, cancel)?;
    note(&demo.outcome(&judged.whole.best));
    Ok(judged)
}

fn advise_file(
    engine: &Engine,
    path: &Path,
    args: &AdviseArgs,
    request: &Request,
    cancel: &CancelFlag,
) -> Result<Judged> {
    let song = analyze_file(engine, path, args.hop, cancel)?;
    song.warnings.iter().for_each(|warning| note(&format!("Warning: {warning}")));
    judge(engine, &path.display().to_string(), &song.windows, args, request, cancel)
}

/// Prints the advice on each window, then on the song; returns it.
fn judge(
    engine: &Engine,
    name: &str,
    windows: &[Window],
    args: &AdviseArgs,
    request: &Request,
    cancel: &CancelFlag,
) -> Result<Judged> {
    let mut judged = Vec::with_capacity(windows.len());
    for window in windows {
        let advice = engine.answer(&window.analysis, request, cancel)?;
        if args.json {
            print_line(&json_line(name, Kind::Window, window.start_s, window.end_s, &advice).to_string())?;
        } else {
            print_line(&window_text(window.start_s, window.end_s, &advice))?;
        }
        judged.push((window.start_s, window.end_s, advice));
    }
    let analyses: Vec<Analysis> = windows.iter().map(|window| window.analysis.clone()).collect();
    let pooled = engine.pool(&analyses).context("the song has no window")?;
    // On the whole song the large model explains itself.
    let mut conversation = Conversation::new(pooled, request.clone());
    let whole = engine.ask(&mut conversation, &request.question, cancel, &mut |_| {})?.advice;
    let end_s = windows.last().map_or(0.0, |window| window.end_s);
    if args.json {
        print_line(&json_line(name, Kind::Song, 0.0, end_s, &whole).to_string())?;
    } else {
        print_line(&song_text(name, &whole))?;
    }
    Ok(Judged { name: name.to_string(), windows: judged, whole })
}
