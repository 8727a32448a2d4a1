//! Computes a corpus's feature maps once, with the features that the plugin uses.

use super::base_mix::BaseMix;
use super::cache::{EXTENSION, MapHeader, WindowHeader, pairs_of, write_maps};
use super::networks::separator_of;
use crate::collections::songs::SongTracks;
use crate::collections::stream::{ComingSong, OpenSong};
use crate::collections::{ReadOptions, SongReader};
use crate::progress::{counter, progress};
use crate::protocol::{SourceKind, Split};
use anyhow::{Context, Result, anyhow, ensure};
use half::f16;
use mixing_buddy_core::audio::{StereoPcm, resample};
use mixing_buddy_core::features::{FeatureExtractor, FeatureSettings};
use mixing_buddy_core::hash::fnv1a;
use mixing_buddy_core::separator::Separator;
use mixing_buddy_core::{CancelFlag, Stem};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What to prepare, and how.
#[derive(Clone, Debug)]
pub struct PrepareOptions {
    /// Feature settings.
    pub features: FeatureSettings,
    /// Extra variants of songs of the sources `real` and `voice`, shifted in pitch and tempo by up to 3 semitones.
    pub variants: usize,
    /// Most windows kept per song and variant.
    pub windows: usize,
    /// Threads.
    pub threads: usize,
    /// Seed of the shifts.
    pub seed: u64,
    /// Folder of the separator's networks; the project's own if none.
    pub networks: Option<PathBuf>,
}

/// A stem below this RMS level (dBFS) is silent in a window. Chosen, not tuned.
const ACTIVE_DBFS: f32 = -50.0;
/// A stem this far below the loudest one counts as absent: it is inaudible. Chosen, not tuned.
const PRESENT_LOUDEST_DB: f32 = -35.0;
/// Largest shift of a variant in semitones, either way.
const SHIFT_SEMITONES: f64 = 3.0;
/// Semitones per octave.
const OCTAVE_SEMITONES: f64 = 12.0;
/// Fewest active stems of a window, where the song has more than one.
const FEWEST_STEMS: usize = 2;
/// Largest value of a map: f16 ends at 65,504.
const LARGEST_VALUE: f32 = 65_000.0;

/// What came of preparing songs.
#[derive(Clone, Debug, Default)]
pub struct Prepared {
    /// How many songs have maps.
    pub songs: usize,
    /// Those that cannot be used, each a sentence.
    pub refused: Vec<String>,
    /// Places that could not be read to their end, each a sentence: there may be more songs in them.
    pub unread: Vec<String>,
}

/// Prepares songs into `out`; files that exist are kept. Each thread holds one song at a time, itself and one variant.
///
/// # Errors
/// When `out` cannot be written.
pub fn prepare(
    songs: impl Iterator<Item = Result<ComingSong>> + Send,
    out: &Path,
    options: &PrepareOptions,
) -> Result<Prepared> {
    std::fs::create_dir_all(out).with_context(|| format!("{} cannot be created", out.display()))?;
    let separator = separator_of(&options.features, options.networks.as_deref())?;
    let bar = match songs.size_hint() {
        (count, Some(most)) if count == most => progress("features", count, 0),
        _ => counter("songs"),
    };
    let (songs, prepared) = (Mutex::new(songs), Mutex::new(Prepared::default()));
    std::thread::scope(|scope| {
        for _ in 0..options.threads.max(1) {
            scope.spawn(|| {
                let mut extractor = FeatureExtractor::new(&options.features);
                loop {
                    // The others may take the next one as soon as it is here.
                    let song = locked(&songs).next();
                    let song = match song {
                        None => break,
                        Some(Ok(song)) => song,
                        Some(Err(error)) => {
                            locked(&prepared).unread.push(format!("{error:#}"));
                            continue;
                        }
                    };
                    let name = song.name.clone();
                    bar.set_message(format!("{name},"));
                    // A decoder that panics on a damaged file costs that song only.
                    let guarded = AssertUnwindSafe(|| {
                        prepare_song(song, out, options, separator.as_ref(), &mut extractor)
                    });
                    let result = catch_unwind(guarded).unwrap_or_else(|_| {
                        Err(anyhow!("one of its files is damaged so badly that the decoder crashed"))
                    });
                    match result {
                        Ok(()) => locked(&prepared).songs += 1,
                        Err(reason) => locked(&prepared).refused.push(format!("{name}: {reason:#}")),
                    }
                    bar.inc(1);
                }
            });
        }
    });
    bar.finish_and_clear();
    let mut prepared = prepared.into_inner().unwrap_or_else(PoisonError::into_inner);
    prepared.refused.sort();
    prepared.unread.sort();
    Ok(prepared)
}

