//! A general music encoder in place of ours: frozen front ends analyze the same mixes, and a small network of the same
//! size learns the levels of the stems from the features of each.

mod musicnn;
mod probe;

use super::cell::{Cell, RESAMPLE_SEED, RESAMPLES};
use super::meter::medians;
use crate::collections::songs::{SongsBelow, songs_below};
use crate::collections::{SongFolder, load_song};
use crate::evaluation::SongResamples;
use crate::mixing::networks::separator_of;
use crate::progress::progress;
use crate::protocol::Split;
use crate::text::TextSampler;
use crate::train::examples::held_out::general_questions;
use crate::train::examples::simulate::{SimulationSettings, Simulator};
use crate::weights::load_encoder;
use anyhow::{Context, Result, ensure};
use candle_core::{Device, Tensor};
use mixing_buddy_core::audio::StereoPcm;
use mixing_buddy_core::encoder::{Encoder, EncoderBatch};
use mixing_buddy_core::features::{FeatureExtractor, FeatureSettings, FeatureStream, encoder_input};
use mixing_buddy_core::norms::NormsSummary;
use mixing_buddy_core::norms::levels::all_rest_levels_from_levels;
use mixing_buddy_core::{CancelFlag, PerStem, Stem};
use musicnn::MusicNn;
use probe::{Probe, ProbeWindow};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The base of a comparison of front ends, as in its TOML file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProbePlan {
    /// Folder of songs, each a folder of stems with a `song.json` that names its split.
    pub songs: PathBuf,
    /// Seed of everything random.
    #[serde(default)]
    pub seed: u64,
    /// Mixes drawn of each song, from windows in which all four stems play.
    #[serde(alias = "mixes_a_song")]
    pub mixes_per_song: usize,
    /// Hidden units of the small network.
    pub hidden: usize,
    /// Steps that it is trained for.
    pub steps: usize,
    /// Mixes per step.
    pub batch: usize,
}

/// A front end.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case", tag = "front_end", deny_unknown_fields)]
pub enum FrontEndPlan {
    /// Mean and spread of the level of each band over the window: features without any learning.
    Bands,
    /// musicnn, see `trainer/frontends/convert_musicnn.py`.
    Musicnn {
        /// Converted weights.
        weights: PathBuf,
    },
    /// Our encoder: the output of its last layer, mean and maximum over the window, without masks and meter.
    Ours {
        /// `encoder.safetensors` of a run.
        weights: PathBuf,
    },
}

enum FrontEnd {
    Bands(FeatureExtractor),
    MusicNn(MusicNn),
    Ours { stream: Box<FeatureStream>, encoder: Box<Encoder>, features: FeatureSettings },
}

impl FrontEnd {
    fn open(plan: &FrontEndPlan) -> Result<Self> {
        Ok(match plan {
            FrontEndPlan::Bands => FrontEnd::Bands(FeatureExtractor::new(&FeatureSettings::default())),
            FrontEndPlan::Musicnn { weights } => FrontEnd::MusicNn(MusicNn::load(weights)?),
            FrontEndPlan::Ours { weights } => {
                let (encoder, features) = load_encoder(weights, &Device::Cpu)?;
                let stream = FeatureStream::new(&features, separator_of(&features, None)?.as_ref())?;
                FrontEnd::Ours { stream: Box::new(stream), encoder: Box::new(encoder), features }
            }
        })
    }

    fn features(&mut self, mix: &StereoPcm) -> Result<Vec<f32>> {
        match self {
            FrontEnd::MusicNn(net) => net.features(mix),
            FrontEnd::Bands(extractor) => {
                let settings = FeatureSettings::default();
                let power = extractor.band_power(&mix.left, &mix.right)?;
                let rows = 2 * settings.bands;
                let input = encoder_input(&power, &settings);
                let input = Tensor::from_vec(input, (power.frames, rows), &Device::Cpu)?;
                let spread = input.var(0)?.sqrt()?;
                Ok(Tensor::cat(&[input.mean(0)?, spread], 0)?.to_vec1()?)
            }
            FrontEnd::Ours { stream, encoder, features } => {
                let power = stream.whole(&mix.left, &mix.right, &CancelFlag::new())?;
                let batch = EncoderBatch::new(&[power], features, &Device::Cpu)?;
                let hidden = encoder.encode(&batch, None)?.hidden.squeeze(0)?;
                Ok(Tensor::cat(&[hidden.mean(0)?, hidden.max(0)?], 0)?.to_vec1()?)
            }
        }
    }
}

