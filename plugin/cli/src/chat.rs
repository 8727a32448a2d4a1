//! `chat`: a song is measured once, then questions about it are answered, one after another.

use crate::aim::AimArgs;
use crate::demo::flawed_mix;
use crate::engine::EngineArgs;
use anyhow::{Context, Result, bail};
use clap::Args;
use mixing_buddy_core::output::{note, print_line, print_part};
use mixing_buddy_core::song::{DEFAULT_HOP_S, Window, analyze_file, analyze_windows};
use mixing_buddy_core::{Analysis, CancelFlag, Conversation, Engine, Reply, Request, Stem, clock};
use serde_json::json;
use std::io::{BufRead, IsTerminal};
use std::path::PathBuf;

/// Options of `chat`.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  mixing-buddy chat song.wav\n  mixing-buddy chat song.wav --reference reference.mp3 --model qwen2-0.5b\n  \
    mixing-buddy chat song.wav --at 1:20\n  \
    printf 'how is the mix?\\nwhy?\\n' | mixing-buddy chat song.wav --json\n\n\
    Each line of standard input is a question; an empty line asks about the whole balance. The conversation ends with standard \
    input (Ctrl-D). Say \"the drums are right\" to judge the others against them."
)]
pub struct ChatArgs {
    /// Song to talk about, `-` is not possible here; the demo song if none is given
    file: Option<PathBuf>,
    #[command(flatten)]
    aim: AimArgs,
    /// Talks about the ten seconds from here (1:20, or seconds); the whole song if not given
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Print JSON lines
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    engine: EngineArgs,
}

/// Measures the song and answers the lines of standard input.
///
/// # Errors
/// When an option is invalid, the model cannot be loaded, the song cannot be judged, or the output cannot be written.
pub fn run(args: &ChatArgs) -> Result<()> {
    let anchor = args.aim.anchor()?;
    if args.file.as_ref().is_some_and(|file| file.as_os_str() == "-") {
        bail!("chat reads questions from standard input: give the song as a file");
    }
    let cancel = CancelFlag::new();
    let engine = args.engine.open(&cancel)?;
    let reference = args.aim.reference(&engine, &cancel)?;
    let reference = reference.map(|reference| reference.balance);
    let windows = match &args.file {
        Some(file) => {
            let song = analyze_file(&engine, file, DEFAULT_HOP_S, &cancel)?;
            song.warnings.iter().for_each(|warning| note(&format!("Warning: {warning}")));
            song.windows
        }
        None => {
            let (demo, mix) = flawed_mix(&cancel)?;
            note(&demo.introduction());
            analyze_windows(&engine, &mix, DEFAULT_HOP_S, &cancel)?
        }
    };
    let analysis = chosen(&engine, &windows, args.at.as_deref())?;
    let request = Request { anchor, reference, ..Request::default() };
    let mut conversation = Conversation::new(analysis, request);
    engine.begin(&mut conversation, &cancel)?;
    let is_terminal = std::io::stdin().is_terminal();
    let mut answer = |question: &str| -> Result<()> {
        if args.json {
            let reply = engine.ask(&mut conversation, question, &cancel, &mut |_| {})?;
            print_line(&json_reply(question, &reply).to_string())?;
            return Ok(());
        }
        let mut failed = None;
        engine.ask(&mut conversation, question, &cancel, &mut |piece| {
            if let Err(error) = print_part(piece) {
                failed.get_or_insert(error);
                cancel.cancel();
            }
        })?;
        if let Some(error) = failed {
            return Err(error.into());
        }
        print_line("")?;
        Ok(())
    };
    if is_terminal {
        note("Ask about the balance. An empty line asks about the whole mix, Ctrl-D ends the conversation.");
        answer("")?;
    }
    for line in std::io::stdin().lock().lines() {
        let line = line.context("standard input cannot be read")?;
        answer(line.trim())?;
    }
    Ok(())
}

/// The window at a time, or the whole song.
fn chosen(engine: &Engine, windows: &[Window], at: Option<&str>) -> Result<Analysis> {
    let Some(at) = at else {
        let analyses: Vec<Analysis> = windows.iter().map(|window| window.analysis.clone()).collect();
        return engine.pool(&analyses).context("the song has no window");
    };
    let at_s = clock::seconds(at).with_context(|| format!("--at: '{at}' is no time, such as 1:20"))?;
    let near = |window: &&Window| (window.start_s - at_s).abs();
    let nearest = windows.iter().min_by(|a, b| near(a).total_cmp(&near(b)));
    Ok(nearest.context("the song has no window")?.analysis.clone())
}

fn json_reply(question: &str, reply: &Reply) -> serde_json::Value {
    let advice = &reply.advice;
    json!({
        "question": question,
        "answer": advice.text,
        "verdict": advice.verdict.name(),
        "stem": advice.best.stem.map(Stem::name),
        "gain_db": advice.best.gain_db,
        "confidence": advice.confidence,
    })
}
