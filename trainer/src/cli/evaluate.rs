//! `evaluate` and `compare`: the benchmark on a folder of songs, and two of its reports side by side.

use super::large::LargeArgs;
use crate::collections::{SongFolder, find_songs, load_song};
#[cfg(feature = "onnx")]
use crate::evaluation::OnnxSeparator;
use crate::evaluation::engine::EngineAdvisor;
use crate::evaluation::plot::plot_report;
use crate::evaluation::words::{choose_items, write_items};
use crate::evaluation::{
    Extras, KeptAnalyses, KeptRecords, NormsSource, Progress, ReadReport, SeparatorMeter, Settings,
    SongSource, VocalConvention, VocalSeparator, compare, evaluate, records_of,
};
use crate::part::Part;
use crate::progress::spinner;
use crate::protocol::{Protocol, SongAudio};
use crate::weights::bundle_file;
use anyhow::{Context, Result, anyhow};
use clap::Args;
use mixing_buddy_core::bundle::SHIPPED_BUNDLE;
use mixing_buddy_core::hash::fnv1a;
use mixing_buddy_core::output::{note, print_line};
use mixing_buddy_core::stem::Stem;
use mixing_buddy_core::{CancelFlag, Engine};
use std::path::{Path, PathBuf};

/// Options of `evaluate`.
#[derive(Args)]
#[command(after_help = "Examples:\n  mixing-buddy-trainer evaluate --songs test-songs\n  \
    mixing-buddy-trainer evaluate --songs test-songs --protocol reference --out report.json --plot report.png\n\n\
    Two protocols in little more than the time of one:\n  \
    mixing-buddy-trainer evaluate --songs test-songs --heard heard --out anchor.json\n  \
    mixing-buddy-trainer evaluate --songs test-songs --heard heard --protocol reference --out reference.json\n\n\
    With --out, the results of each song are kept in a folder next to it until the report is written. \
    If the command is interrupted or fails, give it again: it goes on from there.\n\n\
    On several machines, each evaluates a part of the songs, and keeps its results in that folder. When the folders are one, the \
    same command without --part writes the report:\n  \
    mixing-buddy-trainer evaluate --songs test-songs --out report.json --part 1/4")]
pub struct EvaluateArgs {
    /// Folder with one folder per song, each with one file per stem
    #[arg(long)]
    songs: PathBuf,
    /// `published` (each question names an anchor stem), `reference` (it names other windows of the song), `no-anchor`, or
    /// `song` (published, about all windows of a song together)
    #[arg(long, default_value = "published")]
    protocol: Protocol,
    /// Seed of gains and bootstrap
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Writes the report as JSON
    #[arg(long)]
    out: Option<PathBuf>,
    /// Evaluates a part of the songs, such as 2/4, and keeps the results for the report, which the command without it writes
    #[arg(long, requires = "out", conflicts_with_all = ["plot", "items", "json"])]
    part: Option<Part>,
    /// Keeps what the model heard of each mix in this folder, and takes it from there: the other protocols ask about the same mixes,
    /// and hearing them takes most of the time
    #[arg(long)]
    heard: Option<PathBuf>,
    /// Draws accuracy against coverage, and calibration (PNG)
    #[arg(long)]
    plot: Option<PathBuf>,
    /// Table of stem levels for the exact bound; by default the shipped summary
    #[arg(long)]
    norms: Option<PathBuf>,
    /// Model bundle; by default the shipped one
    #[arg(long)]
    bundle: Option<PathBuf>,
    #[command(flatten)]
    large: LargeArgs,
    /// Windows that are analyzed at a time; by default one per processor. The report does not depend on it
    #[arg(long)]
    threads: Option<usize>,
    /// Where the lead vocal of this music usually is against the accompaniment; by default at +1 dB
    #[arg(long)]
    vocals: Option<VocalConvention>,
    /// Also judges by band energies and a ridge regression that is fitted on the other songs
    #[arg(long)]
    baselines: bool,
    /// Also judges by the levels of separated stems: the network `assets/separator/vocals.safetensors`, or any separator as an
    /// ONNX file (in builds with the feature `onnx`). It takes a second per mix or more, and 25 mixes per window
    #[arg(long)]
    separator: Option<PathBuf>,
    /// Stems that an ONNX file gives, in its order; by default HT-Demucs'
    #[arg(long, value_delimiter = ',', default_value = "drums,bass,other,vocals")]
    separator_stems: Vec<Stem>,
    /// ONNX Runtime's library, such as `onnxruntime/capi/libonnxruntime.so.1.*` of PyPI's `onnxruntime`
    #[arg(long)]
    onnxruntime: Option<PathBuf>,
    /// Writes a seeded part of the samples with the advice in words (JSONL), for `similarity`, `judge` and `study`
    #[arg(long)]
    items: Option<PathBuf>,
    /// Number of these items
    #[arg(long, default_value_t = 200)]
    item_count: usize,
    /// Prints JSON in place of the table
    #[arg(long)]
    json: bool,
}