/// The features of all mixes by split: for each front end, its mixes.
type WindowsBySplit = BTreeMap<Split, Vec<Vec<ProbeWindow>>>;

/// The figures of each front end: median absolute error of the level against the rest in dB; songs and mixes measured on.
pub struct Compared {
    /// Per stem, for each front end.
    pub errors: Vec<BTreeMap<Stem, Cell>>,
    /// Songs measured on.
    pub songs: usize,
    /// Mixes measured on.
    pub mixes: usize,
}

/// Trains a probe behind each front end on songs of the split `train`, and measures it on those of `split`.
///
/// # Errors
/// When a number of the plan is 0, a song or weights cannot be read, or a split has no window in which all four stems play.
pub fn compare(plan: &ProbePlan, front_ends: &[FrontEndPlan], split: &Split) -> Result<Compared> {
    let least = plan.mixes_per_song.min(plan.hidden).min(plan.steps).min(plan.batch);
    ensure!(
        least > 0,
        "mixes_per_song, hidden, steps and batch of a comparison of front ends are at least 1"
    );
    let mut opened = front_ends.iter().map(FrontEnd::open).collect::<Result<Vec<_>>>()?;
    let windows = mix_windows(plan, &mut opened, split)?;
    let of = |split: &Split| {
        let windows = windows.get(split).filter(|windows| windows.iter().all(|mixes| !mixes.is_empty()));
        windows.with_context(|| {
            format!("no song of the split '{split}' has a window in which all four stems play")
        })
    };
    let (known, unknown) = (of(&Split::Train)?, of(split)?);
    let songs: BTreeSet<usize> = unknown[0].iter().map(|mix| mix.song).collect();
    let resamples = SongResamples::among(&songs, RESAMPLES, RESAMPLE_SEED);
    let errors = known.iter().zip(unknown).map(|(known, unknown)| {
        let probe = Probe::train(known, plan.hidden, (plan.steps, plan.batch), plan.seed)?;
        errors(&probe, unknown, &resamples)
    });
    Ok(Compared { errors: errors.collect::<Result<_>>()?, songs: songs.len(), mixes: unknown[0].len() })
}

fn errors(probe: &Probe, mixes: &[ProbeWindow], resamples: &SongResamples) -> Result<BTreeMap<Stem, Cell>> {
    let levels = mixes.iter().map(|mix| probe.levels_db(&mix.features)).collect::<Result<Vec<_>>>()?;
    Ok(medians(resamples, |stem| {
        let off = |(mix, levels): (&ProbeWindow, &[f32; Stem::COUNT])| {
            (mix.song, f64::from((levels[stem.index()] - mix.true_db[stem.index()]).abs()))
        };
        mixes.iter().zip(&levels).map(off).collect()
    }))
}

