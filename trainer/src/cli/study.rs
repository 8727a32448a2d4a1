//! `study make` and `study score`: a study with human raters.

use super::words::RESAMPLES;
use crate::collections::find_songs;
use crate::evaluation::study::{Key, StudyPlan, System, make_study, read_ratings, score_study};
use crate::evaluation::words::read_items;
use crate::files::replace;
use anyhow::{Context, Result, anyhow};
use clap::{Args, Subcommand};
use mixing_buddy_core::CancelFlag;
use mixing_buddy_core::output::print_line;
use std::path::PathBuf;

/// The commands of a study.
#[derive(Subcommand)]
pub enum StudyCommand {
    /// Writes the page, its key, the protocol and the information for participants
    Make(MakeArgs),
    /// Aggregates the ratings that participants sent
    Score(ScoreArgs),
}

/// Options of `study make`.
#[derive(Args)]
#[command(
    after_help = "Example:\n  mixing-buddy-trainer evaluate --songs SONGS --bundle a.mixbuddy --items a.jsonl\n  \
    mixing-buddy-trainer evaluate --songs SONGS --bundle b.mixbuddy --items b.jsonl\n  \
    mixing-buddy-trainer study make --system a=a.jsonl --system b=b.jsonl --songs SONGS --contact you@example.org --out STUDY\n\n\
    The page (study.html) holds everything and runs from a file or any web server. Keep key.json to yourself: it says which \
    advice is whose. Only songs whose song.json states CC0, CC-BY or CC-BY-SA are taken."
)]
pub struct MakeArgs {
    /// NAME=ITEMS: a system and its items of `evaluate --items`; all systems with the same seed
    #[arg(long = "system", required = true, value_parser = system_of)]
    systems: Vec<(String, PathBuf)>,
    /// Folder of the songs
    #[arg(long)]
    songs: PathBuf,
    /// Whom participants write to
    #[arg(long)]
    contact: String,
    /// Title of the page
    #[arg(long, default_value = "Advice on the balance of a mix")]
    title: String,
    /// Items that are rated; each adds about 5 MB to the page
    #[arg(long, default_value_t = 8)]
    items: usize,
    /// Items that are shown twice
    #[arg(long, default_value_t = 2)]
    repeats: usize,
    /// Adds good advice that we wrote as one more system
    #[arg(long)]
    with_written: bool,
    /// Draws the items
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Folder to write to
    #[arg(long)]
    out: PathBuf,
}

/// Options of `study score`.
#[derive(Args)]
#[command(
    after_help = "Example:\n  mixing-buddy-trainer study score --key STUDY/key.json ratings-*.json --out study.json"
)]
pub struct ScoreArgs {
    /// The study's key
    #[arg(long)]
    key: PathBuf,
    /// Files that participants sent
    #[arg(required = true)]
    ratings: Vec<PathBuf>,
    /// Seed of the bootstrap
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Writes the result as JSON
    #[arg(long)]
    out: Option<PathBuf>,
}

fn system_of(text: &str) -> Result<(String, PathBuf), String> {
    let (name, path) = text
        .split_once('=')
        .filter(|(name, path)| !name.is_empty() && !path.is_empty())
        .ok_or(format!("'{text}' is not NAME=ITEMS, such as compact=items.jsonl"))?;
    Ok((name.to_string(), path.into()))
}

pub(super) fn run(command: &StudyCommand) -> Result<()> {
    match command {
        StudyCommand::Make(args) => make(args),
        StudyCommand::Score(args) => score(args),
    }
}

fn make(args: &MakeArgs) -> Result<()> {
    let systems: Vec<System> = args
        .systems
        .iter()
        .map(|(name, path)| Ok(System { name: name.clone(), items: read_items(path)? }))
        .collect::<Result<_>>()?;
    let plan = StudyPlan {
        title: args.title.clone(),
        contact: args.contact.clone(),
        items: args.items,
        repeats: args.repeats,
        with_written: args.with_written,
        seed: args.seed,
    };
    let study = make_study(&systems, &find_songs(&args.songs)?, &plan, &CancelFlag::new())?;
    let out = &args.out;
    std::fs::create_dir_all(out).with_context(|| format!("{} cannot be made", out.display()))?;
    replace(&out.join("key.json"), serde_json::to_string_pretty(&study.key)? + "\n")?;
    replace(&out.join("protocol.md"), &study.protocol)?;
    replace(&out.join("information.md"), &study.information)?;
    replace(&out.join("study.html"), &study.page)?;
    let megabytes = study.page.len() as f64 / 1e6;
    print_line(&format!(
        "{} is written ({megabytes:.1} MB). Keep {} to yourself.",
        out.join("study.html").display(),
        out.join("key.json").display()
    ))?;
    Ok(())
}

fn score(args: &ScoreArgs) -> Result<()> {
    let name = args.key.display();
    let bytes = std::fs::read(&args.key).with_context(|| format!("{name} cannot be read"))?;
    let key: Key = serde_json::from_slice(&bytes).map_err(|_| anyhow!("{name} is not the key of a study"))?;
    let ratings = args.ratings.iter().map(|path| read_ratings(path, &key)).collect::<Result<Vec<_>>>()?;
    let report = score_study(&key, &ratings, args.seed, RESAMPLES)?;
    if let Some(out) = &args.out {
        replace(out, serde_json::to_string_pretty(&report)? + "\n")?;
    }
    print_line(&report.to_string())?;
    Ok(())
}
