//! `report`: everything that was measured as one HTML page, and the tables of the model card.

use crate::collections::find_songs;
use crate::evaluation::page::html::worst_items;
use crate::evaluation::page::{EvaluationJson, PageInputs, card_tables, examples, page, with_card_tables};
use crate::evaluation::study::licence::credit;
use crate::evaluation::words::read_items;
use crate::files::replace;
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use mixing_buddy_core::CancelFlag;
use mixing_buddy_core::output::print_line;
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};

/// Options of `report`.
#[derive(Args)]
#[command(
    after_help = "Example:\n  mixing-buddy-trainer evaluate --songs SONGS --baselines --out a.json --items items.jsonl\n  \
    mixing-buddy-trainer evaluate --songs SONGS --baselines --protocol reference --out b.json\n  \
    mixing-buddy-trainer report --evaluation 'anchor=a.json' --evaluation 'reference=b.json' --items items.jsonl \
    --out report.html --card assets/MODEL_CARD.md\n\n\
    Listening examples (--songs) are taken only of songs whose song.json states CC0, CC-BY or CC-BY-SA."
)]
pub struct ReportArgs {
    /// LABEL=REPORT: a report of `evaluate --out` and its name in the page
    #[arg(long = "evaluation", required = true, value_parser = labelled)]
    evaluations: Vec<(String, PathBuf)>,
    /// Items of `evaluate --items`, for the failures
    #[arg(long)]
    items: Option<PathBuf>,
    /// Folder of the songs, for listening examples
    #[arg(long, requires = "items")]
    songs: Option<PathBuf>,
    /// Number of listening examples
    #[arg(long, default_value_t = 2)]
    listen: usize,
    /// Result of `similarity --out`
    #[arg(long)]
    similarity: Option<PathBuf>,
    /// Result of `judge --out`
    #[arg(long)]
    judge: Option<PathBuf>,
    /// Result of `study score --out`
    #[arg(long)]
    study: Option<PathBuf>,
    /// Writes the page
    #[arg(long)]
    out: Option<PathBuf>,
    /// Writes the tables into this model card, between its markers
    #[arg(long)]
    card: Option<PathBuf>,
}

/// LABEL=REPORT.
pub(super) fn labelled(text: &str) -> Result<(String, PathBuf), String> {
    let parts = text.split_once('=').filter(|(label, path)| !label.is_empty() && !path.is_empty());
    let (label, path) = parts.ok_or(format!("'{text}' is not LABEL=REPORT, such as anchor=report.json"))?;
    // It stands in a table of Markdown.
    if label.contains(['|', '\n']) {
        return Err(format!("'{label}' must not contain '|'"));
    }
    Ok((label.to_string(), path.into()))
}

fn read<T: DeserializeOwned>(path: Option<&PathBuf>, command: &str) -> Result<Option<T>> {
    path.map(|path: &PathBuf| -> Result<T> {
        let name = Path::display(path);
        let bytes = std::fs::read(path).with_context(|| format!("{name} cannot be read"))?;
        serde_json::from_slice(&bytes).with_context(|| format!("{name} is not a result of `{command}`"))
    })
    .transpose()
}

pub(super) fn run(args: &ReportArgs) -> Result<()> {
    ensure!(
        args.out.is_some() || args.card.is_some(),
        "give --out for the page, --card for the model card, or both"
    );
    let mut inputs = PageInputs {
        similarity: read(args.similarity.as_ref(), "similarity --out")?,
        judge: read(args.judge.as_ref(), "judge --out")?,
        study: read(args.study.as_ref(), "study score --out")?,
        ..PageInputs::default()
    };
    for (label, path) in &args.evaluations {
        inputs.evaluations.push(EvaluationJson::read(label, path)?);
    }
    if let Some(path) = &args.items {
        inputs.items = read_items(path)?;
    }
    if let Some(songs) = &args.songs {
        let (mut worst, folders) = (worst_items(&inputs.items), find_songs(songs)?);
        // The worst of those that may be heard.
        worst.retain(|item| {
            let folder = folders.iter().find(|folder| folder.name == item.song);
            folder.is_some_and(|folder| credit(&folder.dir, &item.song).is_ok())
        });
        worst.truncate(args.listen);
        inputs.examples = examples(&worst, &folders, &CancelFlag::new())?;
    }
    if let Some(card) = &args.card {
        let name = card.display();
        let text = std::fs::read_to_string(card).with_context(|| format!("{name} cannot be read"))?;
        let Ok(text) = with_card_tables(&text, &card_tables(&inputs.evaluations)) else {
            bail!("{name} has no place for the tables: see the markers in assets/MODEL_CARD.md");
        };
        replace(card, text)?;
        print_line(&format!("The tables of {name} are written."))?;
    }
    if let Some(out) = &args.out {
        let page = page(&inputs)?;
        replace(out, &page)?;
        print_line(&format!("{} is written ({:.1} MB).", out.display(), page.len() as f64 / 1e6))?;
    }
    Ok(())
}
