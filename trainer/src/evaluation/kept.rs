//! What is kept on disk, one file per song: the records of a run, so that one that fails half-way goes on from there, and
//! analyses of mixes, so that other questions about the same mixes need not wait for them again.

use super::records::SongRecord;
use crate::protocol::{Flaw, GatedWindow};
use anyhow::{Context, Result, bail};
use mixing_buddy_core::hash::fnv1a;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// A folder with one JSON file per song, and one that says what they depend on.
#[derive(Debug)]
struct Folder {
    dir: PathBuf,
}

/// What the files of a folder depend on.
const RUN_FILE: &str = "run.txt";

impl Folder {
    /// Opens or makes the folder. `run` describes everything that the files depend on but the songs; `otherwise` says what to do
    /// where the folder is of another one.
    fn open(dir: &Path, run: &str, otherwise: &str) -> Result<Folder> {
        std::fs::create_dir_all(dir).with_context(|| format!("{} cannot be made", dir.display()))?;
        let file = dir.join(RUN_FILE);
        match std::fs::read_to_string(&file) {
            Ok(kept) if kept == run => {}
            Ok(_) => bail!(
                "{} holds results of an evaluation with another model or other settings: {otherwise}",
                dir.display()
            ),
            Err(_) => crate::files::replace(&file, run)?,
        }
        Ok(Folder { dir: dir.to_path_buf() })
    }

    /// What is kept of a song; none where there is nothing that can be read.
    fn read<T: DeserializeOwned>(&self, song: &str) -> Option<T> {
        serde_json::from_slice(&std::fs::read(self.file(song)).ok()?).ok()
    }

    fn keep(&self, song: &str, what: &impl Serialize) -> Result<()> {
        crate::files::replace(&self.file(song), serde_json::to_vec(what)?)
    }

    fn file(&self, song: &str) -> PathBuf {
        self.dir.join(format!("{:016x}.json", fnv1a(song.bytes())))
    }
}

/// Records of a run that is not finished.
#[derive(Debug)]
pub struct KeptRecords(Folder);

impl KeptRecords {
    /// Opens or makes the folder. `run` describes everything that the records depend on but the songs.
    ///
    /// # Errors
    /// When the folder holds the records of another run, or cannot be written.
    pub fn open(dir: &Path, run: &str) -> Result<KeptRecords> {
        Folder::open(dir, run, "remove the folder, or give another --out").map(KeptRecords)
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.0.dir
    }

    /// The record of a song; none where there is none that can be read.
    pub fn read(&self, song: &str) -> Option<SongRecord> {
        self.0.read(song).filter(|record: &SongRecord| record.song == song)
    }

    /// Keeps the record of a song.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn keep(&self, record: &SongRecord) -> Result<()> {
        self.0.keep(&record.song, record)
    }

    /// Number of songs that are kept.
    pub fn count(&self) -> usize {
        let entries = std::fs::read_dir(&self.0.dir).into_iter().flatten().flatten();
        entries.filter(|entry| entry.path().extension().is_some_and(|ending| ending == "json")).count()
    }

    /// Removes the folder: the report is written.
    ///
    /// # Errors
    /// When a file cannot be removed.
    pub fn remove(self) -> Result<()> {
        let dir = self.0.dir;
        std::fs::remove_dir_all(&dir).with_context(|| format!("{} cannot be removed", dir.display()))
    }
}

/// Analyses of mixes, for further runs on the same songs with the same seed.
#[derive(Debug)]
pub struct KeptAnalyses(Folder);

/// The mixes of a window, analyzed.
#[derive(Serialize, Deserialize)]
pub(super) struct AnalyzedMixes<A> {
    /// Number of the window.
    pub index: usize,
    /// See [`sound_of`].
    pub sound: u64,
    pub mixes: Vec<A>,
}

impl KeptAnalyses {
    /// Opens or makes the folder. `run` describes everything that the analyses depend on but the songs.
    ///
    /// # Errors
    /// When the folder holds the analyses of another model, or cannot be written.
    pub fn open(dir: &Path, run: &str) -> Result<KeptAnalyses> {
        Folder::open(dir, run, "remove the folder, or give another --heard").map(KeptAnalyses)
    }

    /// The analyses of a song; empty where there are none that can be read.
    pub(super) fn read<A: DeserializeOwned>(&self, song: &str) -> Vec<AnalyzedMixes<A>> {
        self.0.read(song).unwrap_or_default()
    }

    /// Keeps the analyses of a song.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn keep<A: Serialize>(&self, song: &str, mixes: &[&AnalyzedMixes<A>]) -> Result<()> {
        self.0.keep(song, &mixes)
    }
}

/// A number that tells whether these mixes of a window are the same as before.
pub(super) fn sound_of(window: &GatedWindow<'_>, flaws: &[Flaw]) -> u64 {
    let mix = window.mix(Flaw::NONE);
    let samples = mix.left.iter().chain(&mix.right).flat_map(|sample| sample.to_le_bytes());
    let levels = window.levels_dbfs.iter().map(|(_, level)| *level);
    let gains = flaws.iter().flat_map(|flaw| [flaw.stem.index() as f64, flaw.gain_db]);
    fnv1a(samples.chain(levels.chain(gains).flat_map(f64::to_le_bytes)))
}
