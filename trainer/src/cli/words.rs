//! `similarity`: how close the advice of an evaluation is to what experts say.

use crate::evaluation::Figure;
use crate::evaluation::words::{
    SentenceEmbedder, SimilarityReport, embedder, read_items, read_references, similarity,
};
use anyhow::{Result, bail};
use clap::Args;
use mixing_buddy_core::output::print_line;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Options of `similarity`.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  mixing-buddy-trainer evaluate --songs SONGS --out report.json --items items.jsonl\n  \
    mixing-buddy-trainer similarity items.jsonl --model all-MiniLM-L6-v2 --out similarity.json\n\n\
    A line of the references: {\"item\": \"song/3/12/drums\", \"rater\": \"A\", \"text\": \"The bass is too loud.\"}. Items \
    without references get sentences that the authors of this program wrote; the report names the raters."
)]
pub struct SimilarityArgs {
    /// Items of `evaluate --items`
    items: PathBuf,
    /// Folder with all-MiniLM-L6-v2: config.json, tokenizer.json, model.safetensors
    #[arg(long)]
    model: Option<PathBuf>,
    /// Fetches the model from Hugging Face's hub
    #[arg(long, conflicts_with = "model")]
    fetch: bool,
    /// Annotations of experts: JSONL with item, rater and text
    #[arg(long)]
    references: Option<PathBuf>,
    /// Seed of random pairs and bootstrap
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Writes the result as JSON
    #[arg(long)]
    out: Option<PathBuf>,
}

/// Resamples of the bootstrap, as in `evaluate`.
pub(super) const RESAMPLES: usize = 1000;

pub(super) fn run(args: &SimilarityArgs) -> Result<()> {
    let items = read_items(&args.items)?;
    let annotations = match &args.references {
        Some(path) => read_references(path, &items)?,
        None => BTreeMap::new(),
    };
    let folder = match (&args.model, args.fetch) {
        (Some(folder), _) => folder.clone(),
        (None, true) => embedder::fetch()?,
        (None, false) => bail!("give the folder of all-MiniLM-L6-v2 with --model, or fetch it with --fetch"),
    };
    let report = similarity(&items, &annotations, &SentenceEmbedder::load(&folder)?, args.seed, RESAMPLES)?;
    if let Some(out) = &args.out {
        crate::files::replace(out, serde_json::to_string_pretty(&report)? + "\n")?;
    }
    print_line(&table(&report))?;
    Ok(())
}

fn table(report: &SimilarityReport) -> String {
    let line = |label: &str, figure: &Figure| {
        let value = figure.value.map_or("-".to_string(), |value| format!("{value:.3}"));
        let interval = figure.ci95.map_or(String::new(), |[low, high]| format!("  [{low:.3}, {high:.3}]"));
        format!("{label:<46}{value:>6}{interval}\n")
    };
    format!(
        "{} items of {} songs, {} annotated; {} references by: {}\n\n{}{}{}{}{}{}{}{}",
        report.items,
        report.songs,
        report.annotated_items,
        report.references,
        report.raters.join(", "),
        line("advice, against its references", &report.advice),
        line("  right advice", &report.right_advice),
        line("  wrong advice", &report.wrong_advice),
        line("advice, against those of a random item", &report.random_pair),
        line("references, against each other", &report.references_among_each_other),
        line("written sentences, right direction", &report.right_direction),
        line("the same in the wrong direction", &report.wrong_direction),
        line("how often the right direction is closer", &report.direction_is_told),
    )
}
