//! `audition`: how near the plugin's auditions come to true remixes.

use crate::collections::{find_songs, load_song};
use crate::evaluation::{AuditionSettings, measure_auditions};
use crate::progress::spinner;
use crate::protocol::SongAudio;
use crate::weights::bundle_file;
use anyhow::Result;
use clap::Args;
use mixing_buddy_core::audio::{StereoPcm, resample};
use mixing_buddy_core::output::print_line;
use mixing_buddy_core::{CancelFlag, Engine};
use std::path::PathBuf;

/// Options of `audition`.
#[derive(Args)]
#[command(after_help = "Example:\n  mixing-buddy-trainer audition --songs test-songs --most 8")]
pub struct AuditionArgs {
    /// Folder with one folder per song, each with one file per stem
    #[arg(long)]
    songs: PathBuf,
    /// Model bundle; by default the shipped one
    #[arg(long)]
    bundle: Option<PathBuf>,
    /// Songs to measure at most, spread evenly over those found
    #[arg(long)]
    most: Option<usize>,
    /// Windows per song
    #[arg(long, default_value_t = 3)]
    windows: usize,
    /// Length of the remix's transform in milliseconds; by default that of the features
    #[arg(long)]
    transform_ms: Option<f64>,
}

pub(super) fn run(args: &AuditionArgs) -> Result<()> {
    let cancel = CancelFlag::new();
    let bundle = args.bundle.as_deref().map(bundle_file).transpose()?;
    let engine = Engine::open(bundle.as_deref(), &cancel)?;
    let features = engine.info().features.clone();
    let songs = find_songs(&args.songs)?;
    let wanted = args.most.unwrap_or(songs.len()).min(songs.len());
    let chosen = (0..wanted).map(|number| &songs[number * songs.len() / wanted]);
    let line = spinner();
    let loaded = chosen.map(|folder| {
        line.set_message(folder.name.clone());
        line.tick();
        let song = load_song(folder, &cancel)?;
        Ok(SongAudio { name: song.name, stems: song.stems })
    });
    let transform_s = args
        .transform_ms
        .map_or(features.fft_samples as f64 / f64::from(features.sample_rate_hz), |ms| ms / 1000.0);
    let settings =
        AuditionSettings { features: features.clone(), windows_per_song: args.windows, transform_s };
    let mut stream = engine.feature_stream()?;
    let mut unmix = |mix: &StereoPcm| {
        let heard = resample(mix, features.sample_rate_hz)?;
        let power = stream.whole(&heard.left, &heard.right, &cancel)?;
        Ok(engine.unmix(mix.clone(), &power, &cancel)?)
    };
    let report = measure_auditions(loaded, &settings, &mut unmix)?;
    line.finish_and_clear();
    print_line(&report.to_string())?;
    Ok(())
}
