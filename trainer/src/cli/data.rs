//! `data`: from a collection of songs to an index, and from there to training samples.

use super::conversations::ConversationsArgs;
use crate::collections::{ImportOptions, Index, Layout, import};
use crate::files;
use crate::part::Part;
use crate::protocol::Split;
use crate::synthesis::{Synthesis, SynthesisSettings, Synthesizer, synthesize};
use crate::text::{Instructions, Templates, TextSampler, templates::TEMPLATE_FILES};
use anyhow::{Context, Result, ensure};
use clap::{Args, Subcommand};
use mixing_buddy_core::output::{note, print_line};
use serde_json::json;
use std::path::{Path, PathBuf};

/// What `data` does.
#[derive(Subcommand)]
pub enum DataCommand {
    /// Finds the songs of a collection, measures and checks each, and writes an index
    Import(ImportArgs),
    /// Draws training samples from an index: flawed mixes with instruction and answer, one JSON line each
    Synthesize(SynthesizeArgs),
    /// Draws conversations about simulated windows for the large model, one JSON line each
    Conversations(ConversationsArgs),
    /// Writes the wordings of instructions and answers into a folder, to be edited
    Templates(TemplatesArgs),
}

/// Options of `data synthesize`.
#[derive(Args)]
#[command(after_help = "Examples:
  mixing-buddy-trainer data synthesize musdb.index --count 100000 --seed 1 --out train.jsonl
  mixing-buddy-trainer data synthesize musdb.index --count 50 --split test --out test.jsonl --write-audio test-audio
  mixing-buddy-trainer data synthesize musdb.index --count 1000 --config mine.toml --templates wordings --out a.jsonl

A configuration states differences from the published pipeline; this one states the defaults:
  [gate]
  mixture_dbfs = -35.0
  stem_dbfs = -45.0
  active_share = 0.2
  all_stems = true
  [categories]
  very_quiet = { prior = 0.2, range_db = [-12.0, -6.0] }
  quiet = { prior = 0.2, range_db = [-6.0, -3.0] }
  no_error = { prior = 0.2 }
  loud = { prior = 0.2, range_db = [3.0, 6.0] }
  very_loud = { prior = 0.2, range_db = [6.0, 12.0] }
  [prompts]
  generic = 0.2
  anchor = 0.4
  reference = 0.2
  question = 0.2
  about_target = 0.6

The same index, seed, configuration and wordings give the same bytes. A line holds everything that its audio is made
from. On several machines, each makes a part, and the parts one after another are the same file as one run makes:
  mixing-buddy-trainer data synthesize musdb.index --count 100000 --part 1/4 --out train-1.jsonl")]
pub struct SynthesizeArgs {
    /// The index that `data import` wrote
    index: PathBuf,
    /// Samples
    #[arg(long)]
    count: u64,
    /// Seed
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The samples (JSON lines)
    #[arg(long)]
    out: PathBuf,
    /// Makes a part of the samples, such as 2/4
    #[arg(long, default_value_t = Part::WHOLE)]
    part: Part,
    /// Also writes each flawed mix into this folder (WAV, 32-bit float), and the reference if there is one
    #[arg(long)]
    write_audio: Option<PathBuf>,
    /// Gate, priors, ranges and shares (TOML); by default as published
    #[arg(long)]
    config: Option<PathBuf>,
    /// Folder of wordings, as `data templates` writes it; by default the shipped ones
    #[arg(long)]
    templates: Option<PathBuf>,
    /// Songs of this split only; can be given more than once. Songs without a split are always used
    #[arg(long, default_values_t = [Split::Train])]
    split: Vec<Split>,
    #[command(flatten)]
    index_options: IndexOptions,
    /// Prints a summary as JSON
    #[arg(long)]
    json: bool,
}

/// How an index is read.
#[derive(Args)]
pub(super) struct IndexOptions {
    /// Where the collection of the index is now, if it was moved
    #[arg(long)]
    root: Option<PathBuf>,
    /// Does not check whether the audio files of the index have changed since they were measured
    #[arg(long)]
    trust_index: bool,
}

impl IndexOptions {
    /// Reads an index, and checks that its files have not changed.
    pub(super) fn load(&self, path: &Path) -> Result<Index> {
        let mut index = Index::load(path)?;
        if let Some(root) = &self.root {
            index.root = root.clone();
        }
        if !self.trust_index {
            index.check_files().with_context(|| format!("{} cannot be used", path.display()))?;
        }
        Ok(index)
    }
}

/// Options of `data templates`.
#[derive(Args)]
#[command(after_help = "Example:\n  mixing-buddy-trainer data templates --out wordings")]
pub struct TemplatesArgs {
    /// The folder; existing files are not changed
    #[arg(long)]
    out: PathBuf,
}

/// Options of `data import`.
#[derive(Args)]
#[command(after_help = "Examples:
  mixing-buddy-trainer data import MUSDB18-HQ --layout musdb --out musdb.index
  mixing-buddy-trainer data import MUSDB18 --layout musdb-stem --out musdb.index
  mixing-buddy-trainer data import my-stems --layout folder --map stems.toml --out mine.index