/// Options of `compare`.
#[derive(Args)]
#[command(
    after_help = "Example:\n  mixing-buddy-trainer evaluate --songs SONGS --bundle a.mixbuddy --out a.json\n  \
    mixing-buddy-trainer evaluate --songs SONGS --bundle b.mixbuddy --out b.json\n  \
    mixing-buddy-trainer compare a.json b.json"
)]
pub struct CompareArgs {
    /// Report of `evaluate --out`
    first: PathBuf,
    /// Another report on the same songs, with the same protocol and seed
    second: PathBuf,
    /// Prints JSON in place of the table
    #[arg(long)]
    json: bool,
}

/// Resamples of a comparison, as of a report.
const RESAMPLES: usize = 1000;

pub(super) fn run_compare(args: &CompareArgs) -> Result<()> {
    let [first, second] = [ReadReport::read(&args.first)?, ReadReport::read(&args.second)?];
    let comparison = compare(&first, &second, RESAMPLES)?;
    print_line(&if args.json { serde_json::to_string(&comparison)? } else { comparison.to_string() })?;
    Ok(())
}

/// The songs of a folder, read when they are needed.
pub(super) fn song_sources<'a>(folders: &'a [SongFolder], cancel: &'a CancelFlag) -> Vec<SongSource<'a>> {
    let source = |folder: &'a SongFolder| {
        SongSource::new(folder.name.clone(), move || {
            let song = load_song(folder, cancel)?;
            Ok(SongAudio { name: song.name, stems: song.stems })
        })
    };
    folders.iter().map(source).collect()
}

/// The separator of `--separator`.
fn separator_meter(args: &EvaluateArgs) -> Result<Option<Box<dyn SeparatorMeter>>> {
    let Some(file) = &args.separator else { return Ok(None) };
    if file.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("onnx")) {
        return onnx_separator(args, file).map(Some);
    }
    Ok(Some(Box::new(VocalSeparator::open(file)?)))
}

#[cfg(feature = "onnx")]
fn onnx_separator(args: &EvaluateArgs, file: &Path) -> Result<Box<dyn SeparatorMeter>> {
    let runtime = args.onnxruntime.as_deref().context(
        "an ONNX file needs ONNX Runtime: give its library with --onnxruntime (PyPI's `onnxruntime` has one)",
    )?;
    Ok(Box::new(OnnxSeparator::open(file, &args.separator_stems, runtime)?))
}

#[cfg(not(feature = "onnx"))]
fn onnx_separator(_args: &EvaluateArgs, file: &Path) -> Result<Box<dyn SeparatorMeter>> {
    anyhow::bail!(
        "{} is an ONNX file, which this build cannot run: build with --features onnx",
        file.display()
    )
}

/// What kept analyses depend on, in words. The large model only answers: the ears are the bundle's.
fn ears_description(args: &EvaluateArgs, bundle: Option<&Path>) -> Result<String> {
    let hash = match bundle {
        None => fnv1a(SHIPPED_BUNDLE.iter().copied()),
        Some(path) => {
            let bytes = std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
            fnv1a(bytes)
        }
    };
    let (seed, version) = (args.seed, env!("CARGO_PKG_VERSION"));
    Ok(format!("bundle {hash:016x}\nseed {seed}\nprogram {version}\n"))
}

