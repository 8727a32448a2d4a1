//! Feature maps of songs on disk: the cross-spectra of all stem pairs, so that any gains are exact.
//!
//! Power in bands is linear in cross-spectra: `|Σ gᵢ Xᵢ|² = Σ gᵢ² |Xᵢ|² + 2 Σ gᵢ gⱼ Re XᵢXⱼ*`. A file holds,
//! for each window, one map for each pair of the stems present, in the encoder's patch layout
//! (`[frames, (mid, side), bands]`), as f16. Files are memory-mapped.
//!
//! With a separator, one more map per separated stem follows, `[frames, bands]`: how far the separator's share of each cell
//! is from the true one, as a difference of log odds (see [`crate::mixing::shares`]).

use crate::mapped::{KIND_BYTES, MappedNumbers, open_mapped, write_mapped};
use crate::protocol::{SourceKind, Split};
use anyhow::{Context, Result, ensure};
use half::f16;
use half::slice::HalfFloatSliceExt;
use mixing_buddy_core::Stem;
use mixing_buddy_core::features::FeatureSettings;
use mixing_buddy_core::hash::fnv1a;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Extension of cache files.
pub const EXTENSION: &str = "maps";
const KIND: &[u8; KIND_BYTES] = b"MBMAPS01";

/// What a song's map file states of itself, at its head.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MapHeader {
    /// Song's folder name.
    pub song: String,
    /// Where the song comes from.
    pub source: SourceKind,
    /// What the song may be used for.
    pub split: Split,
    /// Feature settings of the maps.
    pub features: FeatureSettings,
    /// Stems present, in array order.
    pub stems: Vec<Stem>,
    /// Frames of each window.
    pub frames: usize,
    /// Whether the windows have maps of the separator's errors. A stem by itself has none: all of it is its own.
    #[serde(default)]
    pub has_share_errors: bool,
    /// Windows, in file order.
    pub windows: Vec<WindowHeader>,
}

/// What is stated of one window.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WindowHeader {
    /// Where it starts in the song, in seconds.
    pub start_s: f64,
    /// Variant: 0 is the song itself, others are shifted in pitch and tempo.
    pub variant: usize,
    /// Power of each stem present, relative to the window's mean (1.0 per cell).
    pub power: Vec<f32>,
    /// Whether each stem present is active: see [`crate::mixing::prepare`].
    pub active: Vec<bool>,
    /// By how much the separator misread the level of each separated stem against the rest in dB, in the mix that it heard. None
    /// where the stem is not active; empty without a separator, and in maps of earlier versions.
    #[serde(default)]
    pub separator_error_db: Vec<Option<f32>>,
}

impl WindowHeader {
    /// Whether the separator misread its `index`-th stem by more than `most_db`.
    pub fn is_misread(&self, index: usize, most_db: f32) -> bool {
        self.separator_error_db.get(index).copied().flatten().is_some_and(|error_db| error_db.abs() > most_db)
    }
}

impl MapHeader {
    /// Values of one map.
    pub fn cells(&self) -> usize {
        self.frames * 2 * self.features.bands
    }

    /// Number of maps per window: pairs of stems present.
    pub fn pairs(&self) -> usize {
        self.stems.len() * (self.stems.len() + 1) / 2
    }

    /// Values of the map of a separated stem's errors.
    pub fn share_cells(&self) -> usize {
        self.frames * self.features.bands
    }

    /// Values of one window: the maps of all pairs, then those of the separator's errors.
    fn window_values(&self) -> usize {
        let separated = if self.has_share_errors { self.features.separated.len() } else { 0 };
        self.pairs() * self.cells() + separated * self.share_cells()
    }

    /// Whether the song may train the encoder.
    pub fn is_for_training(&self) -> bool {
        self.split == Split::Train
    }

    /// Whether the advisor learns from the song how an encoder errs. The encoder does not learn from it.
    pub fn is_for_tuning(&self) -> bool {
        self.is_held_out() && self.name_bits().is_multiple_of(2)
    }

    /// Whether the song is kept for calibration: neither encoder nor advisor learns from it.
    pub fn is_for_calibration(&self) -> bool {
        self.is_held_out() && !self.name_bits().is_multiple_of(2)
    }

