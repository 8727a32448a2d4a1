//! The index of a collection: what `data import` measured, so that later steps need not read audio for it.
//!
//! Songs, files and checks are the header of a file of mapped numbers ([`crate::mapped`]), and the numbers are those of the
//! chunks ([`ChunkEntry`], fifteen values of 32 bits each): an index of 100,000 songs has 2.4 million chunks, which nobody reads
//! at once.

use super::layouts::Layout;
use super::refused::Refused;
use crate::mapped::{KIND_BYTES, MappedNumbers, open_mapped, write_mapped};
use crate::protocol::Split;
use anyhow::{Context, Result, anyhow, ensure};
use bytemuck::{Pod, Zeroable};
use mixing_buddy_core::{PerStem, Stem};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// The first bytes of an index; the last two are the version of its format.
const KIND: &[u8; KIND_BYTES] = b"MBINDX02";
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
#[derive(Debug)]
pub struct Index {
    /// How the collection is laid out.
    pub layout: Layout,
    /// The folder that all paths are below.
    pub root: PathBuf,
    /// The songs that can be used, sorted by name.
    pub songs: Vec<SongEntry>,
    /// The songs that cannot be used, and why.
    pub refused: Vec<Refused>,
    chunks: Chunks,
}

/// The chunks of all songs, one song after another.
#[derive(Debug)]
enum Chunks {
    /// Just measured.
    Measured(Vec<ChunkEntry>),
    /// In the index's file.
    Mapped(MappedNumbers<ChunkEntry>),
}

/// What stands before the chunks.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header<'a> {
    layout: Layout,
    root: Cow<'a, Path>,
    songs: Cow<'a, [SongEntry]>,
    refused: Cow<'a, [Refused]>,
}

/// A song as it was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct MeasuredSong {
    /// What is kept of it; its chunks have no place yet.
    pub entry: SongEntry,
    /// Its full chunks in order.
    pub chunks: Vec<ChunkEntry>,
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
    /// Which of the index's chunks are its own, in order: see [`Index::chunks`].
    pub chunks: Range<usize>,
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
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct ChunkEntry {
    /// RMS level of each class over both channels in dBFS; [`FLOOR_DBFS`] where it is silent or missing.
    pub level_dbfs: [f32; Stem::COUNT],
    /// RMS level of the sum of the stems in dBFS.
    pub mix_dbfs: f32,
    /// Share of each class's 50 ms frames that are active, 0 to 1.
    pub active_share: [f32; Stem::COUNT],
    /// Correlation of the stem [`PAIRS`] over both channels, -1 to 1.
    pub correlation: [f32; PAIR_COUNT],
}

impl ChunkEntry {
    /// RMS level in dBFS of the mix with a gain in dB on one of its stems, exact up to rounding:
    /// `|Σ gᵢXᵢ|² = Σ gᵢ²|Xᵢ|² + 2 Σ gᵢgⱼ ρᵢⱼ|Xᵢ||Xⱼ|`.
    pub fn flawed_mix_dbfs(&self, stem: Stem, gain_db: f64) -> f64 {
        let mut amplitude = self.level_dbfs.map(|level| 10f64.powf(f64::from(level) / 20.0));
        amplitude[stem.index()] *= 10f64.powf(gain_db / 20.0);
        let own: f64 = amplitude.iter().map(|a| a * a).sum();
        let cross: f64 = PAIRS
            .iter()
            .zip(self.correlation)
            .map(|((a, b), r)| 2.0 * f64::from(r) * amplitude[a.index()] * amplitude[b.index()])
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

/// What tells an index of format 1 from other files: it was JSON.
#[derive(Deserialize)]
struct FirstFormat {
    format: u64,
}

impl Index {
    /// The index of songs just measured.
    pub fn new(layout: Layout, root: PathBuf, measured: Vec<MeasuredSong>, refused: Vec<Refused>) -> Self {
        let mut chunks = Vec::new();
        let songs = measured
            .into_iter()
            .map(|song| {
                let first = chunks.len();
                chunks.extend(song.chunks);
                SongEntry { chunks: first..chunks.len(), ..song.entry }
            })
            .collect();
        Index { layout, root, songs, refused, chunks: Chunks::Measured(chunks) }
    }

    /// Opens an index; its chunks are read from disk as they are needed.
    ///
    /// # Errors
    /// When the file is missing, not an index, of another format, damaged, or names a song twice.
    pub fn load(path: &Path) -> Result<Self> {
        let place = path.display();
        let opened = open_mapped(path, KIND, "an index").map_err(|error| {
            let text = std::fs::read(path).unwrap_or_default();
            if serde_json::from_slice::<FirstFormat>(&text).is_ok_and(|index| index.format == 1) {
                return anyhow!("{place} has the format of an older version: import the songs again");
            }
            error.context(format!("{place} cannot be used as an index, which `data import` writes"))
        });
        let (header, chunks): (Header<'static>, MappedNumbers<ChunkEntry>) = opened?;
        let songs = header.songs.into_owned();
        let mut names = HashSet::with_capacity(songs.len());
        for song in &songs {
            let (name, range) = (&song.name, &song.chunks);
            ensure!(names.insert(name), "{place} names the song '{name}' twice");
            ensure!(
                range.start <= range.end && range.end <= chunks.len(),
                "{place} is damaged: the song '{name}' has chunks that are not in it"
            );
        }
        drop(names);
        Ok(Index {
            layout: header.layout,
            root: header.root.into_owned(),
            songs,
            refused: header.refused.into_owned(),
            chunks: Chunks::Mapped(chunks),
        })
    }

    /// Writes the index next to its place and renames it.
    ///
    /// # Errors
    /// When the disk is full or the folder cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let header = Header {
            layout: self.layout,
            root: Cow::Borrowed(&self.root),
            songs: Cow::Borrowed(&self.songs),
            refused: Cow::Borrowed(&self.refused),
        };
        write_mapped(path, KIND, &header, [self.all_chunks()])
    }

    /// The full chunks of one of its songs, in order.
    pub fn chunks(&self, song: &SongEntry) -> &[ChunkEntry] {
        self.all_chunks().get(song.chunks.clone()).unwrap_or(&[])
    }

    fn all_chunks(&self) -> &[ChunkEntry] {
        match &self.chunks {
            Chunks::Measured(chunks) => chunks,
            Chunks::Mapped(chunks) => chunks,
        }
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
