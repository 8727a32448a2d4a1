//! The index of a collection: what `data import` measured, as JSON, so that later steps need not read audio for it.

use super::layouts::Layout;
use super::refused::Refused;
use crate::files;
use crate::protocol::Split;
use anyhow::{Context, Result, bail, ensure};
use mixing_buddy_core::{PerStem, Stem};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// Version of the index's format.
pub const FORMAT: u32 = 1;
/// Quietest level that is kept; what is quieter is silence.
pub const FLOOR_DBFS: f64 = -120.0;
/// Number of pairs of stems.
pub const PAIR_COUNT: usize = Stem::COUNT * (Stem::COUNT - 1) / 2;
/// The pairs of stems, in the order of [`ChunkEntry::correlation`].
pub const PAIRS: [(Stem, Stem); PAIR_COUNT] = [
    (Stem::Vocals, Stem::Drums),
    (Stem::Vocals, Stem::Bass),
    (Stem::Vocals, Stem::Other),
    (Stem::Drums, Stem::Bass),
    (Stem::Drums, Stem::Other),
    (Stem::Bass, Stem::Other),
];

/// A collection of songs, measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Index {
    /// [`FORMAT`].
    pub format: u32,
    /// How the collection is laid out.
    pub layout: Layout,
    /// The folder that all paths are below.
    pub root: PathBuf,
    /// The songs that can be used, sorted by name.
    pub songs: Vec<SongEntry>,
    /// The songs that cannot be used, and why.
    pub refused: Vec<Refused>,
}

/// A song that can be used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SongEntry {
    /// Its name, unique in an index.
    pub name: String,
    /// The official split, where the collection has one.
    pub split: Option<Split>,
    /// Sample rate at which its chunks are read.
    pub rate_hz: u32,
    /// Length in seconds.
    pub duration_s: f64,
    /// Its files.
    pub files: SongFiles,
    /// RMS level of each class over the whole song in dBFS; none where the class has no file.
    pub level_dbfs: PerStem<Option<f64>>,
    /// RMS level of the sum of the stems over the whole song in dBFS.
    pub mix_dbfs: f64,
    /// The results of the checks.
    pub checks: Checks,
    /// Its full chunks in order.
    pub chunks: Vec<ChunkEntry>,
}

/// The files of a song.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SongFiles {
    /// Files of each class; several are added up in this order.
    pub stems: PerStem<Vec<FileEntry>>,
    /// The finished mix, where there is one: only compared with, never used as the mix.
    pub mixture: Option<FileEntry>,
}

impl SongFiles {
    /// All files.
    pub fn iter(&self) -> impl Iterator<Item = &FileEntry> {
        Stem::ALL.into_iter().flat_map(|stem| &self.stems[stem]).chain(&self.mixture)
    }
}

/// One file, in the state in which it was measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Path below the root.
    pub path: PathBuf,
    /// Number of its sound track, counted from 0, where it holds several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub track: Option<usize>,
    /// Its length in bytes.
    pub bytes: u64,
    /// When it was last written, in milliseconds since 1970.
    pub modified_ms: u64,
}

/// The results of a song's checks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checks {
    /// Power of the difference between the finished mix and the stems' sum, against that mix, in dB; none without one.
    pub sum_residual_db: Option<f64>,
    /// Gain of the finished mix over the stems' sum in dB; none without one.
    pub mixture_gain_db: Option<f64>,
    /// Classes that have files, but no sound.
    pub silent: Vec<Stem>,
    /// What was corrected or left out, each a sentence.
    pub warnings: Vec<String>,
}

/// Ten seconds of a song.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChunkEntry {
    /// RMS level of each class over both channels in dBFS; [`FLOOR_DBFS`] where it is silent or missing.
    pub level_dbfs: [f64; Stem::COUNT],
    /// RMS level of the sum of the stems in dBFS.
    pub mix_dbfs: f64,
    /// Share of each class's 50 ms frames that are active, 0 to 1.
    pub active_share: [f64; Stem::COUNT],
    /// Correlation of the stem [`PAIRS`] over both channels, -1 to 1.
    pub correlation: [f64; PAIR_COUNT],
}

