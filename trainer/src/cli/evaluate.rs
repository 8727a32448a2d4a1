//! `evaluate`: the benchmark on a folder of songs.

use crate::collections::{find_songs, load_song};
use crate::evaluation::plot::plot_report;
use crate::evaluation::{Advisor, Answered, NormsSource, Question, Settings, evaluate};
use crate::progress::spinner;
use crate::protocol::{Protocol, SongAudio};
use crate::weights::bundle_file;
use anyhow::Result;
use clap::Args;
use mixing_buddy_core::audio::StereoPcm;
use mixing_buddy_core::decoder::ReferenceBalance;
use mixing_buddy_core::language::DEFAULT_QUESTION;
use mixing_buddy_core::norms::Balance;
use mixing_buddy_core::output::print_line;
use mixing_buddy_core::{Analysis, CancelFlag, Engine, PerStem, Request};
use std::path::PathBuf;

/// Options of `evaluate`.
#[derive(Args)]
#[command(after_help = "Examples:\n  mixing-buddy-trainer evaluate --songs test-songs\n  \
    mixing-buddy-trainer evaluate --songs test-songs --protocol reference --out report.json --plot report.png")]
pub struct EvaluateArgs {
    /// Folder with one folder per song, each with one file per stem
    #[arg(long)]
    songs: PathBuf,
    /// `published` (each question names an anchor stem) or `reference` (it names other windows of the song)
    #[arg(long, default_value = "published")]
    protocol: Protocol,
    /// Seed of gains and bootstrap
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Writes the report as JSON
    #[arg(long)]
    out: Option<PathBuf>,
    /// Draws accuracy against coverage, and calibration (PNG)
    #[arg(long)]
    plot: Option<PathBuf>,
    /// Table of stem levels for the exact bound; by default the shipped summary
    #[arg(long)]
    norms: Option<PathBuf>,
    /// Model bundle; by default the shipped one
    #[arg(long)]
    bundle: Option<PathBuf>,
    /// Prints JSON in place of the table
    #[arg(long)]
    json: bool,
}

/// The engine as the benchmark asks it.
struct EngineAdvisor {
    engine: Engine,
    cancel: CancelFlag,
}

/// Level that is reported for an absent stem, in dB against the rest.
const ABSENT_LEVEL_DB: f64 = -40.0;

impl EngineAdvisor {
    fn ask(&self, analysis: &Analysis, question: &Question) -> Result<Answered> {
        let reference = question.reference_db.map(|levels| {
            ReferenceBalance::of_levels(
                levels.map(|level| (*level > ABSENT_LEVEL_DB).then_some(*level as f32)),
            )
        });
        let request = Request {
            question: DEFAULT_QUESTION.into(),
            anchor: question.anchor,
            reference,
            ..Request::default()
        };
        let advice = self.engine.answer(analysis, &request, &self.cancel)?;
        Ok(Answered { best: Some(advice.best), confidence: f64::from(advice.confidence) })
    }
}

impl Advisor for EngineAdvisor {
    type Analysis = Analysis;

    fn analyze(&mut self, mix: &StereoPcm) -> Result<Analysis> {
        Ok(self.engine.analyze(mix, &self.cancel)?)
    }

    fn meter_db(&self, analysis: &Analysis) -> PerStem<f64> {
        PerStem::from_fn(|stem| f64::from(analysis.reading[stem].level_db).max(ABSENT_LEVEL_DB))
    }

    fn answer(&mut self, analysis: &Analysis, question: &Question) -> Result<Answered> {
        self.ask(analysis, question)
    }

    fn answer_without_audio(&mut self, question: &Question) -> Result<Answered> {
        self.ask(&self.engine.without_audio(), question)
    }

    fn answer_levels(&mut self, rest_levels_db: &PerStem<f64>, question: &Question) -> Result<Answered> {
        self.ask(&self.engine.with_exact_levels(rest_levels_db), question)
    }

    fn meter_sd_db(&self) -> Balance {
        self.engine.meter_sd_db().into_array()
    }
}

pub(super) fn run(args: &EvaluateArgs) -> Result<()> {
    let cancel = CancelFlag::new();
    let bundle = args.bundle.as_deref().map(bundle_file).transpose()?;
    let mut advisor =
        EngineAdvisor { engine: Engine::open(bundle.as_deref(), &cancel)?, cancel: cancel.clone() };
    let norms = NormsSource::open(args.norms.as_deref())?;
    let mut refused = Vec::new();
    let songs = find_songs(&args.songs)?;
    let loaded = songs.iter().filter_map(|folder| match load_song(folder, &cancel) {
        Ok(song) => Some(Ok(SongAudio { name: song.name, stems: song.stems })),
        Err(error) => {
            refused.push(error.to_string());
            None
        }
    });
    let line = spinner();
    let report =
        evaluate(loaded, &mut advisor, &Settings::new(args.protocol, args.seed), &norms, &mut |progress| {
            line.set_message(format!(
                "{} songs, {} windows, {} answers",
                progress.songs_done, progress.windows_analyzed, progress.samples_answered
            ));
            line.tick();
            Ok(())
        })?;
    line.finish_and_clear();
    refused.iter().for_each(|sentence| tracing::warn!("refused: {sentence}"));
    if let Some(out) = &args.out {
        report.write_json(out)?;
    }
    if let Some(plot) = &args.plot {
        plot_report(&report, plot)?;
    }
    print_line(&if args.json { report.to_json().to_string() } else { report.to_string() })?;
    Ok(())
}