fn locked<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A song's stems at the rate of the features, files of one class added up, all of one length: those that end early are
/// padded with silence, however early.
fn decode(song: &SongTracks, rate_hz: u32) -> Result<Vec<(Stem, StereoPcm)>> {
    let has_files = song.stems.iter().any(|(_, tracks)| !tracks.is_empty());
    ensure!(has_files, "it has no stem that can be read");
    let options =
        ReadOptions { padding_limit_s: f64::INFINITY, ..ReadOptions::at(rate_hz, &CancelFlag::new()) };
    let mut stems = SongReader::open_tracks(&song.stems, &options)?.read_to_end()?;
    Ok(Stem::ALL.into_iter().filter_map(|stem| Some((stem, stems[stem].take()?))).collect())
}

fn prepare_song(
    song: ComingSong,
    out: &Path,
    options: &PrepareOptions,
    separator: Option<&Arc<Separator>>,
    extractor: &mut FeatureExtractor,
) -> Result<()> {
    let path = out.join(format!("{}.{EXTENSION}", song.file));
    if path.exists() {
        return Ok(());
    }
    let OpenSong { tracks: song, folder } = song.open()?;
    let stems = decode(&song, options.features.sample_rate_hz)?;
    // All of it is in memory: what was brought to this disk may go.
    drop(folder);
    let frames = options.features.frames(options.features.window_samples());
    let mut header = MapHeader {
        song: song.name.clone(),
        split: song.split.clone(),
        features: options.features.clone(),
        stems: stems.iter().map(|(stem, _)| *stem).collect(),
        frames,
        // A stem by itself has no mix that could be separated.
        has_share_errors: separator.is_some() && stems.len() > 1,
        windows: Vec::new(),
        source: song.source.clone(),
    };
    let extra =
        if matches!(header.source, SourceKind::Real | SourceKind::Voice) && header.split == Split::Train {
            options.variants
        } else {
            0
        };
    let (file, middle) = (song.file.as_bytes(), song.file.len() / 2);
    let mut rng = ChaCha8Rng::seed_from_u64(
        options.seed ^ file.len() as u64 ^ u64::from(file.get(middle).copied().unwrap_or(0)) << 8,
    );
    let mut payload = Vec::new();
    // Draws of its own, so that shifts are the same with and without a separator.
    let mut level_rng = ChaCha8Rng::seed_from_u64(options.seed ^ fnv1a(song.file.bytes()));
    for variant in 0..=extra {
        let shifted: Cow<'_, [(Stem, StereoPcm)]> = if variant == 0 {
            Cow::Borrowed(&stems)
        } else {
            let factor = 2f64.powf(rng.random_range(-SHIFT_SEMITONES..SHIFT_SEMITONES) / OCTAVE_SEMITONES);
            let rate = (f64::from(options.features.sample_rate_hz) * factor) as u32;
            let shift = |pcm: &StereoPcm| -> Result<StereoPcm> {
                let relabelled = StereoPcm::new(pcm.left.clone(), pcm.right.clone(), rate)?;
                Ok(resample(&relabelled, options.features.sample_rate_hz)?)
            };
            stems.iter().map(|(stem, pcm)| Ok((*stem, shift(pcm)?))).collect::<Result<Vec<_>>>()?.into()
        };
        let offset =
            if variant == 0 { 0 } else { rng.random_range(0..options.features.window_samples() / 2) };
        // At whole frames, since the separator's shares belong to frames of the song.
        let offset = offset / options.features.hop_samples * options.features.hop_samples;
        let base = match separator.filter(|_| header.has_share_errors) {
            Some(separator) => Some(BaseMix::new(&shifted, &options.features, separator, &mut level_rng)?),
            None => None,
        };
        let variant = Variant { stems: &shifted, offset, number: variant, base };
        windows_of(&variant, options, extractor, &mut header, &mut payload);
    }
    ensure!(!header.windows.is_empty(), "no window of ten seconds has enough sound");
    write_maps(&path, &header, &payload)
}

/// A song, or a shifted version of it.
struct Variant<'a> {
    stems: &'a [(Stem, StereoPcm)],
    /// First sample of the first window.
    offset: usize,
    number: usize,
    base: Option<BaseMix>,
}

