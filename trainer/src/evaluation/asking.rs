//! Analyzes a song's mixes and asks every question about them.
//!
//! What is the same for several samples of a window is computed once: a mix is analyzed once, and a question is asked once
//! whatever the target of the sample.

use super::advisor::{Advisor, Answered, Question, Settings};
use super::baselines::band_levels;
use super::extras::Extras;
use super::kept::{AnalyzedMixes, sound_of};
use super::records::{Answers, WindowRecord, rounded};
use super::separating::{SeparatedLevels, mean_separated, separated_levels};
use crate::mixing::loaders::{LoadAhead, Share, load_ahead};
use crate::protocol::{
    Flaw, GatedWindow, Protocol, Sample, SongAudio, gated_windows, missing_stem, plan_window, shuffled_mixes,
};
use anyhow::Result;
use mixing_buddy_core::norms::levels::all_rest_levels_from_levels;
use mixing_buddy_core::stem::{PerStem, Stem};
use std::sync::{Mutex, PoisonError};

/// The analyses of one song. `A` is the advisor's [`Advisor::Analysis`].
pub(super) struct SongAnalysis<A> {
    pub name: String,
    /// Its windows, or one for the whole song.
    pub windows: Vec<WindowAnalysis<A>>,
}

pub(super) struct WindowAnalysis<A> {
    heard: AnalyzedMixes<A>,
    flaws: Vec<Flaw>,
    samples: Vec<Sample>,
    metered_db: Vec<PerStem<f64>>,
    levels_dbfs: PerStem<f64>,
    bands: Option<Vec<Vec<f32>>>,
    separated_db: Option<Vec<SeparatedLevels>>,
}

/// Whether the control with shuffled sound must be asked. Without a reference, the questions about two songs are the same, and
/// so the answers about the other song are those to its sound: `figures` takes them from its record.
pub(super) fn needs_other_song(protocol: Protocol) -> bool {
    protocol == Protocol::Reference
}

/// Why a song has too few windows, in words that follow "because"; none where it has enough.
fn why_left_out(song: &SongAudio, windows: usize, protocol: Protocol) -> Option<String> {
    (windows < protocol.fewest_windows()).then(|| match missing_stem(song) {
        Some(stem) => format!("it has no {stem}"),
        None if windows == 0 => "in no window do all four stems play".to_string(),
        None => "a single window leaves none to take the reference from".to_string(),
    })
}

/// Analyzes all distinct mixes of a song that were not analyzed before, or says why the song is left out. `done` is called
/// after each window and may stop the work.
pub(super) fn analyze_song<A: Advisor>(
    advisor: &A,
    settings: &Settings,
    extras: Extras<'_>,
    song: &SongAudio,
    done: &mut dyn FnMut() -> Result<()>,
) -> Result<Result<SongAnalysis<A::Analysis>, String>> {
    let windows = gated_windows(song);
    if let Some(reason) = why_left_out(song, windows.len(), settings.protocol) {
        return Ok(Err(reason));
    }
    let whole_song = settings.protocol == Protocol::Song;
    // The mixes of a whole song have the same flaw in all windows, so that they are others.
    let heard = extras.heard.filter(|_| !whole_song);
    let known: Vec<AnalyzedMixes<A::Analysis>> = heard.map_or_else(Vec::new, |heard| heard.read(&song.name));
    let known = Mutex::new(known);
    let analyze = |window: &GatedWindow<'_>| {
        // The whole song has one flaw, in all its windows.
        let number = if whole_song { 0 } else { window.index };
        let (flaws, samples) = plan_window(settings.protocol, settings.seed, &song.name, number);
        let sound = sound_of(window, &flaws);
        let mixes = match take_known(&known, number, sound) {
            Some(mixes) => mixes,
            None => advisor.analyze_flawed(window, &flaws)?,
        };
        let metered_db = mixes.iter().map(|mix| metered_db(advisor, mix)).collect();
        let levels_dbfs = window.levels_dbfs.map(|level| rounded(*level));
        let bands = settings.baselines.then(|| band_levels(window, &flaws)).transpose()?;
        let separated_db =
            extras.separator.map(|meter| separated_levels(meter, window, &flaws)).transpose()?;
        let heard = AnalyzedMixes { index: number, sound, mixes };
        Ok(WindowAnalysis { heard, flaws, samples, metered_db, levels_dbfs, bands, separated_db })
    };
    let analyzed = in_order(settings, windows.len(), |at| analyze(&windows[at]), done)?;
    if let Some(heard) = heard {
        heard.keep(&song.name, &analyzed.iter().map(|window| &window.heard).collect::<Vec<_>>())?;
    }
    let windows = if whole_song { vec![pool_windows(advisor, analyzed)?] } else { analyzed };
    Ok(Ok(SongAnalysis { name: song.name.clone(), windows }))
}