    fn is_held_out(&self) -> bool {
        self.split == Split::Calib && self.source != SourceKind::Voice
    }

    /// Which of two halves a song belongs to must not depend on the other songs: it follows from its name.
    fn name_bits(&self) -> u64 {
        // The lowest bit of FNV-1a is the parity of its bytes; a higher one is practically random.
        fnv1a(self.song.bytes()) >> 32
    }

    /// Position of a stem among those present.
    pub fn position(&self, stem: Stem) -> Option<usize> {
        self.stems.iter().position(|&present| present == stem)
    }
}

/// Pairs `(i, j)`, `i <= j`, of `count` stems, in file order.
pub fn pairs_of(count: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..count).flat_map(move |i| (i..count).map(move |j| (i, j)))
}

/// Position of pair `(i, j)`, `i <= j`, in file order.
pub fn pair_index(count: usize, i: usize, j: usize) -> usize {
    // Rows before i hold count, count - 1, … pairs.
    i * (2 * count - i + 1) / 2 + j - i
}

/// One song's maps.
pub struct SongMaps {
    /// What the file states of itself.
    pub header: MapHeader,
    values: MappedNumbers<f16>,
}

impl SongMaps {
    /// Maps a file into memory.
    ///
    /// # Errors
    /// When it is not a map file, of another version, or cut off.
    pub fn open(path: &Path) -> Result<Self> {
        let (header, values): (MapHeader, MappedNumbers<f16>) =
            open_mapped(path, KIND, "a feature map file")?;
        let expected = header.windows.len() * header.window_values();
        ensure!(
            values.len() >= expected,
            "{} is cut off: {} values of {expected}",
            path.display(),
            values.len()
        );
        Ok(SongMaps { header, values })
    }

    /// Copies one map of a window into `to`, as `f32`.
    pub fn read(&self, window: usize, pair: usize, to: &mut [f32]) {
        let cells = self.header.cells();
        self.copy(window, pair * cells, &mut to[..cells]);
    }

    /// Copies the map of the separator's errors about its `index`-th stem into `to`.
    pub fn read_share_errors(&self, window: usize, index: usize, to: &mut [f32]) {
        let header = &self.header;
        let cells = header.share_cells();
        self.copy(window, header.pairs() * header.cells() + index * cells, &mut to[..cells]);
    }

    /// Copies the values of a window from `first` on, as many as `to` has.
    fn copy(&self, window: usize, first: usize, to: &mut [f32]) {
        let start = window * self.header.window_values() + first;
        self.values[start..start + to.len()].convert_to_f32_slice(to);
    }
}

/// Writes a map file next to its place, and renames it.
///
/// # Errors
/// When the disk is full or the folder cannot be written.
pub fn write_maps(path: &Path, header: &MapHeader, values: &[f16]) -> Result<()> {
    write_mapped(path, KIND, header, [values])
}

/// All map files of a folder.
pub struct MapCache {
    /// Songs, sorted by file name.
    pub songs: Vec<SongMaps>,
}

impl MapCache {
    /// Opens every map file below `dir` whose header passes `keep`.
    ///
    /// # Errors
    /// When the folder cannot be read, a file is damaged, or none is left.
    pub fn open(dir: &Path, keep: impl Fn(&MapHeader) -> bool) -> Result<Self> {
        let mut paths: Vec<PathBuf> = std::fs::read_dir(dir)
            .with_context(|| format!("{} cannot be read", dir.display()))?
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .filter(|path| path.extension().is_some_and(|extension| extension == EXTENSION))
            .collect();
        paths.sort();
        let mut songs = Vec::new();
        for path in paths {
            let song = SongMaps::open(&path)?;
            if keep(&song.header) {
                songs.push(song);
            }
        }
        ensure!(!songs.is_empty(), "{} holds no feature maps of the songs asked for", dir.display());
        Ok(MapCache { songs })
    }
}

#[cfg(test)]
mod tests {
    use super::{pair_index, pairs_of};
    use mixing_buddy_core::Stem;

    #[test]
    fn pair_index_is_file_order() {
        for count in 1..=Stem::ALL.len() {
            for (at, (i, j)) in pairs_of(count).enumerate() {
                assert_eq!(pair_index(count, i, j), at, "{count} stems, pair {i} {j}");
            }
        }
    }
}