/// Appends the maps of the song's windows (at most `options.windows`, spread evenly).
fn windows_of(
    variant: &Variant<'_>,
    options: &PrepareOptions,
    extractor: &mut FeatureExtractor,
    header: &mut MapHeader,
    payload: &mut Vec<f16>,
) {
    let Variant { stems, offset, number, base } = variant;
    let samples = options.features.window_samples();
    let length = stems[0].1.len();
    let rms_db = |pcm: &StereoPcm, start: usize| {
        let power = |x: &[f32]| x[start..start + samples].iter().map(|v| v * v).sum::<f32>();
        10.0 * ((power(&pcm.left) + power(&pcm.right)) / (2 * samples) as f32).max(1e-12).log10()
    };
    let mut starts = Vec::new();
    let mut start = *offset;
    while start + samples <= length {
        let levels: Vec<f32> = stems.iter().map(|(_, pcm)| rms_db(pcm, start)).collect();
        let active = levels.iter().filter(|level| **level > ACTIVE_DBFS).count();
        if active >= stems.len().min(FEWEST_STEMS) {
            starts.push((start, levels));
        }
        start += samples;
    }
    let step = starts.len().div_ceil(options.windows.max(1)).max(1);
    for (start, levels) in starts.into_iter().step_by(step) {
        let loudest = levels.iter().copied().fold(f32::MIN, f32::max);
        let maps = pair_maps(stems, start, samples, header.frames, options.features.bands, extractor);
        let cells = header.cells();
        let powers: Vec<f32> = pairs_of(stems.len())
            .enumerate()
            .filter(|(_, (i, j))| i == j)
            .map(|(pair, _)| maps[pair * cells..(pair + 1) * cells].iter().sum())
            .collect();
        let scale = cells as f32 / powers.iter().sum::<f32>().max(1e-20);
        let separated = &options.features.separated;
        let first_frame = start / options.features.hop_samples;
        let errors = base.as_ref().map(|base| base.errors(first_frame, &maps, &header.stems, separated));
        let errors = errors.unwrap_or_default();
        let active: Vec<bool> =
            levels.iter().map(|l| *l > ACTIVE_DBFS && *l > loudest + PRESENT_LOUDEST_DB).collect();
        let is_active = |stem: &Stem| header.position(*stem).is_some_and(|at| active[at]);
        let of_level = separated.iter().zip(&errors);
        let separator_error_db =
            of_level.map(|(stem, errors)| is_active(stem).then_some(errors.level_db)).collect();
        header.windows.push(WindowHeader {
            start_s: start as f64 / f64::from(options.features.sample_rate_hz),
            variant: *number,
            power: powers.iter().map(|p| p * scale).collect(),
            active,
            separator_error_db,
        });
        payload.extend(
            maps.iter().map(|value| f16::from_f32((value * scale).clamp(-LARGEST_VALUE, LARGEST_VALUE))),
        );
        for errors in errors {
            payload.extend(errors.log_odds.into_iter().map(f16::from_f32));
        }
    }
}

/// The maps of all pairs of stems, cross terms doubled, `[pairs, frames, (mid, side), bands]`.
fn pair_maps(
    stems: &[(Stem, StereoPcm)],
    start: usize,
    samples: usize,
    frames: usize,
    bands: usize,
    extractor: &mut FeatureExtractor,
) -> Vec<f32> {
    let cells = frames * 2 * bands;
    let mut maps = vec![0.0; stems.len() * (stems.len() + 1) / 2 * cells];
    let bank = extractor.bank().clone();
    for (channel, sign) in [(0, 1.0f32), (1, -1.0)] {
        let spectra: Vec<Vec<_>> = stems
            .iter()
            .map(|(_, pcm)| {
                let window = start..start + samples;
                let mixed: Vec<f32> = pcm.left[window.clone()]
                    .iter()
                    .zip(&pcm.right[window])
                    .map(|(l, r)| 0.5 * (l + sign * r))
                    .collect();
                let mut spectra = Vec::with_capacity(frames * extractor.stft().bins());
                extractor
                    .stft()
                    .for_each_frame(&mixed, frames, |_, spectrum| spectra.extend_from_slice(spectrum));
                spectra
            })
            .collect();
        let bins = extractor.stft().bins();
        for (pair, (i, j)) in pairs_of(stems.len()).enumerate() {
            for frame in 0..frames {
                let at = pair * cells + (frame * 2 + channel) * bands;
                let to = &mut maps[at..at + bands];
                let bins = frame * bins..(frame + 1) * bins;
                bank.pool_cross(&spectra[i][bins.clone()], &spectra[j][bins], to);
                if i != j {
                    to.iter_mut().for_each(|value| *value *= 2.0);
                }
            }
        }
    }
    maps
}