/// What the kept results of songs depend on, in words.
fn run_description(args: &EvaluateArgs, ears: &str) -> String {
    let protocol = args.protocol;
    let baselines = if args.baselines { "baselines\n" } else { "" };
    let baselines = match &args.separator {
        Some(file) => format!("{baselines}separator {}\n", file.display()),
        None => baselines.to_string(),
    };
    let large = args.large.files().map_or_else(String::new, |files| format!("large model {files}\n"));
    format!("{ears}protocol {protocol}\n{baselines}{large}")
}

/// The folder in which results are kept until the report `out` is written.
fn partial_folder(out: &Path) -> PathBuf {
    let mut name = out.file_name().unwrap_or_default().to_os_string();
    name.push(".partial");
    out.with_file_name(name)
}

pub(super) fn run(args: &EvaluateArgs) -> Result<()> {
    let cancel = CancelFlag::new();
    let bundle = args.bundle.as_deref().map(bundle_file).transpose()?;
    let engine = args.large.attach_deciding(Engine::open(bundle.as_deref(), &cancel)?, 1)?;
    let advisor = EngineAdvisor::new(engine, cancel.clone());
    let norms = NormsSource::open(args.norms.as_deref())?;
    let folders = find_songs(&args.songs)?;
    let songs = song_sources(&folders, &cancel);
    let ears = ears_description(args, bundle.as_deref())?;
    let kept =
        args.out.as_deref().map(|out| KeptRecords::open(&partial_folder(out), &run_description(args, &ears)));
    let kept = kept.transpose()?;
    let heard = args.heard.as_deref().map(|dir| KeptAnalyses::open(dir, &ears)).transpose()?;
    let threads = args.threads.or_else(|| std::thread::available_parallelism().ok().map(usize::from));
    let settings = Settings {
        threads: threads.unwrap_or(1).max(1),
        vocals: args.vocals,
        baselines: args.baselines,
        ..Settings::new(args.protocol, args.seed)
    };
    let separator = separator_meter(args)?;
    let extras = Extras { kept: kept.as_ref(), heard: heard.as_ref(), separator: separator.as_deref() };
    let line = spinner();
    let mut show = |progress: &Progress| {
        line.set_message(format!(
            "{} songs, {} windows, {} answers",
            progress.songs_done, progress.windows_analyzed, progress.samples_answered
        ));
        line.tick();
        Ok(())
    };
    let failed = |error: anyhow::Error| match &kept {
        Some(kept) if kept.count() > 0 => anyhow!(
            "{error:#}. The results of {} songs are kept in {}: give the same command again to go on",
            kept.count(),
            kept.dir().display()
        ),
        _ => error,
    };
    if let (Some(part), Some(kept)) = (args.part, &kept) {
        let records = records_of(&songs, part, &advisor, &settings, extras, &mut show).map_err(failed)?;
        line.finish_and_clear();
        let usable = records.iter().filter(|record| record.left_out.is_none()).count();
        note(&format!("part {part}: the results of {usable} songs are in {}", kept.dir().display()));
        return Ok(());
    }
    let evaluation = evaluate(&songs, &advisor, &settings, &norms, extras, &mut show);
    line.finish_and_clear();
    let evaluation = evaluation.map_err(failed)?;
    let report = &evaluation.report;
    if let Some(out) = &args.out {
        report.write_json(out)?;
    }
    if let Some(items) = &args.items {
        write_items(items, &choose_items(&evaluation.records, &settings, args.item_count))?;
    }
    if let Some(kept) = kept {
        kept.remove()?;
    }
    if let Some(plot) = &args.plot {
        plot_report(report, plot)?;
    }
    print_line(&if args.json { report.to_json().to_string() } else { report.to_string() })?;
    Ok(())
}