impl ChunkEntry {
    /// RMS level in dBFS of the mix with a gain in dB on one of its stems, exact up to rounding:
    /// `|Σ gᵢXᵢ|² = Σ gᵢ²|Xᵢ|² + 2 Σ gᵢgⱼ ρᵢⱼ|Xᵢ||Xⱼ|`.
    pub fn flawed_mix_dbfs(&self, stem: Stem, gain_db: f64) -> f64 {
        let mut amplitude = self.level_dbfs.map(|level| 10f64.powf(level / 20.0));
        amplitude[stem.index()] *= 10f64.powf(gain_db / 20.0);
        let own: f64 = amplitude.iter().map(|a| a * a).sum();
        let cross: f64 = PAIRS
            .iter()
            .zip(self.correlation)
            .map(|((a, b), r)| 2.0 * r * amplitude[a.index()] * amplitude[b.index()])
            .sum();
        (10.0 * (own + cross).max(1e-12).log10()).max(FLOOR_DBFS)
    }
}

impl FileEntry {
    /// Notes a file's length and time. `path` is below `root`.
    ///
    /// # Errors
    /// When it is missing or not a file.
    pub fn stamp(root: &Path, path: &Path, track: Option<usize>) -> Result<Self> {
        let place = root.join(path);
        let about =
            std::fs::metadata(&place).with_context(|| format!("{} cannot be read", place.display()))?;
        ensure!(about.is_file(), "{} is not a file", place.display());
        let modified = about.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let modified_ms = modified.map_or(0, |age| age.as_millis() as u64);
        Ok(FileEntry { path: path.to_path_buf(), track, bytes: about.len(), modified_ms })
    }
}

/// What tells an index from other files, whatever else is in it.
#[derive(Deserialize)]
struct Head {
    format: u64,
}

impl Index {
    /// Reads an index.
    ///
    /// # Errors
    /// When the file is missing, not an index, of another format, or names a song twice.
    pub fn load(path: &Path) -> Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
        Self::parse(&text, path)
    }

    /// Reads the text of an index; `path` is for messages.
    ///
    /// # Errors
    /// As [`Index::load`].
    pub fn parse(text: &str, path: &Path) -> Result<Self> {
        // An index of a large collection has hundreds of megabytes, so it is read once; why it cannot be is found out only then.
        let parsed = serde_json::from_str::<Index>(text);
        let format = match &parsed {
            Ok(index) => Some(u64::from(index.format)),
            Err(_) => serde_json::from_str::<Head>(text).ok().map(|head| head.format),
        };
        match format {
            Some(format) if format == u64::from(FORMAT) => {}
            Some(format) => bail!(
                "{} has format {format}, this program reads format {FORMAT}: import the songs again",
                path.display()
            ),
            None => bail!("{} is not an index; `data import` writes one", path.display()),
        }
        let index = parsed.with_context(|| format!("{} is damaged", path.display()))?;
        let mut names = BTreeSet::new();
        for song in &index.songs {
            ensure!(names.insert(&song.name), "{} names the song '{}' twice", path.display(), song.name);
        }
        Ok(index)
    }

    /// Writes the index next to its place and renames it.
    ///
    /// # Errors
    /// When the disk is full or the folder cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        files::replace_with(path, |file| {
            serde_json::to_writer(&mut *file, self)?;
            file.write_all(b"\n")
        })
    }

    /// Whether every file is still in the state in which it was measured.
    ///
    /// # Errors
    /// When one is missing, or was changed since.
    pub fn check_files(&self) -> Result<()> {
        for song in &self.songs {
            for file in song.files.iter() {
                let now = FileEntry::stamp(&self.root, &file.path, file.track)
                    .with_context(|| format!("the song '{}' of the index is missing", song.name))?;
                ensure!(
                    now == *file,
                    "{} was changed after the index was written: import the songs again",
                    self.root.join(&file.path).display()
                );
            }
        }
        Ok(())
    }

    /// A song by its name.
    ///
    /// # Errors
    /// When there is none.
    pub fn song(&self, name: &str) -> Result<&SongEntry> {
        self.songs
            .iter()
            .find(|song| song.name == name)
            .with_context(|| format!("the index has no song '{name}'"))
    }
}