/// Mixes every song of the two splits after the norms, flawed as in the protocol, and analyzes the mixes with all front
/// ends.
fn mix_windows(plan: &ProbePlan, front_ends: &mut [FrontEnd], split: &Split) -> Result<WindowsBySplit> {
    let SongsBelow { songs, refused } = songs_below(&plan.songs, 0.0)?;
    refused.iter().for_each(|sentence| tracing::warn!("refused {sentence}"));
    let (questions, sampler, simulation) =
        (general_questions(0.0, 0.0), TextSampler::shipped()?, SimulationSettings::default());
    let simulator = Simulator::new(&simulation, &questions, NormsSummary::shipped(), &sampler);
    let mut by_split = WindowsBySplit::new();
    let wanted: Vec<_> = songs
        .iter()
        .enumerate()
        .filter(|(_, song)| song.split == Split::Train || song.split == *split)
        .collect();
    let bar = progress("songs", wanted.len(), 0);
    for (number, source) in wanted {
        bar.inc(1);
        let Some(dir) = source.stems.iter().find_map(|(_, files)| files.first()?.path.parent()) else {
            continue;
        };
        if Stem::ALL.into_iter().any(|stem| source.stems[stem].is_empty()) {
            continue;
        }
        let windows = full_windows(dir)?;
        let mut rng =
            SmallRng::seed_from_u64(plan.seed ^ (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let to = by_split
            .entry(source.split.clone())
            .or_insert_with(|| front_ends.iter().map(|_| Vec::new()).collect());
        for window in windows.iter().cycle().take(if windows.is_empty() { 0 } else { plan.mixes_per_song }) {
            let levels_db = simulator.flawed(None, &mut rng).levels_db;
            let mix = window.mix(&levels_db)?;
            let truth = all_rest_levels_from_levels(&levels_db);
            for (front_end, to) in front_ends.iter_mut().zip(&mut *to) {
                let true_db = std::array::from_fn(|at| truth[Stem::ALL[at]] as f32);
                to.push(ProbeWindow { song: number, features: front_end.features(&mix)?, true_db });
            }
        }
    }
    bar.finish_and_clear();
    Ok(by_split)
}

/// Ten seconds of a song's stems, and the level of each.
struct FullWindow {
    stems: PerStem<StereoPcm>,
    rms: PerStem<f64>,
}

impl FullWindow {
    /// The stems at these levels (relative, dB).
    fn mix(&self, levels_db: &PerStem<f64>) -> Result<StereoPcm> {
        let mut sum: Option<StereoPcm> = None;
        for (stem, pcm) in self.stems.iter() {
            let gain = (10f64.powf(levels_db[stem] / 20.0) / self.rms[stem]) as f32;
            let scaled = |side: &[f32]| side.iter().map(|x| gain * x).collect();
            let scaled = StereoPcm::new(scaled(&pcm.left), scaled(&pcm.right), pcm.sample_rate_hz)?;
            match &mut sum {
                Some(sum) => sum.add(&scaled)?,
                none => *none = Some(scaled),
            }
        }
        sum.context("a window has four stems")
    }
}

/// A stem plays in a window at this level or above (-50 dBFS, as in `prepare`).
const MIN_RMS: f64 = 0.003_16;

/// The windows in which all four stems play.
fn full_windows(dir: &Path) -> Result<Vec<FullWindow>> {
    let song = load_song(&SongFolder::read(dir)?, &CancelFlag::new())?;
    let frames = FeatureSettings::default().window_samples();
    let window = |at: usize| -> Option<FullWindow> {
        let cut = |stem: Stem| {
            let pcm = song.stems[stem].as_ref()?;
            let part = |side: &[f32]| side.get(at..at + frames).map(<[f32]>::to_vec);
            StereoPcm::new(part(&pcm.left)?, part(&pcm.right)?, pcm.sample_rate_hz).ok()
        };
        let parts = Stem::ALL.map(cut);
        let rms = |pcm: &StereoPcm| {
            let square = |side: &[f32]| side.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>();
            ((square(&pcm.left) + square(&pcm.right)) / (2 * frames) as f64).sqrt()
        };
        let levels: Vec<f64> = parts.iter().flatten().map(rms).collect();
        if levels.len() < Stem::COUNT || levels.iter().any(|level| *level < MIN_RMS) {
            return None;
        }
        let mut parts = parts.into_iter().flatten();
        let stems = PerStem::from_fn(|_| parts.next().unwrap_or_else(|| StereoPcm::silence(frames, 1)));
        Some(FullWindow { stems, rms: PerStem::from_fn(|stem| levels[stem.index()]) })
    };
    Ok((0..song.len() / frames).filter_map(|number| window(number * frames)).collect())
}
