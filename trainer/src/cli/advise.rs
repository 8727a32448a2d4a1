//! `advise`: a song's advice, window by window and as a whole.

use super::lines::{Kind, json_line, song_text, window_text};
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use mixing_buddy_core::audio::{ModelRateStream, StereoPcm};
use mixing_buddy_core::decoder::ReferenceBalance;
use mixing_buddy_core::features::FeatureSettings;
use mixing_buddy_core::language::DEFAULT_QUESTION;
use mixing_buddy_core::{Advice, CancelFlag, Engine, Heard, Request, Stem};
use std::path::{Path, PathBuf};

/// Options of `advise`.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  mixing-buddy-trainer advise\n  mixing-buddy-trainer advise song.wav\n  \
    mixing-buddy-trainer advise song.flac --anchor drums --prompt \"how is my vocal?\"\n  \
    mixing-buddy-trainer advise mix.wav --reference reference.mp3 --json"
)]
pub struct AdviseArgs {
    /// Songs; without one, the demo song is judged
    files: Vec<PathBuf>,
    /// A track whose balance is right
    #[arg(long)]
    reference: Option<PathBuf>,
    /// A stem that is right: vocals, drums or bass
    #[arg(long)]
    anchor: Option<Stem>,
    /// A question in your own words
    #[arg(long)]
    prompt: Option<String>,
    /// Seconds from one window to the next
    #[arg(long, default_value_t = 5.0)]
    hop: f32,
    /// JSON lines on standard output
    #[arg(long)]
    json: bool,
    /// Another model than the shipped one
    #[arg(long)]
    bundle: Option<PathBuf>,
}

/// Loads the bundle at `path`, or the one beside the sources.
pub(super) fn open_engine(path: Option<&Path>, cancel: &CancelFlag) -> Result<Engine> {
    match path {
        Some(path) => Ok(Engine::load(path, cancel)?),
        None => Ok(Engine::from_bytes(Path::new("compact.mixbuddy"), crate::SHIPPED_BUNDLE, cancel)?),
    }
}

struct Window {
    start_s: f64,
    end_s: f64,
    heard: Heard,
}

pub(super) fn run(args: &AdviseArgs) -> Result<()> {
    ensure!((0.5..=60.0).contains(&args.hop), "--hop must be between 0.5 and 60 seconds");
    ensure!(
        args.anchor != Some(Stem::Other),
        "--anchor must be vocals, drums or bass: 'other' is never judged"
    );
    let cancel = CancelFlag::new();
    let engine = open_engine(args.bundle.as_deref(), &cancel)?;
    let reference =
        args.reference.as_deref().map(|path| measure_reference(&engine, path, &cancel)).transpose()?;
    let request = Request {
        question: args.prompt.clone().unwrap_or_else(|| DEFAULT_QUESTION.into()),
        anchor: args.anchor,
        reference,
        ..Request::default()
    };
    if args.files.is_empty() {
        return advise_demo(&engine, args, &request, &cancel);
    }
    let mut failures = Vec::new();
    for file in &args.files {
        if let Err(error) = advise_file(&engine, file, args, &request, &cancel) {
            failures.push(format!("{error:#}"));
        }
    }
    match failures.as_slice() {
        [] => Ok(()),
        [only] => bail!("{only}"),
        several => bail!("{} files could not be judged:\n  {}", several.len(), several.join("\n  ")),
    }
}

/// Advises on the demo's flawed mix and says what was injected.
fn advise_demo(engine: &Engine, args: &AdviseArgs, request: &Request, cancel: &CancelFlag) -> Result<()> {
    let (demo, mix) = super::demo::flawed_mix(cancel)?;
    eprintln!("{}", demo.introduction());
    let rate = mix.sample_rate_hz;
    let (window, hop) = (engine.info().features.window_samples(), (args.hop * rate as f32) as usize);
    let mut windows = Vec::new();
    for start in (0..=mix.len().saturating_sub(window)).step_by(hop.max(1)) {
        let end = (start + window).min(mix.len());
        let pcm = StereoPcm::new(mix.left[start..end].to_vec(), mix.right[start..end].to_vec(), rate)?;
        let seconds = |samples: usize| samples as f64 / f64::from(rate);
        windows.push(Window {
            start_s: seconds(start),
            end_s: seconds(end),
            heard: engine.hear(&pcm, cancel)?,
        });
    }
    let advice = report(engine, "demo", &windows, args, request, cancel)?;
    eprintln!("{}", demo.outcome(&advice.best));
    Ok(())
}