/// Takes a window's analyses out of those that are known.
fn take_known<A>(known: &Mutex<Vec<AnalyzedMixes<A>>>, index: usize, sound: u64) -> Option<Vec<A>> {
    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
    let at = known.iter().position(|window| (window.index, window.sound) == (index, sound))?;
    Some(known.swap_remove(at).mixes)
}

fn metered_db<A: Advisor>(advisor: &A, analysis: &A::Analysis) -> PerStem<f64> {
    advisor.meter_db(analysis).map(|level| rounded(*level))
}

/// One window in place of all: analyses pooled as the advisor does, levels averaged in dB.
fn pool_windows<A: Advisor>(
    advisor: &A,
    windows: Vec<WindowAnalysis<A::Analysis>>,
) -> Result<WindowAnalysis<A::Analysis>> {
    let count = windows.len() as f64;
    let mean = |stem: Stem| windows.iter().map(|window| window.levels_dbfs[stem]).sum::<f64>() / count;
    let levels_dbfs = PerStem::from_fn(|stem| rounded(mean(stem)));
    let first = &windows[0];
    let mixes = (0..first.heard.mixes.len())
        .map(|mix| advisor.pool(&windows.iter().map(|window| &window.heard.mixes[mix]).collect::<Vec<_>>()))
        .collect::<Result<Vec<_>>>()?;
    let metered_db = mixes.iter().map(|mix| metered_db(advisor, mix)).collect();
    let (flaws, samples) = (first.flaws.clone(), first.samples.clone());
    let bands = windows.iter().map(|window| window.bands.clone()).collect::<Option<Vec<_>>>();
    let bands = bands.map(|all| mean_bands(&all));
    let separated_db = windows.iter().map(|window| window.separated_db.clone()).collect::<Option<Vec<_>>>();
    let separated_db = separated_db.map(|all| mean_separated(&all));
    let heard = AnalyzedMixes { index: 0, sound: first.heard.sound, mixes };
    Ok(WindowAnalysis { heard, flaws, samples, metered_db, levels_dbfs, bands, separated_db })
}

/// Mean over windows of the level of each band, of each mix, in three decimals as those of a window.
fn mean_bands(windows: &[Vec<Vec<f32>>]) -> Vec<Vec<f32>> {
    let mean = |mix: usize, band: usize| {
        let sum: f64 = windows.iter().map(|window| f64::from(window[mix][band])).sum();
        ((1e3 * sum / windows.len() as f64).round() / 1e3) as f32
    };
    let first = &windows[0];
    (0..first.len()).map(|mix| (0..first[mix].len()).map(|band| mean(mix, band)).collect()).collect()
}

/// `work` for each of `count` items, several at a time, the results in order. `done` is called after each, in order.
fn in_order<T: Send>(
    settings: &Settings,
    count: usize,
    work: impl Fn(usize) -> Result<T> + Sync,
    done: &mut dyn FnMut() -> Result<()>,
) -> Result<Vec<T>> {
    let threads = if settings.threads > 1 { settings.threads } else { 0 };
    let plan = LoadAhead {
        threads,
        ahead: 2 * settings.threads as u64,
        numbers: 0..count as u64,
        share: Share::ALL,
    };
    load_ahead(
        plan,
        |number| work(number as usize),
        |made| {
            (0..count as u64)
                .map(|number| {
                    let item = made.take(number)?;
                    done()?;
                    Ok(item)
                })
                .collect()
        },
    )
}

