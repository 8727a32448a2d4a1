//! Imports a collection: finds its songs, measures each, and keeps what was refused and why.

use super::index::{Index, MeasuredSong};
use super::layouts::{FoundSong, Layout};
use super::measure::measure_song;
use super::refused::Refused;
use super::stem_map::StemMap;
use crate::progress::progress;
use anyhow::{Context, Result, anyhow, ensure};
use mixing_buddy_core::output::note;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How to import.
#[derive(Clone, Debug)]
pub struct ImportOptions {
    /// The collection's layout.
    pub layout: Layout,
    /// Mapping file of [`Layout::Folder`]; without one, files are named after the classes.
    pub map: Option<PathBuf>,
    /// Songs measured at the same time.
    pub threads: usize,
    /// Largest power of the difference between the finished mix and the stems' sum, against that mix in dB.
    pub sum_tolerance_db: f64,
}

impl Default for ImportOptions {
    fn default() -> Self {
        ImportOptions { layout: Layout::Musdb, map: None, threads: 2, sum_tolerance_db: -10.0 }
    }
}

/// Imports the collection in `dir`. A song that cannot be used is refused with its reason; the others are still imported.
///
/// # Errors
/// When the folder or the mapping cannot be read, holds no songs in this layout, or every song is refused.
pub fn import(dir: &Path, options: &ImportOptions) -> Result<Index> {
    let root = root_of(dir)?;
    let map = options.map.as_deref().map(StemMap::load).transpose()?;
    let found = options.layout.find(&root, map.as_ref())?;

    let bar = progress("import", found.songs.len(), 0);
    let next = AtomicUsize::new(0);
    let measured: Mutex<Vec<(usize, Result<MeasuredSong>)>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..options.threads.clamp(1, found.songs.len().max(1)) {
            scope.spawn(|| {
                while let Some((at, song)) = take_next(&next, &found.songs) {
                    bar.set_message(format!("{},", song.name));
                    let entry = measure_guarded(&root, song, options.sum_tolerance_db);
                    if let Err(reason) = &entry {
                        bar.suspend(|| note(&format!("refused: {}: {reason:#}", song.path.display())));
                    }
                    measured.lock().unwrap_or_else(|lock| lock.into_inner()).push((at, entry));
                    bar.inc(1);
                }
            });
        }
    });
    bar.finish_and_clear();
    let mut measured = measured.into_inner().unwrap_or_else(|lock| lock.into_inner());
    measured.sort_by_key(|(at, _)| *at);

    let mut refused = found.refused;
    let mut songs = Vec::new();
    for ((_, entry), song) in measured.into_iter().zip(&found.songs) {
        match entry {
            Ok(song) => songs.push(song),
            Err(reason) => refused.push(Refused::new(&song.name, &song.path, format!("{reason:#}"))),
        }
    }
    refused.sort_by(|a, b| a.path.cmp(&b.path));
    ensure!(
        !songs.is_empty(),
        "none of the {} songs in {} can be used; the first is refused because: {}",
        refused.len(),
        dir.display(),
        refused.first().map_or("", |first| first.reason.as_str())
    );
    Ok(Index::new(options.layout, root, songs, refused))
}

/// The collection's folder as the index names it: without links, or where that is not text, as it was given.
fn root_of(dir: &Path) -> Result<PathBuf> {
    let real = dir.canonicalize().with_context(|| format!("{} cannot be read", dir.display()))?;
    if real.to_str().is_some() {
        return Ok(real);
    }
    let given = std::path::absolute(dir).with_context(|| format!("{} cannot be read", dir.display()))?;
    ensure!(
        given.to_str().is_some(),
        "the path {} is not valid UTF-8, so that no index can name it: rename the folder, or give a link to it",
        given.display()
    );
    Ok(given)
}

fn take_next<'a>(next: &AtomicUsize, songs: &'a [FoundSong]) -> Option<(usize, &'a FoundSong)> {
    let at = next.fetch_add(1, Ordering::Relaxed);
    songs.get(at).map(|song| (at, song))
}

/// A decoder that panics on a damaged file costs that song only.
fn measure_guarded(root: &Path, song: &FoundSong, sum_tolerance_db: f64) -> Result<MeasuredSong> {
    catch_unwind(AssertUnwindSafe(|| measure_song(root, song, sum_tolerance_db)))
        .unwrap_or_else(|_| Err(anyhow!("one of its files is damaged so badly that the decoder crashed")))
}