fn measure_reference(engine: &Engine, path: &Path, cancel: &CancelFlag) -> Result<ReferenceBalance> {
    let heard: Vec<Heard> = hear_file(engine, path, 10.0, cancel)?.into_iter().map(|w| w.heard).collect();
    engine.reference_of(&heard).with_context(|| format!("{}: no stem is heard in it", path.display()))
}

/// Hears a file window by window; only the last ten seconds and a bit are in memory.
fn hear_file(engine: &Engine, path: &Path, hop_s: f32, cancel: &CancelFlag) -> Result<Vec<Window>> {
    let rate = engine.info().features.sample_rate_hz;
    let (window, hop) = (engine.info().features.window_samples(), (hop_s * rate as f32) as usize);
    let mut stream = ModelRateStream::open(path, rate)?;
    let (mut left, mut right, mut dropped) = (Vec::new(), Vec::new(), 0usize);
    let (mut windows, mut next) = (Vec::<Window>::new(), 0usize);
    let seconds = |samples: usize| samples as f64 / f64::from(rate);
    let hear = |left: &[f32], right: &[f32], start: usize| -> Result<Window> {
        let pcm = StereoPcm::new(left.to_vec(), right.to_vec(), rate)?;
        let heard = engine.hear(&pcm, cancel).with_context(|| path.display().to_string())?;
        Ok(Window { start_s: seconds(start), end_s: seconds(start + left.len()), heard })
    };
    while stream.next_chunk(&mut left, &mut right)? {
        while dropped + left.len() >= next + window {
            let at = next - dropped;
            windows.push(hear(&left[at..at + window], &right[at..at + window], next)?);
            next += hop;
        }
        // What no window needs any more goes; the last ten seconds stay for the song's end.
        let keep_from = next.min((dropped + left.len()).saturating_sub(window)).saturating_sub(dropped);
        if keep_from > window {
            left.drain(..keep_from);
            right.drain(..keep_from);
            dropped += keep_from;
        }
    }
    let end = dropped + left.len();
    let shortest = (FeatureSettings::SHORTEST_S * rate as f32) as usize;
    ensure!(
        end >= shortest,
        "{}: it is {:.1} s long, the shortest that can be judged is 3 s",
        path.display(),
        seconds(end)
    );
    let judged_until = windows.last().map_or(0.0, |w| w.end_s);
    if windows.is_empty() || seconds(end) - judged_until >= 1.0 {
        let start = end.saturating_sub(window).max(dropped);
        windows.push(hear(&left[start - dropped..], &right[start - dropped..], start)?);
    }
    Ok(windows)
}

fn advise_file(
    engine: &Engine,
    path: &Path,
    args: &AdviseArgs,
    request: &Request,
    cancel: &CancelFlag,
) -> Result<()> {
    let windows = hear_file(engine, path, args.hop, cancel)?;
    report(engine, &path.display().to_string(), &windows, args, request, cancel).map(|_| ())
}

/// Says what there is to say of each window, then of the song; returns the latter.
fn report(
    engine: &Engine,
    name: &str,
    windows: &[Window],
    args: &AdviseArgs,
    request: &Request,
    cancel: &CancelFlag,
) -> Result<Advice> {
    for window in windows {
        let advice = engine.answer(&window.heard, request, cancel)?;
        if args.json {
            say(&json_line(name, Kind::Window, window.start_s, window.end_s, &advice).to_string());
        } else {
            say(&window_text(window.start_s, window.end_s, &advice));
        }
    }
    let heard: Vec<Heard> = windows.iter().map(|window| window.heard.clone()).collect();
    let pooled = engine.pool(&heard).context("the song has no window")?;
    let advice = engine.answer(&pooled, request, cancel)?;
    let end_s = windows.last().map_or(0.0, |window| window.end_s);
    if args.json {
        say(&json_line(name, Kind::Song, 0.0, end_s, &advice).to_string());
    } else {
        say(&song_text(name, &advice));
    }
    Ok(advice)
}

#[expect(clippy::print_stdout, reason = "advice is the command's output")]
fn say(line: &str) {
    println!("{line}");
}