A mapping file names patterns for each class; the first list that fits decides, in this order:
  ignore = [\"click*\"]
  mixture = [\"*master*\", \"mix\"]
  vocals = [\"*vox*\", \"bgv*\"]
  drums = [\"kick*\", \"snare*\", \"drums/*\"]
  bass = [\"bass*\"]
  other = [\"*\"]
  [splits]
  test = [\"Last Album - *\"]

A song that cannot be used is named with the reason; the others are still imported.")]
pub struct ImportArgs {
    /// The collection's folder
    dir: PathBuf,
    /// How it is laid out
    #[arg(long)]
    layout: Layout,
    /// Mapping from name patterns to stem classes (TOML), for the layout `folder`; by default files named after the
    /// classes (vocals.wav, drums_2.flac, ...)
    #[arg(long)]
    map: Option<PathBuf>,
    /// The index
    #[arg(long)]
    out: PathBuf,
    /// Largest difference between the sum of the stems and the finished mix, as power against that mix, in dB
    #[arg(long, default_value_t = ImportOptions::default().sum_tolerance_db, allow_negative_numbers = true)]
    sum_tolerance_db: f64,
    /// Songs measured in parallel
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Prints a summary as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(command: &DataCommand) -> Result<()> {
    match command {
        DataCommand::Import(args) => import_songs(args),
        DataCommand::Synthesize(args) => synthesize_samples(args),
        DataCommand::Conversations(args) => super::conversations::make(args),
        DataCommand::Templates(args) => write_templates(args),
    }
}

fn synthesize_samples(args: &SynthesizeArgs) -> Result<()> {
    let index = args.index_options.load(&args.index)?;
    let settings = match &args.config {
        Some(path) => SynthesisSettings::load(path)?,
        None => SynthesisSettings::default(),
    };
    let (templates, instructions) = match &args.templates {
        Some(folder) => {
            let place = || format!("the wordings in {} cannot be used", folder.display());
            (Templates::load(folder).with_context(place)?, Instructions::load(folder).with_context(place)?)
        }
        None => (Templates::shipped()?, Instructions::shipped()?),
    };
    let text = TextSampler::new(templates);
    let synthesizer = Synthesizer::new(&index, &settings, &text, &instructions, &args.split)?;
    let (songs, chunks) = synthesizer.counts();
    let (count, seed, part) = (args.count, args.seed, args.part);
    let plan = Synthesis { count, seed, part, audio: args.write_audio.as_deref() };
    synthesize(&index, &synthesizer, plan, &args.out)?;
    let ids = part.range(count);
    let samples = ids.end - ids.start;
    if args.json {
        print_line(&json!({ "samples": samples, "songs": songs, "chunks": chunks }).to_string())?;
    } else {
        let out = args.out.display();
        print_line(&format!("{out}: {samples} samples of {chunks} chunks of {songs} songs"))?;
    }
    Ok(())
}

fn write_templates(args: &TemplatesArgs) -> Result<()> {
    std::fs::create_dir_all(&args.out)
        .with_context(|| format!("{} cannot be created", args.out.display()))?;
    for (name, text) in TEMPLATE_FILES {
        let path = args.out.join(name);
        ensure!(!path.exists(), "{} exists; choose another folder", path.display());
        files::replace(&path, text)?;
    }
    print_line(&format!("{} files are in {}", TEMPLATE_FILES.len(), args.out.display()))?;
    Ok(())
}

fn import_songs(args: &ImportArgs) -> Result<()> {
    let options = ImportOptions {
        layout: args.layout,
        map: args.map.clone(),
        threads: args.threads,
        sum_tolerance_db: args.sum_tolerance_db,
    };
    let index = import(&args.dir, &options)?;
    index.save(&args.out)?;
    if args.json {
        print_line(&summary(&index).to_string())?;
    } else {
        report(&index, &args.out)?;
    }
    Ok(())
}

fn summary(index: &Index) -> serde_json::Value {
    let hours: f64 = index.songs.iter().map(|song| song.duration_s).sum::<f64>() / 3600.0;
    json!({
        "songs": index.songs.len(),
        "hours": hours,
        "chunks": index.songs.iter().map(|song| song.chunks.len()).sum::<usize>(),
        "warnings": index.songs.iter().map(|song| song.checks.warnings.len()).sum::<usize>(),
        "refused": index.refused,
    })
}

fn report(index: &Index, out: &Path) -> Result<()> {
    for song in &index.songs {
        song.checks.warnings.iter().for_each(|warning| note(&format!("{}: {warning}", song.name)));
    }
    let seconds: f64 = index.songs.iter().map(|song| song.duration_s).sum();
    let mut text = format!("{}: {} songs, {:.1} hours", out.display(), index.songs.len(), seconds / 3600.0);
    if !index.refused.is_empty() {
        text.push_str(&format!("\n{} refused:", index.refused.len()));
        for refused in &index.refused {
            text.push_str(&format!("\n  {}: {}", refused.path.display(), refused.reason));
        }
    }
    print_line(&text)?;
    Ok(())
}