/// Asks every question about a song. `other` is the song whose sound the shuffled control takes, where that must be asked:
/// see [`needs_other_song`]. `without_audio` keeps answers that depend on the prompt alone from one song to the next.
pub(super) fn ask_about_song<A: Advisor>(
    advisor: &A,
    settings: &Settings,
    song: &SongAnalysis<A::Analysis>,
    other: Option<&SongAnalysis<A::Analysis>>,
    without_audio: &Mutex<Answers>,
    done: &mut dyn FnMut() -> Result<()>,
) -> Result<Vec<WindowRecord>> {
    let ask = |at: usize| {
        let shuffled = other.map(|other| &other.windows[at % other.windows.len()]);
        ask_about_window(advisor, settings, song, at, shuffled, without_audio)
    };
    in_order(settings, song.windows.len(), ask, done)
}

fn ask_about_window<A: Advisor>(
    advisor: &A,
    settings: &Settings,
    song: &SongAnalysis<A::Analysis>,
    at: usize,
    shuffled: Option<&WindowAnalysis<A::Analysis>>,
    without_audio: &Mutex<Answers>,
) -> Result<WindowRecord> {
    let window = &song.windows[at];
    let others = || song.windows.iter().enumerate().filter(|(index, _)| *index != at).map(|(_, other)| other);
    let by_reference = settings.protocol == Protocol::Reference;
    let reference = by_reference
        .then(|| advisor.reference_of(&others().map(|other| &other.heard.mixes[0]).collect::<Vec<_>>()));
    let exact_reference = by_reference.then(|| {
        let levels = others().map(|other| all_rest_levels_from_levels(&other.levels_dbfs));
        advisor.reference_of_levels(&levels.collect::<Vec<_>>())
    });
    let question = |anchor| Question { anchor, reference: reference.as_ref() };
    let true_db: Vec<PerStem<f64>> = (window.flaws.iter())
        .map(|flaw| {
            let mut levels = window.levels_dbfs;
            levels[flaw.stem] += flaw.gain_db;
            all_rest_levels_from_levels(&levels)
        })
        .collect();
    let (mut model, mut exact_levels) = (Answers::default(), Answers::default());
    let (mut no_audio, mut of_other) = (Answers::default(), Answers::default());
    let mut shuffled_audio = shuffled.map(|_| Vec::with_capacity(window.samples.len()));
    for (sample, other_mix) in window.samples.iter().zip(shuffled_mixes(settings.seed, &window.samples)) {
        let (mix, anchor) = (sample.mix, sample.anchor);
        model.get_or_ask(mix, anchor, || advisor.answer(&window.heard.mixes[mix], question(anchor)))?;
        exact_levels.get_or_ask(mix, anchor, || {
            let question = Question { anchor, reference: exact_reference.as_ref() };
            let answered = advisor.answer_levels(&true_db[mix], question)?;
            Ok(Answered { text: String::new(), ..answered })
        })?;
        no_audio.get_or_ask(0, anchor, || {
            let ask = || advisor.answer_without_audio(question(anchor));
            if by_reference {
                return ask();
            }
            // Nothing of the window is in this prompt.
            let mut known = without_audio.lock().unwrap_or_else(PoisonError::into_inner);
            known.get_or_ask(0, anchor, ask).cloned()
        })?;
        if let (Some(other), Some(answers)) = (shuffled, &mut shuffled_audio) {
            let ask = || {
                let answered = advisor.answer(&other.heard.mixes[other_mix], question(anchor))?;
                Ok(Answered { text: String::new(), ..answered })
            };
            answers.push(of_other.get_or_ask(other_mix, anchor, ask)?.clone());
        }
    }
    Ok(WindowRecord {
        index: window.heard.index,
        levels_dbfs: window.levels_dbfs,
        metered_db: window.metered_db.clone(),
        bands: window.bands.clone(),
        separated_db: window.separated_db.clone(),
        model,
        exact_levels,
        no_audio,
        shuffled_audio,
    })
}
